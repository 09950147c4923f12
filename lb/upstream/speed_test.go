//go:build !race

package upstream

import (
	"testing"
	"time"
)

// TestBusyPickStaysFast: a pick among 1,000 peers with requests in work, and its
// release, are to take at most 5 µs on an idle machine. What others do on the
// machine can only make a run longer, so that the shortest of many runs tells.
func TestBusyPickStaysFast(t *testing.T) {
	const steps, bound = 200, 5 * time.Microsecond
	for _, name := range []string{"round_robin", "least_conn", "least_time", "inflight"} {
		for _, weighted := range []bool{false, true} {
			y := newBusy(t, everyMethod[name], weighted)
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
				t.Errorf("%s, weighted %t: one pick and release take %v", name, weighted, least)
			}
		}
	}
}
