package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/node/link"
)

// key32 is a key whose bytes are all n.
func key32(n byte) consensus.Secret { return bytes.Repeat([]byte{n}, 32) }

// agreedLog is what was agreed on in a test, one change a second.
type agreedLog struct {
	state *consensus.State
	index uint64
	now   time.Time
}

func newAgreedLog() *agreedLog {
	return &agreedLog{state: &consensus.State{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func (l *agreedLog) add(t *testing.T, c consensus.Change) {
	t.Helper()
	l.index++
	l.now = l.now.Add(time.Second)
	var r consensus.Result
	if l.state, r = l.state.Apply(consensus.Command{Change: c}, l.index, l.now); r.Code != consensus.Accepted {
		t.Fatalf("%+v: %+v", c, r)
	}
}

// TestSecrets: nobody is shut out before it can know the next secret, and the
// former one does not open the door for ever.
func TestSecrets(t *testing.T) {
	t.Parallel()
	configured, err := link.SecretOf(key32(100))
	if err != nil {
		t.Fatal(err)
	}
	l := newAgreedLog()
	show := func(later time.Duration) string {
		out := ""
		for _, s := range secretsOf(l.state, configured, l.now.Add(later)) {
			out += fmt.Sprint(" ", s.Bytes()[0])
		}
		out += " |"
		for _, key := range gossipKeys(l.state, configured, l.now.Add(later)) {
			if name := fmt.Sprint(" ", key[0]); bytes.Equal(key, configured.GossipKey()) {
				out += " derived"
			} else {
				out += name
			}
		}
		return out
	}
	create := func(ring consensus.RingKind, id uint16) consensus.Change {
		return &consensus.CreateKey{Ring: ring, ID: id, Secret: key32(byte(id))}
	}
	activate := func(ring consensus.RingKind, id uint16) consensus.Change {
		return &consensus.ActivateKey{Ring: ring, ID: id}
	}
	for _, step := range []struct {
		change consensus.Change
		later  time.Duration
		want   string
	}{
		{nil, 0, " 100 | derived"},
		{create(consensus.GossipRing, 1), 0, " 100 | 1 derived"},
		{nil, time.Hour, " 100 | 1"},
		{create(consensus.GossipRing, 2), 0, " 100 | 1 2"},
		{activate(consensus.GossipRing, 2), 0, " 100 | 2 1"},
		{create(consensus.SecretRing, 11), 0, " 100 11 | 2 1"},
		{nil, time.Hour, " 100 11 | 2 1"},
		{activate(consensus.SecretRing, 11), 0, " 11 100 | 2 1"},
		{nil, consensus.SecretGrace, " 11 | 2 1"},
		{create(consensus.SecretRing, 12), consensus.SecretGrace, " 11 12 | 2 1"},
		{activate(consensus.SecretRing, 12), 0, " 12 11 | 2 1"},
	} {
		if step.change != nil {
			l.add(t, step.change)
		}
		if got := show(step.later); got != step.want {
			t.Errorf("%+v after %v: %s, want %s", step.change, step.later, got, step.want)
		}
	}
}

// TestSecretChanges: nodes follow to another secret, and leave it where an
// operator finds it.
func TestSecretChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	http := "upstream app { zone app 64k; server 127.0.0.1:1; }"
	a, b := s.begin(t, 1, s.conf(1, 2, http)), s.begin(t, 2, s.conf(2, 2, http))
	for _, l := range []*living{a, b} {
		eventually(t, "two members", func() bool { return len(l.cluster.aliveNodes()) == 2 })
	}
	if r := a.propose(t, &consensus.CreateKey{Ring: consensus.SecretRing, ID: 1, Secret: key32(7)}); r.Code != consensus.Accepted {
		t.Fatalf("%+v", r)
	}
	want, err := link.SecretOf(key32(7))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		file := filepath.Join(s.dir, fmt.Sprintf("data%d", i+1), "cluster.secret")
		eventually(t, "the secret in "+file, func() bool {
			text, err := os.ReadFile(file)
			return err == nil && bytes.Equal(text, want.Format())
		})
	}
	b.propose(t, appServer("127.0.0.1:2")) // they still understand each other
}
