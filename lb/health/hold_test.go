package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// How long a peer is held follows from how long it was up before each fall.
func TestFallen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ up, holds string }{
		{"1h", "0s"},
		{"1h 20s 20s 20s", "0s 0s 0s 0s"},
		{"1h 9.9s", "0s 1s"},
		{"1h 10s", "0s 0s"},
		{"1h 1s 1s 1s 1s 1s 1s 1s", "0s 1s 2s 4s 8s 16s 30s 30s"},
		{"1h 1s 9s 19s 39s", "0s 1s 2s 4s 8s"},      // it takes ever longer to count as steady
		{"1h 1s 1s 20s 1s 1s", "0s 1s 2s 0s 1s 2s"}, // and then all is forgotten
		{"0s 1s 1s 1s 1s 1s 159s 299s 300s", "0s 1s 2s 4s 8s 16s 30s 30s 0s"},
	} {
		now := time.Now()
		var s steadiness
		var got []string
		for _, word := range strings.Fields(tt.up) {
			up, err := time.ParseDuration(word)
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(up)
			s = s.fallen(now)
			if s.holds(now) != (s.hold > 0) || s.holds(now.Add(s.hold)) {
				t.Errorf("%s: held for %s, until %s later", tt.up, s.hold, s.until.Sub(now))
			}
			got = append(got, s.hold.String())
			now = now.Add(s.hold + 3*time.Second)
			s.back = now
		}
		if strings.Join(got, " ") != tt.holds {
			t.Errorf("up for %s: held for %s, want %s", tt.up, got, tt.holds)
		}
	}
}

// fall lets a server refuse for so long, and returns how long after its fall
// each node used it again.
func (c *cluster) fall(server string, down time.Duration) (away []time.Duration) {
	c.t.Helper()
	n := len(c.nodes)
	c.health(server, ReasonRefused)
	c.nodes[0].suspect(server)
	began := time.Now()
	away = make([]time.Duration, n)
	for left := n; left > 0; {
		c.pass(10 * time.Millisecond)
		took := time.Since(began)
		if took > time.Minute {
			c.t.Fatalf("after %s: %s", took, c.states(server))
		}
		if took >= down {
			c.health(server, ReasonNone)
		}
		for i, state := range strings.Fields(c.states(server)) {
			if state == "up" && away[i] == 0 && took > 500*time.Millisecond {
				away[i] = took
				left--
			}
		}
	}
	return away
}

// expectAway fails where a node used the server again earlier than wanted, or
// more than a second later.
func (c *cluster) expectAway(what string, away []time.Duration, want time.Duration) {
	c.t.Helper()
	for i, d := range away {
		if d < want || d > want+time.Second {
			c.t.Errorf("%s: node %d used it again after %s, want %s", what, i, d, want)
		}
	}
}

// A server that falls again soon after each recovery is held on all nodes, for
// twice as long each time; one that stays up for long enough is not.
func TestHold(t *testing.T) {
	share(t, 5, func(c *cluster) {
		c.serve(4, check(func(c *Check) { c.Interval = time.Second }))
		c.pass(10 * time.Second)
		const down = 600 * time.Millisecond
		c.expectAway("first", c.fall(one, down), down)
		for i, hold := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			c.pass(time.Duration(i+1) * time.Second)
			c.expect(one, words(5, "up"))
			c.expectAway(fmt.Sprint("again, ", i), c.fall(one, down), hold*time.Second)
		}
		c.pass(5 * time.Minute)
		c.expectAway("after it was steady", c.fall(one, down), down)
		c.expect("10.0.0.2:80", words(5, "up"))
		for i, n := range c.nodes {
			held := 0
			for _, line := range n.log {
				if strings.HasPrefix(line, "warn: peer is held for ") && strings.HasSuffix(line, " after it was healthy, peer 10.0.0.1:80 in upstream \"u\"") {
					held++
				}
			}
			if held != 7 {
				t.Errorf("node %d: %q", i, n.log)
			}
		}
	})
}

// A server that is held is told of.
func TestHoldIsTold(t *testing.T) {
	share(t, 3, func(c *cluster) {
		c.serve(2, check(func(c *Check) { c.Interval = time.Second }))
		c.pass(10 * time.Second)
		c.fall(one, 600*time.Millisecond)
		for range 3 {
			c.fall(one, 600*time.Millisecond)
		}
		c.health(one, ReasonRefused)
		c.pass(4 * time.Second)
		for i, n := range c.nodes {
			for _, st := range n.checker.Status("u") {
				held := st.Peer.Addr == one
				if (st.Held > 3*time.Second) != held || (st.Verdict == upstream.VerdictUnhealthy) != held {
					t.Errorf("node %d: %+v", i, st)
				}
			}
		}
	})
}

