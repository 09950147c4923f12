package health

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const one = "10.0.0.1:80"

// Three nodes check a server, whatever their number, all nodes go by what these
// find, and each writes one line about it.
func TestShareVerdict(t *testing.T) {
	share(t, 7, func(c *cluster) {
		c.serve(1, check(nil))
		c.pass(20 * time.Second)
		on, _ := c.probers(one)
		if len(on) != 3 {
			t.Fatalf("nodes %v check the server", on)
		}
		c.probed()
		c.pass(60 * time.Second)
		if n := c.probed(); n < 34 || n > 38 {
			t.Errorf("%d probes in 12 intervals", n)
		}
		c.health(one, ReasonRefused)
		c.pass(3 * time.Second)
		c.expect(one, words(7, "unhealthy"))
		c.health(one, ReasonNone)
		c.pass(6 * time.Second)
		c.expect(one, words(7, "up"))
		for i, n := range c.nodes {
			if len(n.log) != 2 || !strings.Contains(n.log[0], "error: peer is unhealthy (refused), ") || !strings.Contains(n.log[1], "notice: peer is healthy, ") {
				t.Errorf("node %d: %q", i, n.log)
			}
		}
	})
}

// A request that fails lets those who check the server look at once, on
// whatever node it was.
func TestShareSuspicion(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(1, check(func(c *Check) { c.Interval, c.Fails = time.Hour, 3 }))
		c.pass(time.Second)
		_, off := c.probers(one)
		c.probed()
		c.health(one, ReasonRefused)
		c.nodes[off[0]].suspect(one)
		c.pass(50 * time.Millisecond)
		c.expect(one, words(5, "up"))
		c.pass(350 * time.Millisecond) // the word, three probes 100 ms apart, the word
		c.expect(one, words(5, "unhealthy"))
		if n := c.probed(); n < 9 || n > 11 { // three nodes three times; who doubts is wrong once
			t.Errorf("%d probes", n)
		}
	})
}

// A suspicion that nobody shares leads to one probe of each, and is not told
// again and again.
func TestShareFalseSuspicion(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(1, check(func(c *Check) { c.Interval = time.Hour }))
		c.pass(time.Second)
		_, off := c.probers(one)
		c.probed()
		c.reported = 0
		for range 20 {
			c.nodes[off[0]].suspect(one)
		}
		c.pass(time.Second)
		c.expect(one, words(5, "up"))
		if n := c.probed(); n != 3 {
			t.Errorf("%d probes", n)
		}
		if c.reported != 4 { // the suspicion, three answers
			t.Errorf("%d reports", c.reported)
		}
		c.pass(15 * time.Second)
		if c.reported != 5 { // it is taken back
			t.Errorf("%d reports", c.reported)
		}
	})
}

// One prober that cannot reach a server shuts it out for itself at once, until
// the others have looked again, and never for the cluster.
func TestShareIsolatedProber(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(1, check(nil))
		c.pass(10 * time.Second)
		on, _ := c.probers(one)
		c.health(c.nodes[on[1]].id+" "+one, ReasonTimeout)
		suspended := false
		for range 600 {
			c.pass(10 * time.Millisecond)
			states := strings.Fields(c.states(one))
			suspended = suspended || states[on[1]] == "unhealthy"
			states[on[1]] = "up"
			if strings.Join(states, " ") != words(5, "up") {
				t.Fatalf("it took the server from others: %s", states)
			}
		}
		if !suspended {
			t.Error("its own failed check meant nothing to it")
		}
		c.expect(one, words(5, "up"))
		c.pass(time.Minute)
		c.expect(one, words(5, "up"))
	})
}

// Recovery takes passes in a row on two of the three.
func TestShareRecovery(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(1, check(func(c *Check) { c.Passes = 2 }))
		c.pass(10 * time.Second)
		on, _ := c.probers(one)
		c.health(one, ReasonStatus)
		c.pass(10 * time.Second)
		c.expect(one, words(5, "unhealthy"))
		for _, i := range on {
			c.health(c.nodes[i].id+" "+one, ReasonStatus)
		}
		c.health(one, ReasonNone)
		c.health(c.nodes[on[0]].id+" "+one, ReasonNone) // one of three
		c.pass(5500 * time.Millisecond)
		c.expect(one, words(5, "unhealthy"))
		c.health(c.nodes[on[1]].id+" "+one, ReasonNone)
		c.pass(7 * time.Second)
		c.expect(one, words(5, "up"))
	})
}

// A node that reaches a server which the others call down keeps using it, and
// checks it itself from then on, until the others agree.
func TestShareProven(t *testing.T) {
	share(t, 6, func(c *cluster) {
		c.serve(1, check(nil))
		c.pass(10 * time.Second)
		on, off := c.probers(one)
		for _, i := range on {
			c.health(c.nodes[i].id+" "+one, ReasonUnreachable)
		}
		c.health(c.nodes[off[0]].id+" "+one, ReasonUnreachable)
		c.pass(20 * time.Second)
		want := strings.Fields(words(6, "unhealthy"))
		want[off[1]], want[off[2]] = "up", "up"
		c.expect(one, strings.Join(want, " "))
		if now, _ := c.probers(one); len(now) != 5 || !slices.Contains(now, off[1]) {
			t.Errorf("nodes %v check it", now)
		}
		for _, i := range on {
			c.health(c.nodes[i].id+" "+one, ReasonNone)
		}
		c.pass(10 * time.Second)
		c.expect(one, words(6, "up"))
		if now, _ := c.probers(one); len(now) != 3 {
			t.Errorf("nodes %v check it", now)
		}
	})
}

