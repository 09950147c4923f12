package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/node/link"
)

// learners are nodes that learn sessions, each with a table, gossip and the
// encrypted streams of a link, over loopback.
type learners struct {
	t      *testing.T
	secret *link.Secret
	nodes  []*learner
	count  int // sessions that were learned so far
}

// learner is one of them.
type learner struct {
	*sharing
	table  *upstream.Sessions
	link   *link.Link
	gossip *gossip.Gossip
	some   chan struct{}
	cancel context.CancelFunc
	tells  sync.WaitGroup
	dead   bool
}

// startLearners starts some nodes and waits until all know each other.
func startLearners(t *testing.T, nodes int) *learners {
	t.Helper()
	w := &learners{t: t, secret: link.NewSecret()}
	for range nodes {
		w.nodes = append(w.nodes, w.start())
	}
	for _, n := range w.nodes {
		go n.gossip.Seek(t.Context(), func() []string { return []string{w.nodes[0].gossip.Addr()} })
	}
	eventually(t, "all know each other", func() bool {
		return !slices.ContainsFunc(w.nodes, func(n *learner) bool { return len(n.others()) < nodes-1 })
	})
	return w
}

func (w *learners) start() *learner {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	id := link.NewIdentity()
	n := &learner{table: upstream.NewSessions(64<<20, time.Hour), some: make(chan struct{}, 1), cancel: cancel}
	n.link, err = link.Open(link.Options{Listener: listener, Identity: id, Cluster: "shop", Secrets: []*link.Secret{w.secret}, Log: func(string) {}})
	if err != nil {
		w.t.Fatal(err)
	}
	n.sharing = &sharing{self: id.ID, tables: n, presence: newPresence(), others: n.aliveOthers, send: func(to []string, zone string, list []gossip.Session) error {
		return n.gossip.SendSessions(to, zone, list)
	}}
	n.gossip, err = gossip.Open(gossip.Options{
		ID: id.ID, Cluster: "shop", Listen: netip.MustParseAddrPort("127.0.0.1:0"), Keys: [][]byte{make([]byte, 32)},
		Meta:   gossip.Meta{Name: id.ID, Link: listener.Addr().String(), Boot: 1, Ready: true},
		Stream: n.link.Sync(), Who: func(c net.Conn) string { return c.(*link.Conn).Peer().ID },
		OnMembers: n.presence.set, OnSessions: n.hear, Log: func(string, string) {},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	n.table.Share(func(int) {
		select {
		case n.some <- struct{}{}:
		default:
		}
	})
	n.tells.Go(func() { n.tell(ctx) })
	go n.attend(ctx)
	w.t.Cleanup(n.kill)
	return n
}

// tell passes news on as the balancer does.
func (n *learner) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.some:
		}
		if !pause(ctx, 20*time.Millisecond) {
			return
		}
		for piece := range slices.Chunk(n.table.News(nil), upstream.NewsBatch) {
			n.Learned("zone", piece)
		}
	}
}

// kill ends a node without a word to the others.
func (n *learner) kill() {
	if n.dead {
		return
	}
	n.dead = true
	n.cancel()
	_ = n.link.Close() // what it says matters to nobody
	_ = n.gossip.Close()
	n.tells.Wait()
}