// Where less than half of the servers are left, none is held.
func TestHoldNotWhereShort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		servers int
		others  func(*cluster) // what becomes of them while the first is held
	}{
		{"the only one", 1, func(*cluster) {}},
		{"the other one fails", 2, func(c *cluster) { c.health("10.0.0.2:80", ReasonStatus) }},
		{"two of four fail", 4, func(c *cluster) {
			c.health("10.0.0.2:80", ReasonStatus)
			c.health("10.0.0.3:80", ReasonStatus)
		}},
		{"the other one is ordered down", 2, func(c *cluster) {
			for _, n := range c.nodes {
				n.order("10.0.0.2:80", upstream.OrderDown)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			share(t, 3, func(c *cluster) {
				c.serve(tt.servers, check(func(c *Check) { c.Interval = time.Second }))
				c.pass(10 * time.Second)
				for range 5 { // the next hold is of 16 s
					c.fall(one, 600*time.Millisecond)
				}
				c.health(one, ReasonRefused)
				c.pass(2 * time.Second)
				c.health(one, ReasonNone)
				tt.others(c)
				c.pass(3500 * time.Millisecond)
				c.expect(one, words(3, "up"))
			})
		})
	}
}

// All servers that fall together, for what is behind them, come back together.
func TestHoldNotAllTogether(t *testing.T) {
	share(t, 3, func(c *cluster) {
		const servers = 10
		c.serve(servers, check(func(c *Check) { c.Interval = time.Second }))
		c.pass(10 * time.Second)
		for range 6 {
			for _, why := range []Reason{ReasonStatus, ReasonNone} {
				for i := range servers {
					c.health(serverAddr(i+1), why)
				}
				c.pass(2500 * time.Millisecond)
			}
			for i := range servers {
				c.expect(serverAddr(i+1), words(3, "up"))
			}
		}
	})
}

// Alone, and under checks of each node's own, nothing is held.
func TestHoldNotAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		nodes int
		local bool
	}{{1, false}, {3, true}} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			share(t, tt.nodes, func(c *cluster) {
				c.serve(2, check(func(c *Check) { c.Interval, c.Local = 200*time.Millisecond, tt.local }))
				c.pass(10 * time.Second)
				for range 8 {
					c.expectAway("unshared", c.fall(one, 600*time.Millisecond), 600*time.Millisecond)
				}
			})
		})
	}
}

// A node that is cut off from the others while they hold a server goes by its
// own checks at once.
func TestHoldEndsAlone(t *testing.T) {
	share(t, 3, func(c *cluster) {
		c.serve(2, check(func(c *Check) { c.Interval = time.Second }))
		c.pass(10 * time.Second)
		for range 5 { // the next hold is of 16 s
			c.fall(one, 600*time.Millisecond)
		}
		c.health(one, ReasonRefused)
		c.pass(2 * time.Second)
		c.health(one, ReasonNone)
		c.pass(5 * time.Second)
		c.expect(one, "unhealthy unhealthy unhealthy")
		c.cut(true, 0)
		c.alive()
		c.pass(time.Second)
		c.expect(one, "up unhealthy unhealthy")
		c.pass(10 * time.Second)
		c.expect(one, "up up up")
	})
}

// A node whose own way to the server never failed goes on using it while the
// others hold it.
func TestHoldProven(t *testing.T) {
	share(t, 3, func(c *cluster) {
		c.serve(2, check(func(c *Check) { c.Interval = time.Second }))
		c.pass(10 * time.Second)
		for range 5 {
			for _, why := range []Reason{ReasonRefused, ReasonNone} {
				for _, n := range c.nodes[1:] {
					c.health(n.id+" "+one, why)
				}
				for range 50 {
					c.pass(50 * time.Millisecond)
					if state, _, _ := strings.Cut(c.states(one), " "); state != "up" && state != "unhealthy" {
						t.Fatal(state)
					}
				}
				if why == ReasonRefused {
					c.expect(one, "up unhealthy unhealthy")
				}
			}
		}
		c.expect(one, "up unhealthy unhealthy") // they hold it
		c.pass(20 * time.Second)
		c.expect(one, "up up up")
	})
}

// order has an operator take a server out, on a node.
func (n *clusterNode) order(server string, o upstream.Order) {
	n.all.t.Helper()
	for _, p := range n.table.Find("u").Pool().Status(0).Peers {
		if p.Addr != server {
			continue
		}
		orders := map[string]upstream.Edits{"u": {Orders: map[upstream.ServerID]upstream.Order{p.ID: o}}}
		if err := n.table.SetOverlay(upstream.Overlay{Index: 1, Upstreams: orders}); err != nil {
			n.all.t.Fatal(err)
		}
	}
}
