//go:build !race

package lb_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/lbtest"
	"github.com/weir-lb/weir/lb/upstream"
)

// startShared is a client of a balancer with two servers; with shared set it has been told all that a cluster tells.
func startShared(tb testing.TB, shared bool) *asker {
	tb.Helper()
	reply := "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("y", 1024)
	servers := []string{steady(tb, reply, 0), steady(tb, reply, 0)}
	line := servers[0] + " weight=2" // of a cluster an edit says so: then the same requests go to the same servers
	if shared {
		line = servers[0]
	}
	b := lbtest.Start(tb, "error_log stderr error; events {} http { keepalive_requests 1000000000; access_log off; "+
		"upstream u { zone u 64k; keepalive 8; keepalive_requests 1000000000; server "+line+"; server "+servers[1]+"; } "+
		"server { listen 127.0.0.1:8080; location / { proxy_pass http://u; health_check interval=1h; } } }")
	if shared {
		ids := []string{"node 1", "node 2", "node 3"}
		b.SetNodes(health.Nodes{Self: ids[0], Alive: ids})
		weight := 2
		edits := upstream.Edits{Changed: map[upstream.ServerID]upstream.Edit{upstream.NewServerID("u", servers[0]): {Weight: &weight}},
			Orders: map[upstream.ServerID]upstream.Order{upstream.NewServerID("u", servers[1]): upstream.OrderUp}}
		if err := b.SetOverlay(upstream.Overlay{Index: 1, Upstreams: map[string]upstream.Edits{"u": edits}}); err != nil {
			tb.Fatal(err)
		}
		b.SetTickets([][32]byte{{1}})
	}
	return newAsker(tb, b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
}

// cost is what requests take: time of processors, allocations, and calls that read and write.
type cost struct{ nanoseconds, allocations, calls float64 }

// least is the lower of each of two costs.
func (c cost) least(o cost) cost {
	return cost{min(c.nanoseconds, o.nanoseconds), min(c.allocations, o.allocations), min(c.calls, o.calls)}
}

// cost makes n requests and returns what one of them took of the whole process.
func (a *asker) cost(tb testing.TB, n int) cost {
	tb.Helper()
	var before, after runtime.MemStats
	calls := ioCalls(tb)
	runtime.ReadMemStats(&before)
	began := processorTime(tb)
	for range n {
		if err := a.ask(); err != nil {
			tb.Fatal(err)
		}
	}
	took := processorTime(tb) - began
	runtime.ReadMemStats(&after)
	return cost{float64(took) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n), float64(ioCalls(tb)-calls) / float64(n)}
}

// processorTime is what this process has used of the processors: what else runs disturbs it less than the clock.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ioCalls is how often this process has read or written, proc_pid_io(5).
func ioCalls(tb testing.TB) (calls int) {
	tb.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), ": "); name == "syscr" || name == "syscw" {
			n, err := strconv.Atoi(value)
			if err != nil {
				tb.Fatal(err)
			}
			calls += n
		}
	}
	return calls
}

// TestClusterCostsRequestsNothing: requests neither allocate nor read and write more because nodes share what they know.
func TestClusterCostsRequestsNothing(t *testing.T) {
	const warm, rounds, n = 200, 10, 100
	alone, shared := startShared(t, false), startShared(t, true)
	alone.cost(t, warm)
	shared.cost(t, warm)
	// What else runs on the machine changes how often a read finds nothing, and adds to a round, not to each.
	without, with := alone.cost(t, n), shared.cost(t, n)
	for range rounds - 1 {
		without, with = without.least(alone.cost(t, n)), with.least(shared.cost(t, n))
	}
	t.Logf("without %+v, with %+v", without, with)
	if with.allocations >= 0.05 {
		t.Errorf("%.2f allocations per request", with.allocations)
	}
	if with.calls > without.calls+0.5 {
		t.Errorf("%.2f calls per request, without a cluster %.2f", with.calls, without.calls)
	}
}

// TestMeasureClusterRequests compares what requests take of the processors, twenty rounds of each kind in turn.
func TestMeasureClusterRequests(t *testing.T) {
	program.Measure(t)
	const rounds, n, goal = 20, 5000, 300
	alone, shared := startShared(t, false), startShared(t, true)
	var without, with []float64
	for range rounds / 2 { // each is the first one as often
		without, with = append(without, alone.cost(t, n).nanoseconds), append(with, shared.cost(t, n).nanoseconds)
		with, without = append(with, shared.cost(t, n).nanoseconds), append(without, alone.cost(t, n).nanoseconds)
	}
	slices.Sort(without)
	slices.Sort(with)
	more := with[rounds/2] - without[rounds/2]
	result := fmt.Sprintf("%+.0f ns (median of %.0f ns, without %.0f ns), no allocation, no more calls", more, with[rounds/2], without[rounds/2])
	t.Log(result)
	if more > goal {
		t.Errorf("%.0f ns more", more)
	}
	measured.Record(t, "processor time of a request in a cluster, client and server included", rounds*n, result)
}
