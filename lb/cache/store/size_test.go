package store

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// TestIndexMemory runs by itself, since it measures the memory of the process.
func TestIndexMemory(t *testing.T) {
	const keys, most = 100_000, 20 << 20
	z := newTestZone(t, Options{KeysSize: 2 * keys * keySize})
	before := heap()
	for i := range keys {
		z.placed(KeyOf(strconv.AppendInt(nil, int64(i), 10)), 1024, uint64(i)|1)
	}
	grown := heap() - before
	t.Logf("%d bytes a key", grown/keys)
	if s := z.Stats(); s.Keys != keys || grown > most {
		t.Errorf("%d keys take %d bytes, more than %d", s.Keys, grown, most)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestColdStart(t *testing.T) {
	coldStart(t, 10_000)
}

func TestMeasureColdStart(t *testing.T) {
	program.Measure(t)
	debug.FreeOSMemory()
	before := resident(t)
	slowest := coldStart(t, 100_000)
	debug.FreeOSMemory()
	grown := resident(t) - before
	if grown > 40<<20 {
		t.Errorf("100,000 entries take %d bytes, more than 40 MB", grown)
	}
	measured.Record(t, "a cache starts on 100,000 files", 1, fmt.Sprintf(
		"found while the index was still empty, the slowest of 500 in %v; the whole index takes %d MB of resident memory",
		slowest.Round(time.Microsecond), grown>>20))
}

// resident is how much memory the process has.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// memoryDir is a directory in memory where the system has one, for tests that
// make many files: some disks take a millisecond for each.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "weir")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// coldStart begins on a directory with many files: keys are found at once,
// while the index is still being filled.
func coldStart(t *testing.T, n int) (slowest time.Duration) {
	o := Options{Name: "cold", Path: memoryDir(t) + "/cache", Levels: []int{1}, KeysSize: int64(n) * keySize * 3 / 2}
	z := newTestZone(t, o)
	for i := range n {
		text := coldText(i)
		put(t, z, text, []byte(text))
	}
	z.Close()

	o.Loader = Pace{Files: 10, Sleep: time.Minute} // it has hardly begun when we ask
	z = newTestZone(t, o)
	for i := 0; i < n; i += n / 500 {
		began := time.Now()
		e := get(z, coldText(i))
		slowest = max(slowest, time.Since(began))
		if e == nil || string(bodyOf(t, e)) != coldText(i) {
			t.Fatalf("%s is not found while the files are", coldText(i))
		}
		e.Release()
	}
	if s := z.Stats(); !s.Cold {
		t.Error("the files were found too soon for this test")
	}
	z.Close()

	o.Loader = Pace{Files: n, Threshold: time.Minute}
	z = newTestZone(t, o)
	began := time.Now()
	await(t, "the files to be found", func() bool { return !z.Stats().Cold })
	t.Logf("%d files found in %v; the slowest key before took %v", n, time.Since(began), slowest)
	if s := z.Stats(); s.Keys != int64(n) {
		t.Errorf("%d of %d files found", s.Keys, n)
	}
	for i := 0; i < n; i += n / 500 {
		e := get(z, coldText(i))
		if e == nil {
			t.Fatalf("%s is lost", coldText(i))
		}
		e.Release()
	}
	return slowest
}

func coldText(i int) string { return fmt.Sprintf("http://example.com/a/path/to/number/%d", i) }
