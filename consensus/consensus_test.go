package consensus

import (
	"errors"
	"testing"
	"time"
)

func TestAloneInMemory(t *testing.T) {
	inTime(t, func(t *testing.T) {
		c, err := Open(Options{ID: "00000000000000000000000000000001"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r, err := c.Propose(t.Context(), addServer(1))
		if err != nil || r.Code != Accepted || !has(c.State(), 1) {
			t.Fatalf("%+v, %v", r, err)
		}
		if s, err := c.Read(t.Context()); err != nil || !has(s, 1) {
			t.Errorf("read: %v", err)
		}
		if s := c.Status(); s.Part != PartLeader || len(s.Voters) != 1 || len(s.Missing) != 0 {
			t.Errorf("%+v", s)
		}
		if id, err := c.Transfer(t.Context()); err != nil || id != "00000000000000000000000000000001" {
			t.Errorf("transfer to nobody: %q, %v", id, err)
		}
	})
}

// What was agreed on is there after a stop, and shown before the log is read.
func TestAloneOnDisk(t *testing.T) {
	inTime(t, func(t *testing.T) {
		o := Options{Dir: t.TempDir(), ID: "00000000000000000000000000000001"}
		for start := range 3 {
			c, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			for id := ServerID(1); id <= ServerID(start); id++ {
				if !has(c.State(), id) {
					t.Errorf("start %d does not show server %d at once", start, id)
				}
			}
			r, err := c.Propose(limit(t, 10*time.Second), addServer(ServerID(start+1)))
			if err != nil || r.Code != Accepted || !has(c.State(), ServerID(start+1)) {
				t.Fatalf("start %d: %+v, %v", start, r, err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Propose(t.Context(), addServer(9)); err == nil {
				t.Error("proposed to one that is closed")
			}
		}
	})
}

func TestThreeNodesAgree(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		for i, node := range w.all() {
			id := ServerID(i + 1)
			r, err := node.up().Propose(limit(t, 10*time.Second), addServer(id))
			if err != nil || r.Code != Accepted {
				t.Fatalf("%s: %+v, %v", node.o.Name, r, err)
			}
			node.mu.Lock()
			if !has(node.shown, id) {
				t.Errorf("%s has not handed its own write on", node.o.Name)
			}
			node.mu.Unlock()
			for _, other := range w.all() {
				if s, err := other.up().Read(limit(t, 10*time.Second)); err != nil || !has(s, id) {
					t.Errorf("%s does not read it: %v", other.o.Name, err)
				}
			}
		}
		s := w.all()[0].up().State()
		if len(s.Ring(StickyRing)) != 1 || len(s.Ring(TicketRing)) != 1 || len(s.Ring(GossipRing)) != 1 || s.Cluster().Name != "shop" {
			t.Errorf("formed without its keys: %+v", s.Cluster())
		}
	})
}

func TestOpenNeedsWhatItNeeds(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]Options{"no id": {}, "no more than a stream": {ID: "00000000000000000000000000000001", Stream: &testStream{}}} {
		if c, err := Open(o); err == nil || c != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestErrorsTell(t *testing.T) {
	t.Parallel()
	e := &NoQuorumError{Voters: 3, Missing: []NodeID{"a", "b"}, Why: errNoLeader}
	if e.Error() != "no quorum: 2 of 3 voters cannot be reached (a, b); the change was not accepted" || !errors.Is(e, errNoLeader) {
		t.Error(e)
	}
}
