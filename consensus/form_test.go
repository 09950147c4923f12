package consensus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNextForming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, nodes, want string }{
		// Nodes: id, what it expects, whom it would have form; the first is this one.
		{"alone it waits", "a3", "wait"},
		{"one that expects nobody else forms", "a1", "form a"},
		{"two of three wait", "a3 b3", "wait"},
		{"the lowest forms when all agree", "a3 b3abc c3abc", "form abc"},
		{"in whatever order they answered", "a3 c3abc b3abc", "form abc"},
		{"who is not the lowest waits", "b3 a3abc c3abc", "wait abc"},
		{"one sees others", "a3 b3abc c3abd", "wait abc"},
		{"one sees nobody yet", "a3 b3 c3abc", "wait abc"},
		{"one expects another number", "a3 b3ab c2ab", "wait"},
		{"a fourth does not matter", "a3 b3abc c3abc d3abc", "form abc"},
		{"one lower than all comes", "b3 c3bcd d3bcd a3abc", "wait abc"},
		{"somebody has a cluster", "a3 b3abc c3abc!", "join c"},
		{"even where one would form alone", "a1 c5!", "join c"},
		{"another cluster is nobody's business", "a3 b3abc c3abc?", "wait"},
		{"one answers twice", "a2 b2ab b2ab", "form ab"},
		{"nothing is expected", "a0 b0", "wait"},
	} {
		var all []hello
		for _, word := range strings.Fields(c.nodes) {
			h := hello{ID: NodeID(word[:1]), Addr: word[:1], Cluster: "shop", Expect: int(word[1] - '0')}
			h.Formed = strings.Contains(word, "!")
			if strings.Contains(word, "?") {
				h.Cluster = "other"
			}
			for _, id := range strings.Trim(word[2:], "!?") {
				h.Chosen = append(h.Chosen, NodeID(id))
			}
			all = append(all, h)
		}
		s := nextForming(all[0], all[1:])
		got := "wait "
		switch {
		case s.join != "":
			got = "join " + s.join
		case s.form:
			got = "form "
		}
		for _, id := range s.ids {
			got += string(id)
		}
		if got = strings.TrimSpace(got); got != c.want {
			t.Errorf("%s: %s: %s, not %s", c.what, c.nodes, got, c.want)
		}
	}
}

func TestAPromiseIsGivenToOne(t *testing.T) {
	t.Parallel()
	f, now := &forming{}, time.Unix(1000, 0)
	for i, id := range []NodeID{"a", "a", "b"} {
		if got := f.grant(id, now); got != (id == "a") {
			t.Errorf("%d: to %s: %t", i, id, got)
		}
	}
	if f.grant("b", now.Add(promiseHolds-1)) || !f.grant("b", now.Add(promiseHolds)) {
		t.Error("for another time than it holds")
	}
}

// Three fresh nodes that are started alike form one cluster, whoever comes
// first.
func TestFormingInAnyOrder(t *testing.T) {
	inTime(t, func(t *testing.T) {
		times := formings(t, 30, Timeouts{})
		if slices.Sort(times); times[len(times)-1] > 5*time.Second {
			t.Errorf("forming took %v", times)
		}
	})
}

// formings has three nodes form a cluster so many times, in any order, and
// returns how long each took after the last of them was started.
func formings(t *testing.T, trials int, timeouts Timeouts) (times []time.Duration) {
	t.Helper()
	for trial := range trials {
		w := newNetwork(t)
		for range 3 {
			w.add("", 3).o.Timeouts = timeouts
		}
		seed := rand.New(rand.NewPCG(1, uint64(trial)))
		for _, i := range seed.Perm(3) {
			<-time.After(time.Duration(seed.IntN(60)) * time.Millisecond)
			w.all()[i].start()
		}
		began := time.Now()
		w.settled() // which includes that the cluster is one
		times = append(times, time.Since(began))
		for _, node := range w.all() {
			node.stop()
		}
	}
	return times
}