func (n *learner) aliveOthers() (ids []string) {
	for _, m := range n.gossip.Members() {
		if m.Alive && m.ID != n.self {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// The tables of a balancer.

func (n *learner) SetKeys(*upstream.Keys) {}

func (n *learner) PutSessions(_ string, list []upstream.LearnedSession) {
	n.table.Merge(list, time.Now().UnixNano())
}

func (n *learner) FindSession(_ string, key upstream.SessionKey) (upstream.LearnedSession, bool) {
	return n.table.Get(key, time.Now().UnixNano())
}

func (n *learner) SharedSessions(f func(zone string, list []upstream.LearnedSession) bool) {
	var at upstream.Page
	for list := n.table.Next(&at, upstream.NewsBatch); len(list) > 0 && f("zone", list); list = n.table.Next(&at, upstream.NewsBatch) {
	}
}

// numbered is a session, and the server to which it belongs.
func numbered(n int) (upstream.SessionKey, upstream.ServerID) {
	return upstream.SessionKeyOf(binary.BigEndian.AppendUint64(nil, uint64(n))), upstream.ServerID(n%7 + 1)
}

// learn lets sessions begin, one node after the other, so many in a second, and
// tells for how long the machine kept it waiting at most.
func (w *learners) learn(perSecond int, lasting time.Duration) (late time.Duration) {
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	began, before, first := time.Now(), time.Now(), w.count
	due := func(d time.Duration) int { return int(d.Seconds() * float64(perSecond)) }
	for w.count < first+due(lasting) {
		<-tick.C
		now := time.Now()
		late = max(late, now.Sub(before)-step)
		before = now
		// As many as are due, but not all that a busy machine has held up at once.
		for end := min(first+due(min(now.Sub(began), lasting)), w.count+4*due(step)); w.count < end; w.count++ {
			key, server := numbered(w.count)
			w.nodes[w.count%len(w.nodes)].table.Tie(key, server, true, time.Now().UnixNano())
		}
	}
	return late
}

// lost counts the sessions below a number that a node does not know.
func (n *learner) lost(below int) (lost int) {
	for i := range below {
		key, server := numbered(i)
		if l, ok := n.FindSession("", key); !ok || l.Server != server {
			lost++
		}
	}
	return lost
}

// settled waits until the nodes that live have been told what is to come, and
// tells how many sessions the one that lacks most of those below a number lacks.
func (w *learners) settled(below int) (lost int) {
	w.t.Helper()
	before := -1
	eventually(w.t, "no more sessions come", func() bool {
		lost = 0
		for _, n := range w.nodes {
			if !n.dead {
				lost = max(lost, n.lost(below))
			}
		}
		same := lost == before || lost == 0
		before = lost
		if !same {
			<-time.After(300 * time.Millisecond)
		}
		return same
	})
	return lost
}

// dropped sums up what found no room on its way.
func (w *learners) dropped() (sessions uint64) {
	for _, n := range w.nodes {
		sessions += n.gossip.Stats().SessionDrop + n.table.Status().Untold
	}
	return sessions
}

// TestSessionsAtRate lets five nodes learn 5,000 sessions a second: when one is
// killed amid it, the others know all it had learned but those of its last
// moment, and nothing was dropped.
func TestSessionsAtRate(t *testing.T) {
	t.Parallel()
	w := startLearners(t, 5)
	w.learn(5000, time.Second)
	sure := w.count
	// A second later, in which the machine was not too busy for it.
	for try := 0; w.learn(5000, time.Second) > 100*time.Millisecond && try < 3; try++ {
	}
	dropped := w.dropped()
	w.nodes[0].kill()
	if lost := w.settled(sure); lost > 0 || dropped > 0 {
		t.Errorf("%d of %d sessions are lost a second later, %d were dropped", lost, sure, dropped)
	}
	t.Logf("%d of %d lost", w.settled(w.count), w.count)
}

// TestMeasureSessionsAtRate is the same for longer, and counts those of the last
// moment, too. The nodes' memory is that of their tables.
func TestMeasureSessionsAtRate(t *testing.T) {
	program.Measure(t)
	const lasting, kills = 20 * time.Second, 3
	lost, count, most := 0, 0, int64(0)
	for range kills {
		before := heapInUse()
		w := startLearners(t, 5)
		w.learn(5000, lasting)
		took, dropped := heapInUse()-before, w.dropped()
		w.nodes[0].kill()
		here := w.settled(w.count)
		if here*1000 > w.count || dropped > 0 {
			t.Errorf("%d of %d sessions are lost, %d were dropped", here, w.count, dropped)
		}
		lost, count, most = lost+here, count+w.count, max(most, took)
		for _, n := range w.nodes {
			n.kill()
		}
		runtime.KeepAlive(w)
	}
	perNode := float64(most) / 5 / (1 << 20)
	if perNode > 32 {
		t.Errorf("%.0f MB of memory in each node", perNode)
	}
	measured.Record(t, "five nodes learn 5,000 sessions a second for 20 s, and one is killed", kills,
		fmt.Sprintf("%d of %d sessions lost; %.0f MB of memory in each node", lost, count, perNode))
}
