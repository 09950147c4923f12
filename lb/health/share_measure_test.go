package health

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// gossiped is how long a report takes to another node: about evenly up to most,
// and one in a thousand is lost and comes with the next digest.
func gossiped(most time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration {
		if r.IntN(1000) == 0 {
			return time.Duration(r.Int64N(int64(1500 * time.Millisecond)))
		}
		return 2*time.Millisecond + time.Duration(r.Int64N(int64(most)))
	}
}

// spells are the bounds to hold on how long it takes until no node uses a server any more.
var spells = []struct {
	name            string
	nodes           int
	gossip          time.Duration // a report takes that long at most
	refused, silent time.Duration // goals
}{
	{"3", 3, 100 * time.Millisecond, 300 * time.Millisecond, 2300 * time.Millisecond},
	{"5", 5, 180 * time.Millisecond, 400 * time.Millisecond, 2400 * time.Millisecond},
	{"50", 50, 300 * time.Millisecond, 800 * time.Millisecond, 3000 * time.Millisecond},
}

// TestTimeToStop lets a server refuse connections, or fall silent (probes and
// requests wait for a second), while one node has traffic for it: how long until
// all nodes stop using it, from the first request that meets it.
func TestTimeToStop(t *testing.T) {
	t.Parallel()
	for _, tt := range spells {
		trials := 200
		if tt.nodes > 10 {
			trials = 20
		}
		for _, ill := range []struct {
			why  Reason
			slow time.Duration
			goal time.Duration
		}{{ReasonRefused, 0, tt.refused}, {ReasonTimeout, time.Second, tt.silent}} {
			t.Run(tt.name+" "+ill.why.String(), func(t *testing.T) {
				share(t, tt.nodes, func(c *cluster) {
					c.delay, c.slow = gossiped(tt.gossip), ill.slow
					c.serve(1, check(nil))
					var took []time.Duration
					for range trials {
						took = append(took, c.stopTime(ill.why, ill.slow))
					}
					slices.Sort(took)
					p99 := took[(trials*99+99)/100-1]
					t.Logf("%d nodes, %s: p50 %s, p99 %s, worst %s", tt.nodes, ill.why, took[trials/2], p99, took[trials-1])
					if p99 > ill.goal {
						t.Errorf("p99 %s, the goal is %s", p99, ill.goal)
					}
				})
			})
		}
	}
}

// stopTime makes a server ill at any time, and well again.
func (c *cluster) stopTime(why Reason, slow time.Duration) time.Duration {
	c.t.Helper()
	c.pass(7*time.Second + time.Duration(c.random(int(5*time.Second))))
	c.expect(one, words(len(c.nodes), "up"))
	n := c.nodes[c.random(len(c.nodes))]
	c.health(one, why)
	began := time.Since(c.start)
	c.pass(slow)
	n.suspect(one)
	c.pass(6 * time.Second)
	c.expect(one, words(len(c.nodes), "unhealthy"))
	var last time.Duration
	for _, n := range c.nodes {
		last = max(last, n.told-began)
	}
	c.health(one, ReasonNone)
	return last
}

// TestProbeLoad: however many nodes there are, a server is asked about three
// times in an interval, by all of them together, and by none at once with others.
func TestProbeLoad(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{3, 5, 50} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			share(t, nodes, func(c *cluster) {
				const servers, intervals = 100, 12
				c.serve(servers, check(nil))
				c.pass(20 * time.Second)
				c.probed()
				c.pass(intervals * 5 * time.Second)
				perServer := float64(c.probed()) / servers / intervals
				t.Logf("%d nodes: %.2f probes per server and interval", nodes, perServer)
				if perServer > 3.2 || perServer < 2.8 {
					t.Errorf("%d nodes: %.2f probes per server and interval", nodes, perServer)
				}
			})
		})
	}
}
