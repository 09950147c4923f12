package upstream

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestRests: an average said to rest must be what the full computation gives.
func TestRests(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	rested := 0
	for range 200_000 {
		f := inflight{requests: 1 + rng.Int32N(50), average: rng.Int64N(1 << (1 + rng.IntN(24)))}
		n := int64(f.requests)
		ages := max(0, f.average*n+rng.Int64N(40*n)-20*n) // near
		f.begins = -ages
		f.rebase()
		if !f.rests(0) {
			continue
		}
		rested++
		if got := average(f.average, ages/n); got != f.average {
			t.Fatalf("average %d of %d requests aged %d moves to %d", f.average, n, ages, got)
		}
		if ms := f.restsUntil(); ms <= 0 || !f.rests(ms-1) || f.rests(ms) {
			t.Fatalf("average %d of %d requests aged %d does not rest until %d", f.average, n, ages, ms)
		}
	}
	if rested < 50_000 {
		t.Errorf("only %d averages rest: the short cut is not taken", rested)
	}
}

// TestRecordsStayPacked: two records of a kind share a line of memory, on which
// the time of a walk over a thousand peers depends.
func TestRecordsStayPacked(t *testing.T) {
	t.Parallel()
	if got := unsafe.Sizeof(hot{}); got > 32 {
		t.Errorf("hot has %d bytes", got)
	}
	if got := unsafe.Sizeof(inflight{}); got > 32 {
		t.Errorf("inflight has %d bytes", got)
	}
	if got := unsafe.Sizeof(turn{}); got > 16 {
		t.Errorf("turn has %d bytes", got)
	}
	if got := unsafe.Sizeof(slot{}); got > 24 {
		t.Errorf("slot has %d bytes", got)
	}
}