// Nodes that cannot see each other form nothing; when they can, one cluster.
func TestFormingWaitsForAll(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		for range 3 {
			w.add("", 3)
		}
		w.isolate(w.all()[2])
		for _, node := range w.all() {
			node.start()
		}
		w.eventually("two see each other", func() bool {
			return len(w.all()[0].up().greetings(t.Context())) == 1
		})
		for _, node := range w.all() {
			if node.up().formed() {
				t.Errorf("%s has formed a cluster", node.o.Name)
			}
		}
		w.heal(w.all()[2])
		w.settled()
	})
}

// A node that comes later joins, votes when votes are few, and leaves for good
// when it is removed, even as the leader.
func TestJoinVoteAndRemove(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		began := time.Now()
		hasty := func() time.Time { return began.Add(100 * time.Since(began)) } // ten seconds are a tenth of one
		for i := range 5 {
			w.add(t.TempDir(), 1).o.now = hasty
			w.all()[i].start()
			w.settled()
		}
		first := w.all()[0].up()
		w.eventually("five voters", func() bool { return len(first.Status().Voters) == 5 })
		w.add("", 1).start()
		w.eventually("the sixth follows without a vote", func() bool {
			return w.all()[5].up().Status().Part == PartNonVoter && len(first.Status().Voters) == 5
		})
		if r, err := w.all()[5].up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
			t.Errorf("a write through it: %+v, %v", r, err)
		}
		leader, others := w.leader()
		if r, err := leader.up().Propose(t.Context(), Command{Change: &RemoveNode{leader.o.ID}}); err != nil || r.Code != Accepted {
			t.Fatalf("%+v, %v", r, err)
		}
		w.eventually("another leads, and the sixth votes", func() bool {
			s := others[0].up().Status()
			return s.Leader != leader.o.ID && s.Leader != "" && len(s.Voters) == 5 && len(s.NonVoters) == 0
		})
		w.eventually("the removed one knows", func() bool { return strings.Contains(leader.up().Status().Stopped, "removed") })
		asked := time.Now()
		var refused *RefusedError
		if _, err := leader.up().Propose(t.Context(), addServer(2)); !errors.As(err, &refused) || !refused.Removed() {
			t.Errorf("a write through it: %v", err)
		}
		if waited := time.Since(asked); waited > time.Second {
			t.Errorf("it says so after %v", waited)
		}
		if err := leader.up().Recover(leader.up().State().Cluster().ID); err == nil {
			t.Error("it makes a quorum of itself")
		}
		leader.stop()
		leader.start()
		w.eventually("it does not come back", func() bool { return strings.Contains(leader.up().Status().Stopped, "removed") })
	})
}

// The dead lose their votes to others, and are forgotten after a day.
func TestTheDeadAreReplaced(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		began := time.Now()
		for range 4 {
			w.add(t.TempDir(), 3).o.now = func() time.Time { return began.Add(100 * time.Since(began)) }
		}
		for _, node := range w.all() {
			node.start()
		}
		w.settled()
		leader, others := w.leader()
		dead := others[0]
		for _, node := range others {
			if node.up().Status().Part == PartFollower {
				dead = node
			}
		}
		dead.stop()
		w.eventually("another votes in its place", func() bool {
			s := leader.up().Status()
			if leader.up().Status().Part != PartLeader {
				leader, _ = w.leader()
			}
			return len(s.Voters) == 3 && len(s.Missing) == 0
		})
	})
}

