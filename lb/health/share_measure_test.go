package health

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
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
					c.delay = gossiped(tt.gossip)
					c.stopTimes(ill.why, ill.slow, trials).Within(t, t.Name(), ill.goal)
				})
			})
		}
	}
}

// TestMeasureTimeToStop is the same among fifty nodes, in so many trials that
// one of a hundred can be told from the worst.
func TestMeasureTimeToStop(t *testing.T) {
	program.Measure(t)
	const trials = 200
	large := spells[len(spells)-1]
	var refused, silent measured.Times
	t.Run("trials", func(t *testing.T) { // which ends with both
		t.Run("refused", func(t *testing.T) {
			share(t, large.nodes, func(c *cluster) {
				c.delay = gossiped(large.gossip)
				refused = c.stopTimes(ReasonRefused, 0, trials)
				refused.Within(t, "refused", large.refused)
			})
		})
		t.Run("silent", func(t *testing.T) {
			share(t, large.nodes, func(c *cluster) {
				c.delay = gossiped(large.gossip)
				silent = c.stopTimes(ReasonTimeout, time.Second, trials)
				silent.Within(t, "silent", large.silent)
			})
		})
	})
	if t.Failed() {
		return // there may be no times
	}
	measured.Record(t, "fifty nodes in a simulation stop using a server that refuses connections", trials, refused.String())
	measured.Record(t, "fifty nodes in a simulation stop using a silent server", trials, silent.String())
}

// stopTimes makes a server ill again and again, and tells how long each time
// took until no node used it.
func (c *cluster) stopTimes(why Reason, slow time.Duration, trials int) (took measured.Times) {
	c.t.Helper()
	c.slow = slow
	c.serve(1, check(nil))
	for range trials {
		took = append(took, c.stopTime(why, slow))
	}
	return took
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

// probesPerServer is the bound on how often a server is asked in one interval,
// by all nodes together.
const probesPerServer = 3.2

// TestProbeLoad: however many nodes there are, a server is asked about three
// times in an interval, by all of them together, and by none at once with others.
func TestProbeLoad(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{3, 5, 50} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			share(t, nodes, func(c *cluster) { c.probeLoad(100, 12) })
		})
	}
}

// TestMeasureProbeLoad is the same with more servers, for longer.
func TestMeasureProbeLoad(t *testing.T) {
	program.Measure(t)
	const servers, intervals = 1000, 60
	perServer := 0.0
	t.Run("trial", func(t *testing.T) {
		t.Run("50", func(t *testing.T) {
			share(t, 50, func(c *cluster) { perServer = c.probeLoad(servers, intervals) })
		})
	})
	measured.Record(t, "probes of a server in an interval, by fifty nodes in a simulation", servers*intervals, fmt.Sprintf("%.2f", perServer))
}

// probeLoad counts the probes of some intervals.
func (c *cluster) probeLoad(servers, intervals int) (perServer float64) {
	c.t.Helper()
	c.serve(servers, check(nil))
	c.pass(20 * time.Second)
	c.probed()
	c.pass(time.Duration(intervals) * 5 * time.Second)
	perServer = float64(c.probed()) / float64(servers) / float64(intervals)
	c.t.Logf("%d nodes: %.2f probes per server and interval", len(c.nodes), perServer)
	if perServer > probesPerServer || perServer < 2.8 {
		c.t.Errorf("%d nodes: %.2f probes per server and interval", len(c.nodes), perServer)
	}
	return perServer
}
