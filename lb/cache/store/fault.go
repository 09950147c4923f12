package store

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
)

// fault is a kind of failure of the disk. While one lasts, requests go without
// the cache, and the log has one line of it.
type fault uint8

const (
	faultOpen fault = iota
	faultRead
	faultWrite
	faultRemove
	faultList
	faultKinds
)

// String returns what fails.
func (kind fault) String() string {
	switch kind {
	case faultOpen:
		return "opening files"
	case faultRead:
		return "reading files"
	case faultWrite:
		return "writing files"
	case faultRemove:
		return "removing files"
	default:
		return "listing files"
	}
}

// faultQuiet is how long the same failure, when it comes and goes, is not
// logged again.
const faultQuiet = time.Minute

// The levels of what the store logs: nginx's for files that fail.
const (
	levelFault  = errorlog.Crit
	levelDamage = errorlog.Error
	levelPassed = errorlog.Notice
)

// faults are the failures that last.
type faults struct {
	lasting atomic.Uint32 // a bit for each kind
	full    atomic.Bool   // the index
	mu      sync.Mutex
	kinds   [faultKinds]faultState
}

type faultState struct {
	errno  syscall.Errno
	lasts  bool
	told   bool // in the log, this time
	logged time.Time
}

// report notes a failure, and logs it when it is new.
func (f *faults) report(z *Zone, kind fault, err error) {
	number, _ := errors.AsType[syscall.Errno](err)
	f.mu.Lock()
	s := &f.kinds[kind]
	same := s.errno == number
	if s.lasts && same {
		f.mu.Unlock()
		return
	}
	now := time.Now()
	tell := !same || s.logged.IsZero() || now.Sub(s.logged) >= faultQuiet
	*s = faultState{errno: number, lasts: true, told: tell, logged: s.logged}
	if tell {
		s.logged = now
	}
	f.lasting.Or(1 << kind)
	f.mu.Unlock()
	if tell {
		z.logf(levelFault, "%s; the cache %q does without until it passes", describe(err), z.Name())
	}
}

// passed notes that what may have failed before works.
func (f *faults) passed(z *Zone, kind fault) {
	if f.lasting.Load()&(1<<kind) == 0 {
		return
	}
	f.mu.Lock()
	s := &f.kinds[kind]
	tell := s.lasts && s.told
	s.lasts, s.told = false, false
	f.lasting.And(^uint32(1 << kind))
	f.mu.Unlock()
	if tell {
		z.logf(levelPassed, "%s works again in cache %q", kind, z.Name())
	}
}

// indexFull tells once that keys_zone bounds the cache.
func (f *faults) indexFull(z *Zone) {
	if f.full.CompareAndSwap(false, true) {
		z.logf(errorlog.Warn, "keys_zone %q is full with %d keys: the least recently used give way", z.Name(), z.conf.Load().maxKeys())
	}
}

// describe words an error of the file system as nginx does.
func describe(err error) string {
	text := errno.Text(err)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Op + `() "` + e.Path + `" failed (` + text + ")"
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Op + `() "` + e.Old + `" to "` + e.New + `" failed (` + text + ")"
	}
	return text
}

func (z *Zone) logf(level errorlog.Level, format string, args ...any) {
	z.conf.Load().Log.Logf(level, 0, format, args...)
}
