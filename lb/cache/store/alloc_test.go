//go:build !race

package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// TestGetAllocates: what is open or in memory is found without an allocation.
func TestGetAllocates(t *testing.T) {
	for _, size := range []int{1000, memoryBody + 1} {
		z, key, text := hotZone(t, size)
		now := time.Now().Unix()
		n := testing.AllocsPerRun(1000, func() {
			z.Get(key, text, now).Release()
		})
		if n != 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

func hotZone(t testing.TB, size int) (*Zone, Key, []byte) {
	z := newTestZone(t, Options{})
	text := []byte("http://example.com/a/path/to/it")
	put(t, z, string(text), bodyFor("a", size))
	for range promoteAt {
		get(z, string(text)).Release()
	}
	return z, KeyOf(text), text
}

// BenchmarkGet measures a hit of 1 KB from memory, with its copy into a reply.
func BenchmarkGet(b *testing.B) {
	z, key, text := hotZone(b, 1000)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		out := make([]byte, 0, 2048)
		now := time.Now().Unix()
		for pb.Next() {
			e := z.Get(key, text, now)
			mem, _ := e.Bytes()
			out = append(append(out[:0], e.Meta().Head...), mem...)
			e.Release()
		}
	})
}

func TestMeasureGet(t *testing.T) {
	program.Measure(t)
	r := testing.Benchmark(BenchmarkGet)
	ns := r.NsPerOp()
	if ns > 1000 {
		t.Errorf("a hit in memory takes %d ns, more than 1000", ns)
	}
	measured.Record(t, "the store's part of a hit of 1 KB in memory", r.N, fmt.Sprintf("%d ns, no allocation", ns))
}

// BenchmarkStore measures a miss of 1 KB: its fill and commit.
func BenchmarkStore(b *testing.B) {
	z := newTestZone(b, Options{Path: memoryDir(b) + "/cache", Levels: []int{1}, KeysSize: 10 << 20})
	body := bodyFor("a", 1000)
	b.ReportAllocs()
	for i := range b.N {
		put(b, z, string(rune('a'+i%26)), body)
	}
}