// A node that is cut off checks everything itself, and so do the others.
func TestShareIsland(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(40, check(nil))
		c.pass(20 * time.Second)
		c.cut(true, 0)
		c.alive()
		c.probed()
		c.pass(60 * time.Second)
		if n := c.probed(); n < 40*4*11 || n > 40*4*13 { // three of four, and one of one
			t.Errorf("%d probes in 12 intervals", n)
		}
		c.health(c.nodes[0].id+" "+one, ReasonRefused)
		c.pass(6 * time.Second)
		c.expect(one, "unhealthy "+words(4, "up"))
		c.health(c.nodes[0].id+" "+one, ReasonNone)
		c.health("10.0.0.2:80", ReasonRefused)
		c.pass(6 * time.Second)
		c.expect(one, words(5, "up"))
		c.expect("10.0.0.2:80", words(5, "unhealthy"))
		c.cut(false, 0)
		c.alive()
		c.pass(30 * time.Second)
		c.expect(one, words(5, "up"))
		c.expect("10.0.0.2:80", words(5, "unhealthy"))
	})
}

// Nodes that come and go move checks without a storm, and without a change of
// what is known.
func TestShareMoves(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.health(one, ReasonStatus)
		c.serve(400, check(nil))
		c.pass(20 * time.Second)
		for _, gone := range []bool{true, false} {
			c.cut(gone, 4)
			c.alive()
			c.probed()
			c.expect(one, words(5, "unhealthy"))
			// 240 checks move to four others, 400*3/5 is what a fifth has; a
			// cut-off node has 400 of its own instead of 240.
			c.pass(500 * time.Millisecond)
			if n := c.probed(); n > 2*160 {
				t.Errorf("gone %v: %d probes in half a second, 160 would be even", gone, n)
			}
			c.pass(10 * time.Second)
			c.expect(one, words(5, "unhealthy"))
			c.expect("10.0.0.2:80", words(5, "up"))
		}
		for i, n := range c.nodes {
			if len(n.log) != 1 {
				t.Errorf("node %d: %q", i, n.log)
			}
		}
	})
}

// Nodes that are told again are no news: what is known does not begin to settle
// anew, and nothing is probed.
func TestShareSameNodes(t *testing.T) {
	share(t, 4, func(c *cluster) {
		c.serve(10, check(nil))
		c.pass(20 * time.Second)
		settled := c.nodes[0].checker.settled
		c.probed()
		c.alive()
		c.nodes[0].checker.SetNodes(Nodes{Self: c.nodes[0].id, Alive: []string{c.nodes[3].id, c.nodes[1].id, c.nodes[2].id}})
		if n := c.probed(); n > 0 || c.nodes[0].checker.settled != settled {
			t.Errorf("%d probes, settled at %s instead of %s", n, c.nodes[0].checker.settled, settled)
		}
		c.nodes[0].checker.SetNodes(Nodes{Self: c.nodes[0].id})
		if c.nodes[0].checker.settled != settled || !c.nodes[0].checker.roll.alone() {
			t.Error("a node alone waits for others")
		}
	})
}

// A server that is new to a node begins as the others know it.
func TestShareKnownVerdict(t *testing.T) {
	share(t, 3, func(c *cluster) {
		c.cut(true, 0)
		c.alive()
		c.health(one, ReasonStatus)
		mandatory := check(func(c *Check) { c.Mandatory = true })
		late, now := c.nodes[0], c.nodes[1:]
		c.serveOn(now, 2, mandatory)
		c.pass(3 * time.Second)
		c.cut(false, 0)
		c.alive()
		for _, n := range now {
			for _, st := range n.checker.Status("u") {
				r := n.checker.subject(st.Peer).report
				r.Node = n.id
				late.checker.Hear([]Report{r})
			}
		}
		c.probed()
		c.serveOn(c.nodes[:1], 2, mandatory)
		c.expect(one, "unhealthy unhealthy unhealthy")
		c.expect("10.0.0.2:80", "up up up")
		if n := c.probed(); n != 0 {
			t.Errorf("%d probes at once", n)
		}
		c.pass(5 * time.Second)
		if late.probes[one] == 0 {
			t.Error("it never looked itself")
		}
	})
}

// `local` lets every node check for itself, and go by that alone.
func TestShareLocal(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(1, check(func(c *Check) { c.Local = true }))
		c.pass(10 * time.Second)
		if on, _ := c.probers(one); len(on) != 5 {
			t.Errorf("nodes %v check it", on)
		}
		c.health(c.nodes[2].id+" "+one, ReasonRefused)
		c.pass(6 * time.Second)
		c.expect(one, "up up unhealthy up up")
		if c.reported != 0 {
			t.Errorf("%d reports", c.reported)
		}
	})
}

// What silent nodes have said counts no longer.
func TestShareSilence(t *testing.T) {
	share(t, 3, func(c *cluster) {
		c.serve(1, check(nil))
		c.pass(20 * time.Second)
		c.cut(true, 1, 2) // but nobody says they are dead
		c.health(c.nodes[0].id+" "+one, ReasonRefused)
		c.pass(25 * time.Second)
		c.expect(one, "unhealthy up up")
		c.cut(false, 1, 2)
		c.pass(3 * time.Second)
		if e := c.nodes[0].checker.evidence(c.nodes[0].checker.subject(c.nodes[0].checker.Status("u")[0].Peer), time.Now()); e.Votes[0].Status != StatusUp {
			t.Errorf("evidence %+v after signs of life", e)
		}
	})
}
