package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// listAtOnce is how many names of a directory are read at a time.
const listAtOnce = 256

// loadAgain is when a directory that could not be read is tried again.
const loadAgain = 10 * time.Second

// lookAgain is how often the directory is walked once all is known: another
// process, such as the one before an upgrade, may have added to it.
const lookAgain = time.Hour

// load finds the files that an earlier process has left. Until it is through,
// a key that the index does not know is looked for on disk.
func (z *Zone) load() {
	l := loader{z: z, used: uint32(time.Now().Unix())}
	for {
		l.turn.begin(z.conf.Load().Loader)
		err := l.dir(z.path, 0)
		if temp := z.conf.Load().TempPath; err == nil && temp != "" {
			err = l.dir(temp, len(z.levels))
		}
		switch {
		case err == nil:
			z.faults.passed(z, faultList)
			z.loading.Store(false)
			if !z.sleep(lookAgain) {
				return
			}
			l.used, l.late = uint32(time.Now().Unix()), true
			continue
		case errors.Is(err, errStopped):
			return
		}
		z.faults.report(z, faultList, err)
		if !z.sleep(loadAgain) {
			return
		}
	}
}

var errStopped = errors.New("stopped")

// loader walks over the directory of a zone.
type loader struct {
	z    *Zone
	used uint32 // what is found counts as used at the start of the walk
	late bool   // the index was complete before
	turn turns
}

// dir reads one directory, depth levels below the zone's. One that is not
// there holds nothing.
func (l *loader) dir(path string, depth int) error {
	d, err := l.z.sys.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	defer func() { _ = d.Close() }() // it was only read
	for {
		entries, err := d.ReadDir(listAtOnce)
		for _, e := range entries {
			if err := l.entry(path, e, depth); err != nil {
				return err
			}
		}
		if len(entries) == 0 {
			if err != nil && err != io.EOF {
				return err
			}
			return nil
		}
	}
}

// entry looks at one name. What does not look like ours is left alone.
func (l *loader) entry(dir string, e os.DirEntry, depth int) error {
	z, name := l.z, e.Name()
	if depth < len(z.levels) {
		if e.IsDir() && len(name) == z.levels[depth] && isHex(name) {
			return l.dir(filepath.Join(dir, name), depth+1)
		}
		return nil
	}
	if !e.Type().IsRegular() {
		return nil
	}
	if key, ok := parseKey(name); ok {
		if z.file(key) == filepath.Join(dir, name) {
			l.file(key, e)
		}
	} else if _, ok := isTemp(name); ok {
		z.removeOrphan(filepath.Join(dir, name))
	}
	if l.turn.over() {
		pace := z.conf.Load().Loader
		if !z.sleep(pace.Sleep) {
			return errStopped
		}
		l.turn.begin(pace)
	}
	return nil
}

func isHex(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(c byte) bool { return !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') })
}

// file adds one file to the index. When that is full, the file goes: nothing
// tells which one is the oldest.
func (l *loader) file(key Key, e os.DirEntry) {
	z := l.z
	mu := z.lockPath(&key)
	defer mu.Unlock()
	info, err := e.Info()
	if err != nil {
		return // it has gone meanwhile
	}
	s, hash := z.locate(&key)
	s.mu.Lock()
	known := s.find(&key, hash)
	full := known == 0 && z.keys.Load() >= z.conf.Load().maxKeys()
	if !full {
		if known == 0 {
			known = l.insert(s, &key, hash)
			s.grow(z.hash)
			z.keys.Add(1)
		}
		z.settle(&s.records[known], info.Size())
	}
	s.mu.Unlock()
	if full {
		z.faults.indexFull(z)
		_, _ = z.unlink(z.file(key), false) // a failure is logged
	}
}

// insert adds a record: first behind all that was used since the start.
func (l *loader) insert(s *shard, key *Key, hash uint64) uint32 {
	if l.late {
		return s.insert(key, hash, l.used)
	}
	return s.insertOldest(key, hash, l.used)
}

// removeOrphan removes a temporary file that no process writes any more.
func (z *Zone) removeOrphan(path string) {
	f, err := z.sys.Open(path)
	if err != nil {
		return // it has gone meanwhile
	}
	defer func() { _ = f.Close() }() // it was only looked at
	if z.sys.Lock(f) {
		_, _ = z.unlink(path, true) // a failure is logged
	}
}
