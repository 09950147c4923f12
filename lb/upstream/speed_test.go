//go:build !race

package upstream

import (
	"testing"
	"time"
)

// TestBusyPickStaysFast: a pick among 1,000 peers with requests in work is to
// take at most 5 µs on an idle machine. What others do on the machine can only
// make a run longer, so that the shortest of many runs tells; half as much
// again is granted.
func TestBusyPickStaysFast(t *testing.T) {
	const steps, bound = 200, 7500 * time.Nanosecond
	for _, weighted := range []bool{false, true} {
		y := newBusy(t, everyMethod["inflight"], weighted)
		for range 5 * len(y.args) {
			y.step()
		}
		least := time.Hour
		for end := time.Now().Add(10 * time.Second); least > bound && time.Now().Before(end); {
			began := time.Now()
			for range steps {
				y.step()
			}
			least = min(least, time.Since(began)/steps)
		}
		if least > bound {
			t.Errorf("weighted %t: one pick and release take %v", weighted, least)
		}
	}
}
