package consensus

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A planned change of the leader is hardly noticed by who writes meanwhile.
func TestTransfer(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		for range 3 {
			gap := w.transfer()
			if gap > 200*time.Millisecond {
				t.Errorf("a write took %v", gap)
			}
		}
	})
}

// transfer has another node lead, and returns the longest that a write took
// meanwhile, on a node that does not lead.
func (n *network) transfer() (gap time.Duration) {
	n.t.Helper()
	leader, others := n.leader()
	n.eventually("all know who leads", func() bool { id, _ := others[1].up().Leader(); return id == leader.o.ID })
	stop := make(chan struct{})
	var writer sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); writer.Wait() })
	defer end()
	writer.Go(func() {
		for id := ServerID(1); ; id++ {
			select {
			case <-stop:
				return
			default:
			}
			from := time.Now()
			if r, err := others[0].up().Propose(n.t.Context(), addServer(id)); err != nil || r.Code != Accepted {
				n.t.Errorf("%+v, %v", r, err)
			}
			gap = max(gap, time.Since(from))
			<-time.After(250 * time.Microsecond) // a write of a test in its own time takes none
		}
	})
	<-time.After(20 * time.Millisecond)
	if id, err := others[1].up().Transfer(n.t.Context()); err != nil || id != others[0].o.ID && id != others[1].o.ID {
		n.t.Errorf("%q leads, %v", id, err)
	}
	n.eventually("another leader", func() bool { return leader.up().Status().Part != PartLeader })
	<-time.After(20 * time.Millisecond)
	end()
	return gap
}

// A request that is repeated, anywhere, is answered and not done again.
func TestRepeatedRequests(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		cmd := addServer(1)
		cmd.Request = NewRequestID()
		want, err := w.all()[0].up().Propose(t.Context(), cmd)
		if err != nil {
			t.Fatal(err)
		}
		remove := Command{Change: &RemoveServer{Target{Upstream: "app", ID: 1}}}
		removed, err := w.all()[1].up().Propose(t.Context(), remove)
		if err != nil || removed.Code != Accepted {
			t.Fatalf("%+v, %v", removed, err)
		}
		for _, node := range w.all() {
			if err := node.up().WaitIndex(t.Context(), removed.Index); err != nil {
				t.Fatal(err)
			}
			if r, err := node.up().Propose(t.Context(), cmd); err != nil || r != want || has(node.up().State(), 1) {
				t.Errorf("%s: %+v, %v", node.o.Name, r, err)
			}
			if r, ok := node.up().State().Result(cmd.Request); !ok || r != want {
				t.Errorf("%s remembers %+v", node.o.Name, r)
			}
		}
	})
}

// Without a quorum nothing is changed, it is said at once who is missing, and
// the state is served as it was.
func TestNoQuorum(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, t.TempDir)
		all := w.all()
		if _, err := all[0].up().Propose(t.Context(), addServer(1)); err != nil {
			t.Fatal(err)
		}
		w.eventually("the same state everywhere", w.equal)
		all[0].kill()
		all[1].kill()
		left := all[2].up()
		w.eventually("no leader", func() bool { id, _ := left.Leader(); return id == "" })
		var none *NoQuorumError
		from := time.Now()
		_, err := left.ProposeWithin(t.Context(), addServer(2), 0)
		if !errors.As(err, &none) || !slices.Equal(none.Missing, []NodeID{all[0].o.ID, all[1].o.ID}) || none.Voters != 3 || time.Since(from) > 5*time.Second {
			t.Errorf("after %v: %v, %+v", time.Since(from), err, none)
		}
		if _, err := left.ProposeWithin(t.Context(), addServer(2), 100*time.Millisecond); !errors.As(err, &none) {
			t.Errorf("with patience: %v", err)
		}
		if _, err := left.Read(limit(t, 100*time.Millisecond)); !errors.As(err, &none) {
			t.Errorf("read: %v", err)
		}
		if s := left.Status(); !has(left.State(), 1) || s.Quorum() || s.Part != PartFollower {
			t.Errorf("%+v", s)
		}
		waiting := make(chan error, 1)
		go func() { _, err := left.Propose(t.Context(), addServer(3)); waiting <- err }()
		all[1].start()
		if err := <-waiting; err != nil {
			t.Errorf("one who waits until there is a leader: %v", err)
		}
	})
}

