package upstream

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// stickyVisit is a request of a client that has a cookie, as a benchmark.
type stickyVisit struct {
	pool   *Pool
	args   PickArgs
	tie    Tie
	cookie []byte
	out    []byte
}

func newStickyVisit(t testing.TB, sealed bool) *stickyVisit {
	s := Sticky{Kind: StickyCookie, Cookie: "srv_id"}
	if sealed {
		s.Keys = new(atomic.Pointer[Keys])
		s.Keys.Store(mustKeys(t, testKey(1, KeyActive), testKey(2, KeyRetiring)))
	}
	v := &stickyVisit{pool: mustPool(t, Config{Servers: servers(8), Sticky: s}, nil), out: make([]byte, 0, 128)}
	v.run()
	v.cookie = slices.Clone(v.out)
	return v
}

// run follows the cookie, picks, releases, and writes the cookie anew.
func (v *stickyVisit) run() {
	v.args.Reset()
	v.args.Now = today * sec
	v.pool.Follow(&v.args, &v.tie, v.cookie, today)
	if _, err := v.pool.Pick(&v.args); err != nil {
		panic(err)
	}
	v.pool.Release(&v.args, Outcome{Now: v.args.Now, Status: 200, HeaderTime: time.Millisecond})
	v.out = v.pool.AppendID(v.out[:0], &v.args, &v.tie, today)
}

func TestStickyDoesNotAllocate(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		v := newStickyVisit(t, sealed)
		if n := testing.AllocsPerRun(100, v.run); n != 0 {
			t.Errorf("sealed %t: %v allocations for a client that has a cookie", sealed, n)
		}
		v.cookie = nil
		if n := testing.AllocsPerRun(100, v.run); n != 0 {
			t.Errorf("sealed %t: %v allocations for a client that has none", sealed, n)
		}
	}
}

// TestStickyIsFast bounds opening and picking several times over what they
// take, since machines differ and are busy; the best of many counts.
func TestStickyIsFast(t *testing.T) {
	if testing.CoverMode() != "" {
		return // the counters would be measured
	}
	best := func(bound time.Duration, f func()) time.Duration {
		least := time.Hour
		for end := time.Now().Add(30 * time.Second); least > bound && time.Now().Before(end); {
			begin := time.Now()
			for range 20 {
				f()
			}
			least = min(least, time.Since(begin)/20)
		}
		return least
	}
	const openBound, pickBound = 30 * time.Microsecond, 5 * time.Microsecond
	v := newStickyVisit(t, true)
	keys := v.pool.sticky.ring()
	open := best(openBound, func() {
		if _, _, ok := keys.open(&v.tie.buf, v.pool.sticky.bound, v.cookie); !ok {
			t.Fatal("not opened")
		}
	})
	v.pool.Follow(&v.args, &v.tie, v.cookie, today)
	id := v.args.Bound
	pick := best(pickBound, func() {
		v.args.Reset()
		v.args.Bound = id
		_, _ = v.pool.Pick(&v.args) // a server of eight is always there
		v.pool.Release(&v.args, Outcome{HeaderTime: -1})
	})
	t.Logf("open %v, pick and release %v", open, pick)
	if open > openBound || pick > pickBound {
		t.Errorf("opening takes %v, a sticky pick with its release %v", open, pick)
	}
}

// BenchmarkSticky measures what a client's cookie costs beside the pick.
func BenchmarkSticky(b *testing.B) {
	for name, sealed := range map[string]bool{"plain": false, "sealed": true} {
		b.Run(name, func(b *testing.B) {
			v := newStickyVisit(b, sealed)
			b.ReportAllocs()
			for b.Loop() {
				v.run()
			}
		})
	}
	b.Run("open", func(b *testing.B) {
		v := newStickyVisit(b, true)
		keys := v.pool.sticky.ring()
		b.ReportAllocs()
		for b.Loop() {
			keys.open(&v.tie.buf, v.pool.sticky.bound, v.cookie)
		}
	})
	b.Run("seal", func(b *testing.B) {
		v := newStickyVisit(b, true)
		keys := v.pool.sticky.ring()
		b.ReportAllocs()
		for b.Loop() {
			v.out = keys.seal(v.out[:0], &v.tie.buf, v.pool.sticky.bound, 42, today)
		}
	})
	b.Run("pick", func(b *testing.B) {
		v := newStickyVisit(b, true)
		v.run()
		id := v.args.Bound
		b.ReportAllocs()
		for b.Loop() {
			v.args.Reset()
			v.args.Bound = id
			_, _ = v.pool.Pick(&v.args) // a server of eight is always there
			v.pool.Release(&v.args, Outcome{HeaderTime: -1})
		}
	})
}