// Who has another's name, or comes with old data, is refused, and says why.
func TestRefused(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, t.TempDir)
		thief := w.add("", 3)
		thief.o.Name = "lb1"
		thief.start()
		w.eventually("the name is that of another", func() bool { return thief.says("is that of another node") })
		if s := thief.up().Status(); !strings.Contains(s.Stopped, "is that of another node") {
			t.Errorf("its status does not say why: %+v", s)
		}
		var out *RefusedError
		if _, err := thief.up().Propose(t.Context(), addServer(1)); !errors.As(err, &out) || !strings.Contains(err.Error(), "is that of another node") {
			t.Errorf("a write through it: %v", err)
		}
		if thief.up().known() || thief.up().State().Cluster().ID != "" {
			t.Error("it was let in")
		}
		leader, others := w.leader()
		before := leader.up().State().Index()
		<-time.After(10 * thief.up().formPause())
		if after := leader.up().State().Index(); after != before {
			t.Errorf("it writes %d entries", after-before)
		}
		thief.stop()
		old := others[0]
		old.stop()
		old.starts = 0 // as in a copy of its folder
		old.start()
		w.eventually("its data is old", func() bool { return strings.Contains(old.up().Status().Stopped, "old copy") })
		if r, err := leader.up().Propose(t.Context(), addServer(1)); err != nil || r.Code != Accepted {
			t.Errorf("the others: %+v, %v", r, err)
		}
		var refused *RefusedError
		if _, err := old.up().Propose(t.Context(), addServer(2)); !errors.As(err, &refused) || refused.Removed() {
			t.Errorf("a write through it: %v", err)
		}
	})
}

// A node that was alone becomes the first of a cluster with all it has, in one
// step. Nodes of two clusters let each other be, and say so.
func TestGrowthAndStrangers(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		first := w.add(t.TempDir(), 1)
		c, err := Open(Options{Dir: first.o.Dir, ID: first.o.ID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Propose(t.Context(), addServer(1)); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		second := w.add("", 1)
		first.start()
		w.settled()
		second.start()
		w.eventually("the second has it", func() bool { return has(second.up().State(), 1) })
		for _, n := range first.up().State().nodes.All() {
			if n.Addr == "alone" {
				t.Errorf("%+v", n)
			}
		}
		lonely := w.add(t.TempDir(), 1)
		w.isolate(lonely)
		lonely.start()
		w.eventually("another cluster", func() bool { return lonely.up().known() })
		w.heal(lonely)
		lonely.stop()
		if err := os.Remove(filepath.Join(lonely.o.Dir, imageFile)); err != nil { // so that only its log says what it is
			t.Fatal(err)
		}
		lonely.start()
		w.eventually("it is as it was", func() bool { return lonely.up().known() && lonely.up().Status().Part == PartLeader })
		lonely.stop()
		lonely.start()
		w.eventually("strangers", func() bool { return lonely.says("another cluster of the name") })
		if _, err := lonely.up().Propose(t.Context(), addServer(2)); err != nil || has(first.up().State(), 2) {
			t.Errorf("%v", err)
		}
		if _, known := first.up().State().Node(lonely.o.ID); known {
			t.Error("it was let in")
		}
	})
}

// says reports whether a node has logged something.
func (n *testNode) says(text string) bool {
	return strings.Contains(strings.Join(n.lines(), ""), text)
}

// Keys turn with time, without anybody's doing.
func TestKeysTurn(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		began := time.Now()
		for range 3 {
			w.add("", 3).o.now = func() time.Time { return began.Add(9 * time.Hour) }
		}
		for _, node := range w.all() {
			node.start()
		}
		w.settled()
		w.eventually("a second ticket key is active", func() bool {
			for _, node := range w.all() {
				ring := node.up().State().Ring(TicketRing)
				if len(ring) < 2 || ring[0].State != KeyRetiring {
					return false
				}
			}
			return true
		})
		if n := len(w.all()[0].up().State().Ring(StickyRing)); n != 1 {
			t.Errorf("%d sticky keys", n)
		}
	})
}

func TestFreshKeys(t *testing.T) {
	t.Parallel()
	for want, ring := range map[uint16]Ring{1: nil, 8: {{ID: 3}, {ID: 7}}, 2: {{ID: 1}, {ID: 65535}, {ID: 0}, {ID: 65535}}} {
		if k := FreshKey(ring); k.ID != want || len(k.Secret) != 32 || fmt.Sprint(k.Secret) != "(secret)" {
			t.Errorf("%v: %d, not %d", ring, k.ID, want)
		}
	}
}
