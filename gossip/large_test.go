//go:build !race

// Fifty nodes are too much for the race detector; TestFourNeighbours has enough of them for it.

package gossip

import (
	"fmt"
	"testing"
	"time"
)

// TestLargeCluster: the same among fifty nodes, where each is told by a few others.
func TestLargeCluster(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		simulate(t, 50, 50, func(s *simulation) {
			// Reports that stand cost nothing; a node hears of the others all the same.
			before := s.sent()
			s.pause(20 * time.Second)
			if perSecond := (s.sent() - before) / 20 / int64(len(s.nodes)); perSecond > 2000 {
				t.Errorf("%d bytes per node and second when nothing happens", perSecond)
			}
			s.verdicts(12).within(t, "one verdict", 400*time.Millisecond, 1500*time.Millisecond)
			took, perNode := s.storm(1000, 50)
			cheap(t, "1,000 verdicts of all", took, perNode)
			took, perNode = s.storm(1000, 1)
			cheap(t, "1,000 verdicts of one", took, perNode)
			s.net.lose(0.2)
			s.verdicts(10).mostly(t, "one verdict, 20 % lost", 600*time.Millisecond, 5*time.Second)
			s.net.lose(0)
			s.nodes[7].Close()
			died := time.Now()
			s.await("the dead node is missed", 20*time.Second, func(n *simNode) bool { return n.i == 7 || n.sees(49) })
			t.Logf("a dead node is known to all after %s", time.Since(died))
		})
	})
}

// TestJoinStorm: fifty nodes that all start at once know each other soon, also where packets get lost.
func TestJoinStorm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		loss  float64
		limit time.Duration
	}{{0, 5 * time.Second}, {0.2, 15 * time.Second}} {
		t.Run(fmt.Sprintf("%.0f %% lost", 100*c.loss), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				s := &simulation{t: t, net: newNetwork(3), nodes: make([]*simNode, 50)}
				s.net.lose(c.loss)
				for i := range s.nodes {
					s.begin(i, 1)
				}
				defer s.end()
				begin := time.Now()
				for _, n := range s.nodes {
					go n.Seek(t.Context(), func() []string { // three seeds, as one would write them
						return []string{s.nodes[0].addr, s.nodes[1].addr, s.nodes[2].addr}
					})
				}
				s.await("everyone knows everyone", c.limit, func(n *simNode) bool { return n.sees(50) })
				t.Logf("after %s", time.Since(begin))
			})
		})
	}
}
