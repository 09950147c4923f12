package gossip

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// waiting measures how long a report is on its way to the last node.
type waiting struct {
	mu   sync.Mutex
	key  uint64
	left map[int]bool
	done chan time.Time
}

// note takes what a node has heard.
func (w *waiting) note(node int, list []Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range list {
		if r.Key == w.key && w.left[node] {
			if delete(w.left, node); len(w.left) == 0 {
				w.done <- time.Now()
			}
		}
	}
}

// oneVerdict publishes a report on some node and tells how long it took to the last.
func (s *simulation) oneVerdict(key uint64) time.Duration {
	w := &waiting{key: key, left: map[int]bool{}, done: make(chan time.Time, 1)}
	writer := s.net.rng.IntN(len(s.nodes))
	for i := range s.nodes {
		if i != writer {
			w.left[i] = true
		}
	}
	s.heard = w.note
	begin := time.Now()
	s.nodes[writer].Publish(Report{Key: key, Status: 3, Since: begin})
	select {
	case end := <-w.done:
		return end.Sub(begin)
	case <-time.After(10 * time.Second):
		s.t.Fatalf("report %d has not come to %v", key, w.left)
		return 0
	}
}

// verdicts tells of many, one after the other, how long the last node had to wait: the 99th of a hundred, and the worst.
func (s *simulation) verdicts(trials int) (p99, worst time.Duration) {
	var took []time.Duration
	for key := range trials {
		took = append(took, s.oneVerdict(uint64(key)))
		time.Sleep(time.Duration(s.net.rng.IntN(400)) * time.Millisecond)
	}
	slices.Sort(took)
	return took[(len(took)*99-1)/100], took[len(took)-1]
}

// TestOneVerdict: a report reaches all nodes soon, and none late.
func TestOneVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes, trials int
		loss          float64
		p99, worst    time.Duration
	}{
		{3, 100, 0, 100 * time.Millisecond, 200 * time.Millisecond},
		{5, 100, 0, 100 * time.Millisecond, 200 * time.Millisecond},
		{50, 60, 0, 400 * time.Millisecond, 1500 * time.Millisecond},
		{5, 100, 0.2, 600 * time.Millisecond, 2500 * time.Millisecond},
		{50, 40, 0.2, 600 * time.Millisecond, 2500 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d nodes, %.0f %% lost", c.nodes, 100*c.loss), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				simulate(t, c.nodes, 1, func(s *simulation) {
					s.net.loss = c.loss
					p99, worst := s.verdicts(c.trials)
					t.Logf("p99 %s, worst %s", p99, worst)
					if p99 > c.p99 || worst > c.worst {
						t.Errorf("p99 %s, worst %s; at most %s and %s", p99, worst, c.p99, c.worst)
					}
				})
			})
		})
	}
}

// storm publishes many reports at once, on one node or on all, and tells how long it took until everyone had all, and
// how many bytes a node sent for that.
func (s *simulation) storm(reports, writers int) (took time.Duration, perNode int64) {
	sent, begin := s.sent(), time.Now()
	for key := range reports {
		s.nodes[key%writers].Publish(Report{Key: uint64(key) << 32, Status: 3, Since: begin})
	}
	s.await("everyone has all", 20*time.Second, func(n *simNode) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		total := 0
		for _, list := range n.reports {
			total += len(list)
		}
		want := reports
		if n.i < writers {
			want -= (reports - n.i + writers - 1) / writers
		}
		return total == want
	})
	took = time.Since(begin)
	time.Sleep(time.Second) // what is still on its way counts as well
	return took, (s.sent() - sent) / int64(len(s.nodes))
}

// TestManyVerdicts: a thousand reports at once reach all nodes soon and cheaply.
func TestManyVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ nodes, writers int }{{3, 1}, {3, 3}, {5, 5}, {50, 1}, {50, 50}} {
		t.Run(fmt.Sprintf("%d of %d nodes", c.writers, c.nodes), func(t *testing.T) {
			inFakeTime(t, func(t *testing.T) {
				simulate(t, c.nodes, 1, func(s *simulation) {
					took, perNode := s.storm(1000, c.writers)
					t.Logf("%s, %d bytes per node", took, perNode)
					if took > 2*time.Second || perNode > 150_000 {
						t.Errorf("took %s and %d bytes per node; at most 2 s and 150,000", took, perNode)
					}
				})
			})
		})
	}
}
