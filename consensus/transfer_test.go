package consensus

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Writes wait while the gate is shut, as long as they want to.
func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g gate
		if err := g.pass(t.Context()); err != nil {
			t.Error(err)
		}
		if !g.shut() || g.shut() {
			t.Error("a gate is shut once")
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.pass(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("who goes away: %v", err)
		}
		var passed atomic.Int32
		for range 3 {
			go func() {
				if g.pass(t.Context()) == nil {
					passed.Add(1)
				}
			}()
		}
		if synctest.Wait(); passed.Load() != 0 {
			t.Error("it is not shut")
		}
		g.open()
		if synctest.Wait(); passed.Load() != 3 || !g.shut() {
			t.Errorf("%d passed", passed.Load())
		}
	})
}

// Leadership is handed over although the disk of a voter hangs, and not to that one.
func TestTransferToWhoIsReady(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		hooks := map[*testNode]*atomic.Pointer[func() error]{}
		for range 3 {
			node := w.add(t.TempDir(), 3)
			hooks[node] = node.breakable()
			node.o.Timeouts.Store = time.Minute
			node.start()
		}
		w.settled()
		leader, others := w.leader()
		w.knowLeader(leader)
		hang := make(chan struct{})
		fail := func() error { <-hang; return nil }
		hooks[others[0]].Store(&fail)
		defer func() {
			hooks[others[0]].Store(nil)
			close(hang)
		}()
		if r, err := leader.up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		if id, err := leader.up().Transfer(t.Context()); err != nil || id == others[0].o.ID {
			t.Errorf("node %s leads, %v", id, err)
		}
	})
}

// A write is one entry of the log, wherever it was asked for: that it is agreed on
// needs no other.
func TestWriteIsOneEntry(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		w.knowLeader(leader)
		w.eventually("the same state everywhere", w.equal)
		before := leader.instance().raft.LastIndex()
		const writes = 20
		for id := range ServerID(writes) {
			if r, err := others[id%2].up().Propose(t.Context(), addServer(id+1)); err != nil || r.Code != Accepted {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		w.eventually("the same state everywhere", w.equal)
		if n := leader.instance().raft.LastIndex() - before; n >= 2*writes {
			t.Errorf("%d entries for %d writes", n, writes)
		}
	})
}

// Nobody is told what is agreed on by a node that does not know.
func TestAgreedOn(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		w.eventually("the leader knows", func() bool { return leader.instance().agreedOn() != nil })
		if m := others[0].instance().agreedOn(); m != nil {
			t.Errorf("a follower says %+v", m)
		}
		if m := leader.instance().agreedOn(); m == nil || m.PrevLogEntry == 0 || m.PrevLogEntry != m.LeaderCommitIndex || m.PrevLogTerm != m.Term || len(m.Entries) > 0 {
			t.Errorf("%+v", m)
		}
	})
}

// Of writes that come while a follower is told of others, it is told, too.
func TestSpreading(t *testing.T) {
	t.Parallel()
	s := newSpreading()
	var tells atomic.Int32
	add := func(id NodeID) { s.add(id, func() { tells.Add(1) }) }
	add("a")
	n := s.pending("a")
	add("a")
	add("b")
	if s.clear("a", n) {
		t.Error("a write was forgotten")
	}
	if !s.clear("a", s.pending("a")) || s.pending("a") != 0 {
		t.Error("a write is left")
	}
	add("a")
	if s.end(); tells.Load() != 3 || s.sleep(time.Hour) {
		t.Errorf("told %d times", tells.Load())
	}
	if add("c"); s.pending("c") != 0 {
		t.Error("somebody is told after the end")
	}
}

// A leader that is stopped as the last one does not wait for those who are down.
func TestTransferToNobody(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		i := leader.instance()
		w.eventually("the leader knows", func() bool { return i.agreedOn() != nil })
		for _, n := range others {
			n.kill()
		}
		began := time.Now()
		voters := slices.DeleteFunc(i.servers(), func(s server) bool { return s.id == i.o.ID })
		if next := i.readiest(t.Context(), voters); next != nil {
			t.Errorf("node %s is ready", next.id)
		}
		if took := time.Since(began); took > i.o.Timeouts.Lease/2 {
			t.Errorf("it took %v", took)
		}
	})
}

// Where one node votes for two, it can hand over to the other all the same, and
// be removed then; the last node keeps what nobody else can take.
func TestTransferToWhoHasNoVote(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		for range 2 {
			w.add(t.TempDir(), 1).start()
			w.settled()
		}
		one, two := w.all()[0], w.all()[1]
		w.eventually("one follows without a vote", func() bool {
			s := one.up().Status()
			return len(s.Voters) == 1 && len(s.NonVoters) == 1 && s.Leader == one.o.ID
		})
		if _, yes := one.up().Indispensable(one.o.ID); !yes {
			t.Error("the only voter is dispensable")
		}
		if missing, yes := one.up().Indispensable(two.o.ID); yes {
			t.Errorf("who has no vote is indispensable beside %v", missing)
		}
		if id, err := two.up().Transfer(t.Context()); err != nil || id != two.o.ID {
			t.Fatalf("node %s leads, %v", id, err)
		}
		if r, err := one.up().Propose(t.Context(), Command{Change: &RemoveNode{one.o.ID}}); err != nil || r.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		w.eventually("a cluster of one", func() bool {
			s := two.up().Status()
			return s.Leader == two.o.ID && len(s.Voters) == 1 && len(s.NonVoters) == 0
		})
		if r, err := two.up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
			t.Errorf("%+v, %v", r, err)
		}
		if id, err := two.up().Transfer(t.Context()); err != nil || id != two.o.ID {
			t.Errorf("nobody is left, and node %s leads, %v", id, err)
		}
	})
}

// A voter without which the others that answer would be no quorum is indispensable.
func TestIndispensable(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		if missing, yes := leader.up().Indispensable(others[0].o.ID); yes {
			t.Errorf("while all answer: %v", missing)
		}
		others[1].stop()
		if missing, yes := leader.up().Indispensable(others[0].o.ID); !yes || len(missing) != 1 || missing[0] != others[1].o.ID {
			t.Errorf("%v, %v", missing, yes)
		}
		if missing, yes := leader.up().Indispensable(others[1].o.ID); yes {
			t.Errorf("who does not answer is indispensable beside %v", missing)
		}
	})
}
