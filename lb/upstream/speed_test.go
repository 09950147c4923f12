//go:build !race

package upstream

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/program"
)

// TestBusyPickStaysFast bounds a pick among 1,000 peers with requests in work,
// and its release, by half more than is meant: machines differ and are busy.
func TestBusyPickStaysFast(t *testing.T) { busyPicks(t, 7500*time.Nanosecond) }

// TestMeasureBusyPick bounds them as is meant on an idle machine.
func TestMeasureBusyPick(t *testing.T) {
	program.Measure(t)
	busyPicks(t, 5*time.Microsecond)
}

// busyPicks makes picks until some in a row take no more than the bound. What
// others do on the machine can only make a run longer, so that the shortest of
// many runs tells.
func busyPicks(t *testing.T, bound time.Duration) {
	t.Helper()
	const steps = 50
	for _, name := range []string{"round_robin", "least_conn", "least_time", "inflight"} {
		for _, weighted := range []bool{false, true} {
			y := newBusy(t, everyMethod[name], weighted)
			for range 5 * len(y.args) {
				y.step()
			}
			least := time.Hour
			for end := time.Now().Add(30 * time.Second); least > bound && time.Now().Before(end); {
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
