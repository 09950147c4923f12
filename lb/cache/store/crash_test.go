package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/lb/errorlog"
)

// writeInto in the environment makes the test program a process that stores
// into a directory until it is killed.
const writeInto = "WEIR_STORE_WRITE_INTO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writeInto); dir != "" {
		writeForever(dir)
	}
	os.Exit(m.Run())
}

// crashKeys are few, so that entries are replaced all the time.
const crashKeys = 40

func crashOptions(dir string, temp bool) Options {
	o := Options{Name: "crash", Path: filepath.Join(dir, "cache"), Levels: []int{1, 2}, KeysSize: 1 << 20}
	if temp {
		o.TempPath = filepath.Join(dir, "temp")
	}
	return o
}

func writeForever(dir string) {
	o := crashOptions(dir, false)
	z, err := new(Set).Open(o)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	z.Start(o)
	for i := range 3 {
		go func() {
			p := newPlayer(z, crashKeys, uint64(time.Now().UnixNano())+uint64(i))
			for {
				if err := p.step(); err != nil {
					fmt.Println("wrong:", err)
				}
			}
		}()
	}
	fmt.Println("ready")
	select {}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	crash(t, 10)
}

func TestMeasureCrash(t *testing.T) {
	program.Measure(t)
	const times = 50
	hits := crash(t, times)
	measured.Record(t, "a cache is killed while it stores", times,
		fmt.Sprintf("%d replies were served afterwards, all of them right", hits))
}

// crash kills a process that stores, again and again at random moments in the
// same directory, and checks all that is served afterwards.
func crash(t *testing.T, times int) (hits int) {
	dir := t.TempDir()
	for range times {
		killWriter(t, dir)
		hits += checkAfterCrash(t, dir)
	}
	if hits < times {
		t.Errorf("after %d crashes only %d entries in all were left", times, hits)
	}
	return hits
}

func killWriter(t *testing.T, dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	p, err := process.Start(process.Options{Name: "writer", Program: self, Env: []string{writeInto + "=" + dir}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(syscall.SIGKILL, 0)
	said := func() string {
		text, _ := os.ReadFile(log) // there is none yet
		return string(text)
	}
	err = p.Await(context.Background(), 30*time.Second, func() error {
		if !strings.Contains(said(), "ready") {
			return fmt.Errorf("it is not ready")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(time.Duration(rand.IntN(int(60 * time.Millisecond)))) // the moment of the crash is left to chance
	p.Stop(syscall.SIGKILL, time.Second)
	if text := said(); text != "ready\n" {
		t.Errorf("before the crash:\n%s", text)
	}
}

// checkAfterCrash looks at all keys and returns how many are there.
func checkAfterCrash(t *testing.T, dir string) (hits int) {
	t.Helper()
	var lines atomic.Int32
	o := crashOptions(dir, false)
	o.Log = errorlog.NewFunc(errorlog.Debug, func(_ errorlog.Level, _ uint64, message string) {
		lines.Add(1)
		t.Log(message)
	})
	z, err := new(Set).Open(o)
	if err != nil {
		t.Fatal(err)
	}
	z.Start(o)
	defer z.Close()
	for i := range crashKeys {
		text := fmt.Appendf(nil, "/%d/key", i)
		for range 3 { // from the disk, and from memory
			e := z.Get(KeyOf(text), text, time.Now().Unix())
			if e == nil {
				break
			}
			hits++
			if err := checkEntry(e, text); err != nil {
				t.Error(err)
			}
			e.Release()
		}
	}
	await(t, "the files to be found", func() bool { return !z.Stats().Cold })
	if n := lines.Load(); n > 0 {
		t.Errorf("%d lines in the log, as for damaged files", n)
	}
	left, err := filepath.Glob(filepath.Join(o.Path, "*/*/*.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files in the making were left: %v %v", left, err)
	}
	return hits
}

// await waits for something that goroutines of the zone do.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// TestTorn damages files as a loss of power does: pages that were never
// written, and ends that are missing.
func TestTorn(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	o := crashOptions(memoryDir(t), false)
	o.Log = errorlog.NewFunc(errorlog.Error, func(errorlog.Level, uint64, string) {})
	torn, served := 0, 0
	for range 10 {
		z := newTestZone(t, o)
		p := newPlayer(z, 20, rng.Uint64())
		for range 20 {
			if err := p.store(p.text()); err != nil {
				t.Fatal(err)
			}
		}
		z.Close()
		files, err := filepath.Glob(filepath.Join(o.Path, "*/*/*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			torn += tear(t, path, rng)
		}
		z = newTestZone(t, o)
		for i := range 20 {
			text := fmt.Appendf(nil, "/%d/key", i)
			if e := z.Get(KeyOf(text), text, time.Now().Unix()); e != nil {
				served++
				if err := checkEntry(e, text); err != nil {
					t.Error(err)
				}
				e.Release()
			}
		}
		z.Close()
	}
	if torn < 10 || served < 10 {
		t.Errorf("%d files torn, %d entries served", torn, served)
	}
}

// tear damages a file, or leaves it as it is.
func tear(t *testing.T, path string, rng *rand.Rand) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(3) {
	case 0:
		return 0
	case 1:
		content = content[:rng.IntN(len(content))]
	case 2:
		page := content[rng.IntN(len(content)/4096+1)*4096:]
		clear(page[:min(4096, len(page))])
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return 1
}

// TestRace lets many play with one zone that is too small for them.
func TestRace(t *testing.T) {
	t.Parallel()
	o := crashOptions(memoryDir(t), true)
	o.KeysSize, o.MaxSize = 70*keySize, 2<<20
	o.Log = errorlog.NewFunc(errorlog.Error, func(_ errorlog.Level, _ uint64, message string) { t.Error(message) })
	z := newTestZone(t, o)
	ended := make(chan error)
	for i := range 8 {
		go func() {
			p := newPlayer(z, 100, uint64(i))
			for range 120 {
				if err := p.step(); err != nil {
					ended <- err
					return
				}
			}
			if p.hits == 0 {
				ended <- fmt.Errorf("player %d had no hit", i)
				return
			}
			ended <- nil
		}()
	}
	for range 8 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	await(t, "the manager to keep max_size", func() bool { return z.Stats().Size <= o.MaxSize })
	if s := z.Stats(); s.Keys > s.MaxKeys+8 || s.Files < 0 || s.Memory < 0 {
		t.Errorf("%+v", s)
	}
	z.closeLive(func(*Entry) bool { return true })
	if s := z.Stats(); s.Files != 0 || s.Memory != 0 {
		t.Errorf("with nothing open: %+v", s)
	}
}