// A leader that is cut off amid a write does not know what comes of it.
func TestOutcomeUnknown(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		leader, others := w.leader()
		w.knowLeader(leader)
		w.isolate(leader)
		cmd := addServer(1)
		cmd.Request = NewRequestID()
		_, err := leader.up().Propose(limit(t, time.Second), cmd)
		var unknown *OutcomeUnknownError
		if !errors.As(err, &unknown) || unknown.Request != cmd.Request {
			t.Fatalf("%v", err)
		}
		if _, err := leader.up().Read(limit(t, time.Second)); err == nil {
			t.Error("a leader that is cut off reads")
		}
		// Asked again elsewhere, it is done once; the old leader learns of it.
		r, err := others[0].up().Propose(t.Context(), cmd)
		if err != nil || r.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		w.heal(leader)
		w.eventually("the same state everywhere", w.equal)
		if again, err := leader.up().Propose(t.Context(), cmd); err != nil || again != r {
			t.Errorf("%+v, %v, not %+v", again, err, r)
		}
	})
}

// A node that cannot reach the leader writes and reads through another.
func TestRelay(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		// The log, too, comes only to whom the leader reaches: so the one that is cut
		// off from it must know the leader from before, as it does for a while.
		leader, others := w.leader()
		w.knowLeader(leader)
		far, id := others[0], leader.o.ID
		e, _ := far.up().engine()
		w.cut(far, leader)
		entry, err := func() ([]byte, error) { c := addServer(1); return c.Encode() }()
		if err != nil {
			t.Fatal(err)
		}
		m := message{Kind: askPropose, Entry: entry, Hops: 1}
		r, err := far.up().relay(t.Context(), e, id, m)
		if err != nil || r.Result == nil || r.Result.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		m.Hops = maxHops
		if _, err := others[1].up().try(t.Context(), m); !errors.Is(err, errNoLeader) {
			t.Errorf("passed on for ever: %v", err)
		}
		if _, err := leader.up().Propose(t.Context(), addServer(2)); err != nil {
			t.Errorf("the leader: %v", err)
		}
		w.heal(far)
		w.eventually("the same state everywhere", w.equal)
	})
}

// An entry of a newer version stops the node that does not know it, with one
// line, and no other. One that may be skipped is.
func TestEntryOfANewerVersion(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, t.TempDir)
		entry, err := seal(head{kind: 999, level: Level + 1, flags: flagSkippable}, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		leader, others := w.leader()
		if _, err := leader.up().ask(t.Context(), message{Kind: askPropose, Entry: entry}, 10*time.Second); err != nil {
			t.Errorf("one that may be skipped: %v", err)
		}
		old := others[0]
		old.stop()
		old.o.decode = func(b []byte) (Command, error) { // as if the others were of a newer version
			c, err := Decode(b)
			if _, ok := c.Change.(*AddServer); ok {
				err = ErrNewer
			}
			return c, err
		}
		old.start()
		w.settled()
		if r, err := others[1].up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		w.eventually("it has stopped", func() bool { return strings.Contains(old.up().Status().Stopped, ErrNewer.Error()) })
		if r, err := others[1].up().Propose(t.Context(), addServer(2)); err != nil || r.Code != Accepted {
			t.Errorf("the others: %+v, %v", r, err)
		}
		text := strings.Join(old.lines(), "")
		if strings.Count(text, ErrNewer.Error()) != 1 || old.up().State().Cluster().ID == "" {
			t.Errorf("it says %s", text)
		}
	})
}
