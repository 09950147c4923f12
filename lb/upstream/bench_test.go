package upstream

import (
	"fmt"
	"math/rand/v2"
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

// busy is a pool with requests in work at all its peers, which end in any
// order, so that loads differ and estimates move.
type busy struct {
	pool *Pool
	args []PickArgs
	rng  *rand.Rand
	now  int64
}

func newBusy(b testing.TB, m Method, weighted bool) *busy {
	const peers, each = 1000, 4
	list := servers(peers)
	for i := range list {
		if weighted {
			list[i].Weight = 1 + i%3
		}
	}
	p := mustPool(b, Config{Method: m, Servers: list}, nil)
	return &busy{pool: p, args: make([]PickArgs, peers*each), rng: rand.New(rand.NewPCG(1, 2))}
}

// step ends one request and begins another.
func (y *busy) step() {
	a := &y.args[y.rng.IntN(len(y.args))]
	y.now += int64(20 * time.Microsecond)
	if a.peer != nil {
		took := time.Duration(y.now - a.Now)
		y.pool.Release(a, Outcome{Now: y.now, Status: 200, HeaderTime: took, ResponseTime: took})
	}
	a.Reset()
	a.Now = y.now
	if _, err := y.pool.Pick(a); err != nil {
		panic(err)
	}
}

// BenchmarkPickBusy measures one Pick and one Release while 1,000 peers have
// four requests in work each.
func BenchmarkPickBusy(b *testing.B) {
	for _, name := range []string{"round_robin", "least_conn", "least_time", "inflight"} {
		for _, weighted := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/weighted=%t", name, weighted), func(b *testing.B) {
				y := newBusy(b, everyMethod[name], weighted)
				for range 5 * len(y.args) {
					y.step()
				}
				b.ReportAllocs()
				for b.Loop() {
					y.step()
				}
			})
		}
	}
}
