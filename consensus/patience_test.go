package consensus

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// instance returns the run of the library on a node that is up.
func (n *testNode) instance() *instance {
	n.net.t.Helper()
	e, why := n.up().engine()
	i, ok := e.(*instance)
	if !ok {
		n.net.t.Fatal(why)
	}
	return i
}

// patience is for how long a node waits for a leader now.
func (n *testNode) patience() time.Duration {
	return n.instance().raft.ReloadableConfig().HeartbeatTimeout
}

// Who knows that the leader's process has ended waits no longer than it has to,
// until there is another.
func TestPatienceWithADeadLeader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		dead, others := w.leader()
		w.knowLeader(dead)
		dead.kill()
		for _, node := range others {
			w.eventually("the death is noticed", func() bool { d := node.instance().death.Load(); return d != nil && d.leader == dead.o.ID })
		}
		w.settled()
		for _, node := range others {
			w.eventually("usual patience", func() bool { return node.patience() == node.o.Timeouts.Heartbeat })
		}
		dead.start()
		w.settled()
		// One that comes back may die again.
		again, others := w.leader()
		w.knowLeader(again)
		again.kill()
		for _, node := range others {
			w.eventually("the second death is noticed", func() bool { d := node.instance().death.Load(); return d != nil && d.leader == again.o.ID })
		}
	})
}

// knowLeader waits until all know who leads.
func (n *network) knowLeader(leader *testNode) {
	n.t.Helper()
	n.eventually("all know who leads", func() bool {
		for _, node := range n.all() {
			if c := node.up(); c != nil {
				if id, _ := c.Leader(); id != leader.o.ID {
					return false
				}
			}
		}
		return true
	})
}

// How long a node waits, by what it knows of the leader.
func TestOrphaned(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		w.knowLeader(leader)
		i := others[0].instance()
		for _, c := range []struct {
			name  string
			death *death
			want  bool
		}{
			{"nobody has died", nil, false},
			{"another leads", &death{others[1].o.ID, time.Now()}, false},
			{"it has been heard of since", &death{leader.o.ID, i.raft.LastContact().Add(-time.Nanosecond)}, false},
			{"it has just died", &death{leader.o.ID, time.Now().Add(time.Minute)}, true},
			{"it died a while ago", &death{leader.o.ID, time.Now().Add(-time.Minute)}, false},
		} {
			i.death.Store(c.death)
			if got := i.orphaned(); got != c.want {
				t.Errorf("%s: %v", c.name, got)
			}
		}
	})
}

// A leader that lives is not taken for dead when connections break, and goes on
// to lead; neither is one that cannot be reached, which others may hear.
func TestLiveLeaderBehindBrokenConnections(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		w.knowLeader(leader)
		i, term := others[0].instance(), leader.instance().raft.CurrentTerm()
		for range 5 {
			w.breakConns(leader, others[0])
			if d := others[0].up().inquire(t.Context(), i); d != nil {
				t.Errorf("it is taken for dead: %+v", d)
			}
		}
		if r, err := others[0].up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
			t.Errorf("%+v, %v", r, err)
		}
		if now := leader.instance().raft.CurrentTerm(); !leader.instance().leads() || now != term {
			t.Errorf("there was an election: term %d, not %d", now, term)
		}
		w.cut(leader, others[0])
		if d := others[0].up().inquire(t.Context(), i); d != nil {
			t.Errorf("one that cannot be reached is taken for dead: %+v", d)
		}
	})
}

// termGate is a store that calls hook, if there is one, before it notes a term.
type termGate struct {
	store
	hook *atomic.Pointer[func()]
}

func (g *termGate) SetUint64(key []byte, v uint64) error {
	if f := g.hook.Load(); f != nil {
		(*f)()
	}
	return g.store.SetUint64(key, v)
}

// A candidate knows of no leader, though it heard one amid becoming a candidate:
// the leader handed over to it, went on for a moment, and was never seen again.
func TestACandidateHasNoLeader(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		hooks := map[*testNode]*atomic.Pointer[func()]{}
		for range 3 {
			node, hook := w.add("", 3), new(atomic.Pointer[func()])
			node.o.Timeouts = Timeouts{Heartbeat: 2 * time.Second, Lease: time.Second, Store: time.Minute, Tick: 50 * time.Millisecond}
			node.o.wrap = func(s store) store { return &termGate{s, hook} }
			hooks[node] = hook
			node.start()
		}
		w.settled()
		leader, others := w.leader()
		w.knowLeader(leader)
		next, voting, open := others[0], make(chan struct{}), make(chan struct{})
		gate := sync.OnceFunc(func() { close(voting); <-open })
		hooks[next].Store(&gate)
		request := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leader.o.ID), Addr: []byte(leader.addr)}}
		if err := leader.instance().trans.TimeoutNow(raft.ServerID(next.o.ID), raft.ServerAddress(next.addr), &request, &raft.TimeoutNowResponse{}); err != nil {
			t.Fatal(err)
		}
		<-voting
		w.eventually("the leader is heard", func() bool { _, id := next.instance().raft.LeaderWithID(); return string(id) == string(leader.o.ID) })
		w.isolate(next)
		close(open)
		w.eventually("nobody leads", func() bool { id, _ := next.up().Leader(); return id == "" })
		if s := next.up().Status(); s.Leader != "" || s.Part != PartFollower {
			t.Errorf("%+v", s)
		}
	})
}
