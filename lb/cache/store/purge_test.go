package store

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// watchedSystem is the real one, and tells what was done, so that tests can do
// something in the middle of it.
type watchedSystem struct {
	realSystem
	opened  func(path string)
	created func(path string)
}

func (s *watchedSystem) Open(path string) (*os.File, error) {
	f, err := s.realSystem.Open(path)
	if tell := s.opened; tell != nil {
		s.opened = nil
		tell(path)
	}
	return f, err
}

func (s *watchedSystem) Create(path string) (*os.File, error) {
	f, err := s.realSystem.Create(path)
	if s.created != nil {
		s.created(path)
	}
	return f, err
}

// newWatchedZone is a zone in the fake time of a test, whose loader is done.
func newWatchedZone(t *testing.T, dir string) (*Zone, *watchedSystem) {
	z := newTestZone(t, Options{Path: dir})
	synctest.Wait()
	sys := &watchedSystem{}
	z.sys = sys
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
		put(t, z, "/a/1", []byte("old"))
		z.loading.Store(true) // which the purger waits for
		if _, err := z.Purge([]byte("/a/*")); err != nil {
			t.Fatal(err)
		}
		sys.opened = func(string) {
			z.loading.Store(false)
			for z.rules.list.Load() != nil {
				time.Sleep(time.Millisecond)
			}
		}
		if e := get(z, "/a/1"); e != nil {
			t.Errorf("%q is served after its purge", bodyOf(t, e))
			e.Release()
		}
		z.Close()
	})
}

// TestFillEndsWhileItIsPurged: a reply that began to arrive before a purge by
// prefix is not stored by it, at whatever moment it is complete.
func TestFillEndsWhileItIsPurged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		z, sys := newWatchedZone(t, dir)
		text := []byte("/a/1")
		f, err := z.Begin(FillOptions{Key: KeyOf(text), Text: text, Meta: Meta{Status: 200}, Length: 0})
		if err != nil {
			t.Fatal(err)
		}
		sys.created = func(path string) {
			if strings.HasPrefix(path, z.journal()) {
				time.Sleep(time.Second)
				if err := f.Commit(); err != nil && err != ErrPurged {
					t.Error(err)
				}
			}
		}
		if _, err := z.Purge([]byte("/a/*")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e := get(z, "/a/1"); e != nil {
			t.Error("a reply from before the purge is served")
			e.Release()
		}
		z.Close()
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
