package upstream

import (
	"cmp"
	"math/rand/v2"
	"testing"
	"time"
)

// TestQuotient: quotients compare as the fractions do, and are equal only where
// those are.
func TestQuotient(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	equal := 0
	for range 200_000 {
		a, v, w := rng.Int64N(1<<(1+rng.IntN(34))), 1+rng.Int32N(1<<(1+rng.IntN(16))), 1+rng.Int32N(1<<(1+rng.IntN(16)))
		b := max(0, a*int64(w)/int64(v)+rng.Int64N(3)-1) // near a·w/v
		want := cmp.Compare(a*int64(w), b*int64(v))
		if want == 0 {
			equal++
		}
		if got := cmp.Compare(quotient(a, v), quotient(b, w)); got != want {
			t.Fatalf("%d/%d against %d/%d: %d, not %d", a, v, b, w, got, want)
		}
	}
	if equal < 10_000 {
		t.Errorf("only %d pairs were equal", equal)
	}
}

// twin is a pool with its requests in work.
type twin struct {
	pool, before *Pool
	args         []PickArgs
}

// succeed puts a pool in the place of the one in use.
func (w *twin) succeed(next *Pool) {
	next.TakeOver(w.pool)
	w.pool, w.before = next, w.pool
}

// TestLoadsAreKept: a pool that keeps loads which cannot have changed picks as
// one that computes all of them each time.
func TestLoadsAreKept(t *testing.T) {
	t.Parallel()
	for nth, m := range []Method{
		{Kind: RoundRobin}, {Kind: LeastConn}, {Kind: LeastTime, Measure: Header}, {Kind: LeastTime, Measure: LastByte},
		{Kind: LeastTime, Measure: Header, Inflight: true}, {Kind: LeastTime, Measure: LastByte, Inflight: true},
	} {
		for seed := range uint64(4) {
			rng := rand.New(rand.NewPCG(seed, uint64(nth)))
			list := servers(3 + rng.IntN(30))
			for i := range list {
				list[i].Weight += rng.IntN(1 + int(seed%4))
				list[i].MaxConns, list[i].MaxFails, list[i].FailTimeout = rng.IntN(2)*8, rng.IntN(3), time.Duration(1+rng.IntN(3))*time.Second
			}
			twins := make([]twin, 2)
			for i := range twins {
				twins[i] = twin{pool: mustPool(t, Config{Method: m, Servers: list}, nil), args: make([]PickArgs, 60)}
			}
			for range 2 { // the second time over a reload
				twins[1].pool.putAside() // it is told nothing, and computes all
				compareTwins(t, rng, twins)
				for i := range twins {
					twins[i].succeed(mustPool(t, Config{Method: m, Servers: list[1:]}, twins[i].pool))
				}
			}
		}
	}
}

// compareTwins lets the same happen to both pools and compares what they pick.
func compareTwins(t *testing.T, rng *rand.Rand, twins []twin) {
	t.Helper()
	now := twins[0].args[0].Now + int64(time.Second)
	for turn := range 3000 {
		if turn%100 == 0 { // a verdict on one peer; attempts on the pool before it go on
			out := rng.IntN(3)
			for i := range twins {
				down := twins[i].pool.primary.peers[out].Text
				twins[i].succeed(twins[i].pool.judged(func(p *Peer) (Order, Verdict) {
					if p.Text == down {
						return OrderDown, VerdictUsable
					}
					return OrderNone, VerdictUsable
				}))
			}
			twins[1].pool.putAside()
		}
		now += rng.Int64N(int64(3*time.Millisecond)) + rng.Int64N(2)*rng.Int64N(2)*rng.Int64N(int64(100*time.Millisecond))
		k, fails, again := rng.IntN(len(twins[0].args)), rng.IntN(20) == 0, rng.IntN(4) == 0
		var picked [2]string
		for i := range twins {
			p, a := twins[i].pool, &twins[i].args[k]
			took := time.Duration(now - a.Now)
			p.HeaderReceived(a, took/2, now)
			p.Release(a, Outcome{Now: now, Failed: fails, Status: 200, HeaderTime: took / 2, ResponseTime: took})
			if !fails && !again { // else it is the same request's next attempt
				a.Reset()
			}
			a.Now = now
			if old := twins[i].before; old != nil && again { // a request of the time before
				var late PickArgs
				late.Now = now
				if _, err := old.Pick(&late); err == nil {
					old.Release(&late, Outcome{Now: now, HeaderTime: -1})
				}
			}
			if peer, err := p.Pick(a); err == nil {
				picked[i] = peer.Text
			}
		}
		if picked[0] != picked[1] {
			t.Fatalf("turn %d: %q with loads kept, %q with all computed", turn, picked[0], picked[1])
		}
	}
}
