package consensus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// newChange is a change of the next level, as a later program may have.
type newChange struct{ MarkSeeded }

// nextKinds is what a later program understands.
func nextKinds() vocabulary { return append(kinds(), row[newChange](100, Level+1)) }

func newCommand(upstream string) Command {
	return Command{Actor: "test", Change: &newChange{MarkSeeded{Upstream: upstream}}}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	if kinds().newest() != Level {
		t.Errorf("the newest kind has level %d, the program %d", kinds().newest(), Level)
	}
	v := nextKinds()
	for _, c := range []struct {
		change Change
		want   uint16
	}{
		{&RaiseEpoch{}, levelFirst},
		{&newChange{}, Level + 1},
		{&Batch{&RaiseEpoch{}, &newChange{}}, Level + 1},
	} {
		if level, err := v.level(c.change); err != nil || level != c.want {
			t.Errorf("%T has level %d, %v", c.change, level, err)
		}
	}
	if _, err := kinds().level(&Batch{&newChange{}}); err == nil {
		t.Error("an older program knows the level of a newer kind")
	}
}

// The level that is agreed on is the lowest of the nodes that are there.
func TestAgreedLevel(t *testing.T) {
	t.Parallel()
	s := &State{}
	table := func(levels ...uint16) *State {
		s := &State{}
		for i, level := range levels {
			id := NodeID(strings.Repeat(string('a'+rune(i)), 32))
			s.nodes = s.nodes.with(id, Node{Name: "lb" + string('1'+rune(i)), Level: level})
		}
		return s
	}
	gone := table(3, 1)
	if s, _ = gone.Apply(Command{Change: &RemoveNode{ID: NodeID(strings.Repeat("b", 32))}}, 1, time.UnixMilli(5)); s.Level() != 3 {
		t.Errorf("a node that was removed counts: level %d", s.Level())
	}
	for _, c := range []struct {
		state *State
		agree uint16
		older []string // for level 3
	}{
		{table(), 1, nil},
		{table(0, 3), 1, []string{"lb1"}},
		{table(3, 2, 1), 1, []string{"lb2", "lb3"}},
		{table(3, 4), 3, nil},
	} {
		var e *LevelError
		errors.As(c.state.understands(3, nil), &e)
		if c.state.Level() != c.agree || (e == nil) != (c.older == nil) || e != nil && !slices.Equal(e.Older, c.older) {
			t.Errorf("level %d, older %+v; want %d, %q", c.state.Level(), e, c.agree, c.older)
		}
	}
	if got := fmt.Sprintf("%.1s", table(2, 3, 1).Older()); got != "[a c]" {
		t.Errorf("older than another are %s", got)
	}
	if err := table(3).understands(3, []server{{id: "x"}}); err == nil {
		t.Error("a server that has not told its level counts for nothing")
	}
}

// While a node of the cluster is older, a newer command comes into no log: who
// proposes it is told, whoever leads. As soon as the node is upgraded it is taken.
func TestNewerCommandsWaitForOlderNodes(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		for i := range 3 {
			node := w.add(t.TempDir(), 3)
			if i > 0 {
				node.o.kinds = nextKinds()
			}
			node.start()
		}
		w.settled()
		old := w.all()[0]
		for _, leads := range w.all() {
			w.have(leads)
			for _, asked := range w.all()[1:] {
				_, err := asked.up().Propose(t.Context(), newCommand("app"))
				if e := (*LevelError)(nil); !errors.As(err, &e) || !slices.Equal(e.Older, []string{old.o.Name}) {
					t.Errorf("%s: %v", asked.o.Name, err)
				}
				// What the node asked would not know, the leader does.
				entry, _ := nextKinds().encode(&Command{Change: &newChange{}})
				_, err = asked.up().ask(t.Context(), message{Kind: askPropose, Entry: entry}, time.Second)
				if e := (*LevelError)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), old.o.Name) {
					t.Errorf("%s, while %s leads: %v", asked.o.Name, leads.o.Name, err)
				}
				if r, err := asked.up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
					t.Errorf("an old command: %+v, %v", r, err)
				}
			}
		}
		w.eventually("the same state everywhere", w.equal)
		if why := old.up().Status().Stopped; why != "" {
			t.Errorf("a newer command came into the log: %s", why)
		}
		old.stop()
		old.o.kinds = nextKinds()
		old.start()
		w.eventually("a newer command is taken", func() bool {
			r, err := old.up().Propose(t.Context(), newCommand("app"))
			return err == nil && r.Code == Accepted
		})
		w.eventually("the same state everywhere", w.equal)
		if e, _ := old.up().State().Upstream("app"); !e.Seeded || old.up().State().Level() != Level+1 {
			t.Errorf("level %d, %+v", old.up().State().Level(), e)
		}
	})
}

// What the leader itself wants waits, too, and keeps nothing else waiting.
func TestTheLeaderWaitsForOlderNodes(t *testing.T) {
	inTime(t, func(t *testing.T) {
		next := kinds()
		for i := range next {
			if next[i].number == kindActivateKey { // as if it were new
				next[i].level = Level + 1
			}
		}
		w := newNetwork(t)
		for i := range 3 {
			node := w.add(t.TempDir(), 3)
			if i > 0 {
				node.o.kinds = next
			}
			node.start()
		}
		w.settled()
		old, leader := w.all()[0], w.all()[1]
		w.have(leader)
		key := FreshKey(leader.up().State().Ring(StickyRing))
		if r, err := leader.up().Propose(t.Context(), Command{Change: &CreateKey{Ring: StickyRing, ID: key.ID, Secret: key.Secret}}); err != nil || r.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		state := func() KeyState {
			for _, k := range leader.up().State().Ring(StickyRing) {
				if k.ID == key.ID {
					return k.State
				}
			}
			return ""
		}
		<-time.After(time.Minute)
		if got := state(); got != KeyNext {
			t.Errorf("the key is %q while a node is older", got)
		}
		old.stop()
		old.o.kinds = next
		old.start()
		w.eventually("the key is in use", func() bool { return state() == KeyActive })
	})
}

// have has a node lead.
func (n *network) have(node *testNode) {
	n.t.Helper()
	n.eventually(node.o.Name+" leads", func() bool {
		leader, _ := n.leader()
		if leader == node && node.up().State().Index() > 0 {
			return true
		}
		_, _ = leader.up().Transfer(n.t.Context()) // else again
		return false
	})
}
