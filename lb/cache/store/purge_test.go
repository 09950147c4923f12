package store

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// watchedSystem is the real one, and tells of what it has done with which
// file, so that tests can do something in the middle of it.
type watchedSystem struct {
	realSystem
	did atomic.Pointer[func(op, path string)]
}

func (s *watchedSystem) watch(did func(op, path string)) { s.did.Store(&did) }

func (s *watchedSystem) tell(op, path string) {
	if did := s.did.Load(); did != nil {
		(*did)(op, path)
	}
}

func (s *watchedSystem) Open(path string) (*os.File, error) {
	f, err := s.realSystem.Open(path)
	s.tell("open", path)
	return f, err
}

func (s *watchedSystem) Create(path string) (*os.File, error) {
	f, err := s.realSystem.Create(path)
	s.tell("create", path)
	return f, err
}

func (s *watchedSystem) Change(path string) (*os.File, error) {
	f, err := s.realSystem.Change(path)
	s.tell("change", path)
	return f, err
}

// newWatchedZone starts a zone on a directory.
func newWatchedZone(t *testing.T, dir string) (*Zone, *watchedSystem) {
	t.Helper()
	o := Options{Name: "watched", Path: dir, KeysSize: 1 << 20}
	z, err := new(Set).Open(o)
	if err != nil {
		t.Fatal(err)
	}
	sys := &watchedSystem{}
	z.sys = sys
	z.Start(o)
	return z, sys
}

// TestPurgerEndsWhileAFileIsOpened: a Get that opened a purged file just
// before the purger removed it, and looks at the rules when the purger has
// ended, does not serve it.
func TestPurgerEndsWhileAFileIsOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		z, sys := newWatchedZone(t, dir)
		defer z.Close()
		synctest.Wait() // the loader is done
		put(t, z, "/a/1", []byte("old"))
		z.loading.Store(true) // which the purger waits for
		if _, err := z.Purge([]byte("/a/*")); err != nil {
			t.Fatal(err)
		}
		sys.watch(func(string, string) { // of the Get; the purger comes after
			sys.did.Store(nil)
			z.loading.Store(false)
			for z.rules.list.Load() != nil {
				time.Sleep(time.Millisecond)
			}
		})
		if e := get(z, "/a/1"); e != nil {
			t.Errorf("%q is served after its purge", bodyOf(t, e))
			e.Release()
		}
	})
}

// TestFillEndsWhileItIsPurged: a reply that began to arrive before a purge by
// prefix is not stored by it, at whatever moment it is complete.
func TestFillEndsWhileItIsPurged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		z, sys := newWatchedZone(t, dir)
		defer z.Close()
		text := []byte("/a/1")
		f, err := z.Begin(FillOptions{Key: KeyOf(text), Text: text, Meta: Meta{Status: 200}, Length: 0})
		if err != nil {
			t.Fatal(err)
		}
		sys.watch(func(op, path string) {
			if op == "create" && strings.HasPrefix(path, z.journal()) {
				time.Sleep(time.Second)
				if err := f.Commit(); err != nil && err != ErrPurged {
					t.Error(err)
				}
			}
		})
		if _, err := z.Purge([]byte("/a/*")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e := get(z, "/a/1"); e != nil {
			t.Error("a reply from before the purge is served")
			e.Release()
		}
	})
}

// TestPurgeAfterTheClockWasSetBack: what was stored before a purge is hit by
// it, whatever the clock says.
func TestPurgeAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	z := newTestZone(t, Options{})
	z.stamped.Store(time.Now().Add(time.Hour).UnixNano()) // the clock said so
	put(t, z, "/a/1", []byte("old"))
	if _, err := z.Purge([]byte("/a/*")); err != nil {
		t.Fatal(err)
	}
	if e := get(z, "/a/1"); e != nil {
		t.Error("it is served after its purge")
		e.Release()
	}
	put(t, z, "/a/1", []byte("new"))
	e := get(z, "/a/1")
	if e == nil {
		t.Fatal("what was stored after the purge is hit by it")
	}
	e.Release()
}

// TestUpdateWhileItIsPurged: a header that is being written when its entry is
// purged does not bring the entry back.
func TestUpdateWhileItIsPurged(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"/a/1", "/a/*"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			z, sys := newWatchedZone(t, t.TempDir())
			defer z.Close()
			put(t, z, "/a/1", []byte("old"))
			e := get(z, "/a/1")
			defer e.Release()
			asked := z.Expect(e.Key(), e.Text())
			defer asked.End()
			purged := make(chan error, 1)
			sys.watch(func(op, _ string) {
				if op != "change" {
					return
				}
				go func() {
					_, err := z.Purge([]byte(text))
					purged <- err
				}()
				for !asked.Purged() {
					runtime.Gosched()
				}
			})
			z.Update(e, *e.Meta(), asked).Release()
			if err := <-purged; err != nil {
				t.Error(err)
			}
			if e := get(z, "/a/1"); e != nil {
				t.Error("it is served after its purge")
				e.Release()
			}
		})
	}
}
