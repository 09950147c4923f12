package clustertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/node/control"
)

// leaderless is how long a write may take that comes as the leader has just been killed.
const leaderless = 3200 * time.Millisecond

// TestMeasureLeaderKills kills the leader of three programs again and again, and has another node write at once. The
// writer waits, and sees no error; no signed-in client is lost at the nodes that are left.
func TestMeasureLeaderKills(t *testing.T) {
	program.Measure(t)
	const kills = 30
	c := newCluster(t, 3)
	c.startApps("upstream many { zone many 1m; server 127.0.0.1:1; }")
	var took []time.Duration
	var want []string
	vs := c.visit(30)
	vs.stay(c, func() {
		for i := range kills {
			leader := c.leader()
			leader.kill()
			server := fmt.Sprintf("10.0.0.%d:80", i)
			began := time.Now()
			if _, err := c.running()[i%2].client().AddServer(t.Context(), "many", control.NewServer{Server: server}); err != nil {
				t.Errorf("after kill %d: %v", i, err)
			}
			took, want = append(took, time.Since(began)), append(want, server)
			leader.start()
			c.awaitFormed()
		}
	})
	slices.Sort(want)
	for _, n := range c.nodes {
		c.await("all that was acknowledged on "+n.name, func() error { return n.holds(t.Context(), "many", want) })
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	if p99 > leaderless {
		t.Errorf("p99 %v, bound %v: %v", p99, leaderless, took)
	}
	measured.Record(t, "the leader of three programs is killed: a write at another node", kills,
		fmt.Sprintf("p50 %.1f s, p99 %.1f s, 0 errors, 0 of %d writes lost; %d requests of 30 signed-in clients, %d moves, %d lost",
			took[len(took)/2].Seconds(), p99.Seconds(), kills, vs.requests.Load(), vs.moves.Load(), len(vs.lost)))
}
