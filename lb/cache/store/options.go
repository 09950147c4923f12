package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
)

// Options are the settings of a zone: one `proxy_cache_path` line.
type Options struct {
	Name   string // of the zone, for messages
	Path   string // the directory
	Levels []int  // lengths of the names of directories below it: up to three, each 1 or 2
	// KeysSize is the size of keys_zone in bytes. It bounds how many keys the
	// index knows, and as many bytes may be taken by entries held in memory.
	KeysSize int64
	Inactive time.Duration // after which an unused entry is removed
	MaxSize  int64         // of all files, in bytes; 0: unbounded
	MinFree  int64         // bytes to be left on the disk; 0: all may be used
	// TempPath is the directory for files in the making; empty: they stand
	// beside where they will go (use_temp_path=off).
	TempPath string
	Manager  Pace // of the removal of old entries
	Loader   Pace // of finding the files of an earlier process
	Purger   Pace // of looking for what a purge by prefix has hit
	Log      *errorlog.Logger
}

// Pace bounds work in the background: a turn ends after Files files or
// Threshold, and Sleep passes before the next.
type Pace struct {
	Files     int
	Sleep     time.Duration
	Threshold time.Duration
}

// What nginx takes where proxy_cache_path says nothing.
const (
	DefaultInactive = 10 * time.Minute
	defaultFiles    = 100
	defaultSleep    = 50 * time.Millisecond
	defaultTurn     = 200 * time.Millisecond
)

// keySize is what one key takes of keys_zone: nginx's manual promises 8,000
// for a megabyte.
const keySize = 128

// minKeys keep the smallest zone useful.
const minKeys = 64

// validate fills in what was left out.
func (o *Options) validate() error {
	if o.Path == "" || o.KeysSize <= 0 {
		return errors.New("a cache needs a directory and a size for its keys")
	}
	if len(o.Levels) > 3 {
		return fmt.Errorf("cache %q: %d levels of directories, at most 3 are possible", o.Name, len(o.Levels))
	}
	for _, n := range o.Levels {
		if n != 1 && n != 2 {
			return fmt.Errorf("cache %q: a level of %d digits, 1 or 2 are possible", o.Name, n)
		}
	}
	if o.Inactive <= 0 {
		o.Inactive = DefaultInactive
	}
	for _, p := range []*Pace{&o.Manager, &o.Loader, &o.Purger} {
		p.complete()
	}
	return nil
}

func (p *Pace) complete() {
	if p.Files <= 0 {
		p.Files = defaultFiles
	}
	if p.Sleep <= 0 {
		p.Sleep = defaultSleep
	}
	if p.Threshold <= 0 {
		p.Threshold = defaultTurn
	}
}

// maxKeys is how many keys the index may know.
func (o *Options) maxKeys() int64 { return max(o.KeysSize/keySize, minKeys) }

// levels writes the levels as the configuration does.
func levels(l []int) string {
	var words []string
	for _, n := range l {
		words = append(words, fmt.Sprint(n))
	}
	return strings.Join(words, ":")
}
