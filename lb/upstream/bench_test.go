package upstream

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// TestNoAllocations: picking and releasing must not burden the collector.
func TestNoAllocations(t *testing.T) {
	for name, m := range everyMethod {
		for _, n := range []int{1, 8, 1000} {
			p := mustPool(t, Config{Method: m, Servers: servers(n)}, nil)
			var a PickArgs
			run := func() { pickRelease(p, &a, 0) }
			a.tried.add(n) // the set grows once in its life
			if got := testing.AllocsPerRun(50, run); got != 0 {
				t.Errorf("%s with %d peers: %v allocations per pick", name, n, got)
			}
		}
	}
}

var (
	benchKey    = []byte("/images/logo.png")
	benchClient = netip.MustParseAddr("192.0.2.17")
)

func pickRelease(p *Pool, a *PickArgs, now int64) {
	a.Reset()
	a.Now, a.Key, a.Client = now, benchKey, benchClient
	if _, err := p.Pick(a); err != nil {
		panic(err)
	}
	p.Release(a, Outcome{Now: now, Status: 200, HeaderTime: time.Millisecond, ResponseTime: time.Millisecond})
}

// BenchmarkPick measures one Pick with its Release.
func BenchmarkPick(b *testing.B) {
	for _, name := range []string{"round_robin", "least_conn", "least_time", "inflight", "ip_hash", "hash", "consistent", "random", "random_two"} {
		for _, n := range []int{8, 1000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				p := mustPool(b, Config{Method: everyMethod[name], Servers: servers(n)}, nil)
				var a PickArgs
				var now int64
				b.ReportAllocs()
				for b.Loop() {
					now += int64(time.Microsecond)
					pickRelease(p, &a, now)
				}
			})
		}
	}
}
