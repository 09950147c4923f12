package consensus

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTable: whatever is put into tables and taken out of them, each is the map
// that it is said to be, also after others were made of it.
func TestTable(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	type version struct {
		table table[int, int]
		want  map[int]int
	}
	versions := []version{{want: map[int]int{}}}
	for step := range 6000 {
		from := versions[len(versions)-1-rng.IntN(min(3, len(versions)))]
		next := version{want: maps.Clone(from.want)}
		key := rng.IntN(1500)
		if rng.IntN(4000) > step { // grow first, then shrink
			next.table, next.want[key] = from.table.with(key, step), step
		} else {
			next.table = from.table.without(key)
			delete(next.want, key)
		}
		versions = append(versions, next)
		if len(versions) > 20 {
			versions = versions[1:]
		}
		if step%97 == 0 {
			for _, v := range versions {
				checkTable(t, v.table, v.want)
			}
		}
	}
	for _, v := range versions {
		checkTable(t, v.table, v.want)
	}
}

// TestChanges: what has become of a table is told entry by entry, whatever pieces
// the two share, and nothing else is.
func TestChanges(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	var now table[int, int]
	for step := range 400 {
		before, want := now, map[int]string{}
		for range rng.IntN(20) {
			if key := rng.IntN(900); rng.IntN(4) > step/100 {
				now = now.with(key, step)
			} else {
				now = now.without(key)
			}
		}
		for key := range 900 {
			old, was := before.Get(key)
			value, is := now.Get(key)
			if was != is || old != value {
				want[key] = fmt.Sprint(old, was, value, is)
			}
		}
		last := -1
		now.Changes(before, func(key int, old, value *int) {
			var o, v int
			if old != nil {
				o = *old
			}
			if value != nil {
				v = *value
			}
			if got := fmt.Sprint(o, old != nil, v, value != nil); key <= last || o != v && got != want[key] {
				t.Errorf("%d: %s, want %s", key, got, want[key])
			}
			delete(want, key)
			last = key
		})
		if len(want) > 0 {
			t.Errorf("not told: %v", want)
		}
	}
}

func checkTable(t *testing.T, got table[int, int], want map[int]int) {
	t.Helper()
	held := map[int]int{}
	for key, value := range got.All() {
		held[key] = *value
		if v, ok := got.Get(key); !ok || v != *value {
			t.Fatalf("%d is %d, found %d", key, *value, v)
		}
	}
	pairs := got.pairs()
	if !maps.Equal(held, want) || len(pairs) != len(want) || !sortedPairs(pairs) || got.empty() != (len(want) == 0) {
		t.Fatalf("%d entries, %d pairs, %d wanted", len(held), len(pairs), len(want))
	}
	if slices.ContainsFunc(got.pieces, func(p []pair[int, int]) bool { return len(p) == 0 || len(p) > maxPiece }) {
		t.Fatal("a piece is empty, or too large")
	}
	if again := tableOf(pairs); !slices.Equal(again.pairs(), pairs) {
		t.Fatal("a table of its pairs is another")
	}
	if _, ok := got.Get(-1); ok {
		t.Fatal("found what was never put in")
	}
}

// TestTablesAreTheSame: a table is the same as itself and its copies only.
func TestTablesAreTheSame(t *testing.T) {
	t.Parallel()
	a := table[string, int]{}.with("a", 1).with("b", 2)
	for other, want := range map[*table[string, int]]bool{{}: false, {a.pieces}: true} {
		if a.Same(*other) != want {
			t.Errorf("%v: %t", other, !want)
		}
	}
	if b := a.with("b", 2); a.Same(b) || !a.Same(a.without("c")) || !(table[string, int]{}).Same(table[string, int]{}) {
		t.Error("a table that was changed is the same, or one that was not is another")
	}
}

// BenchmarkTable measures one write in tables of different size.
func BenchmarkTable(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var t table[int, int]
			for i := range n {
				t = t.with(i*7919%n, i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				t.with(i*7919%n, i)
			}
		})
	}
}
