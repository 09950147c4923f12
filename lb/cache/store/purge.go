package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// rules are the purges by prefix whose files may still be on disk. Whatever
// file is opened is held against them, until the purger has seen all files.
type rules struct {
	list atomic.Pointer[[]rule]
	mu   sync.Mutex // of changes
	busy bool       // the purger is at work; guarded by mu
}

type rule struct {
	prefix []byte
	until  int64 // what was written later is not hit; nanoseconds of Unix time
}

// hit tells whether an entry was purged.
func (r *rules) hit(e *Entry) bool {
	list := r.list.Load()
	if list == nil {
		return false
	}
	for i := range *list {
		if (*list)[i].hit(e.text, e.slot.written) {
			return true
		}
	}
	return false
}

func (r *rule) hit(text []byte, written int64) bool {
	return written <= r.until && bytes.HasPrefix(text, r.prefix)
}

// Purge removes the entries of a key's text, all variants of them, and tells
// whether there were any. A text that ends in "*" is a prefix: all entries
// whose texts begin with it are gone for every later Get, while their files
// are removed in the background; the result is true then. What is on its way
// from an upstream is not stored either.
func (z *Zone) Purge(text []byte) bool {
	if n := len(text); n > 0 && text[n-1] == '*' {
		z.purgePrefix(text[:n-1])
		return true
	}
	key := KeyOf(text)
	z.doom(func(f *Fill) bool { return f.key.group() == key.group() })
	found := false
	for _, k := range z.variants(key) {
		found = z.removeFile(k, 0) || found
	}
	return found
}

// doom keeps fills from being stored.
func (z *Zone) doom(hit func(*Fill) bool) {
	z.fills.mu.Lock()
	defer z.fills.mu.Unlock()
	for f := range z.fills.all {
		if hit(f) {
			f.mu.Lock()
			f.doomed = true
			f.mu.Unlock()
		}
	}
}

// variants returns the keys in the index, or while that is incomplete on disk,
// that are variants of a main key, itself among them.
func (z *Zone) variants(key Key) []Key {
	var keys []Key
	s, hash := z.locate(&key)
	s.mu.Lock()
	for i := *s.bucket(hash); i != 0; i = s.records[i].next {
		if r := &s.records[i]; r.key.group() == key.group() {
			keys = append(keys, r.key)
		}
	}
	s.mu.Unlock()
	if !z.loading.Load() {
		return keys
	}
	name := key.String()
	d, err := z.sys.Open(string(z.appendDir(nil, name)))
	if err != nil {
		return keys // there is nothing
	}
	defer func() { _ = d.Close() }() // it was only read
	names, _ := d.Readdirnames(-1)   // what could not be read is not purged, as the result tells
	for _, n := range names {
		if k, ok := parseKey(n); ok && k.group() == key.group() {
			keys = append(keys, k)
		}
	}
	return keys
}

// purgePrefix adds a rule, applies it to what is open, and lets the purger
// look at the rest.
func (z *Zone) purgePrefix(prefix []byte) {
	r := rule{prefix: bytes.Clone(prefix), until: unixNano()}
	z.rules.mu.Lock()
	var list []rule
	if old := z.rules.list.Load(); old != nil {
		list = append(list, *old...)
	}
	z.setRules(append(list, r))
	z.startPurger()
	z.rules.mu.Unlock()
	z.doom(func(f *Fill) bool { return bytes.HasPrefix(f.head.text, prefix) })
	for _, e := range z.closeLive(func(e *Entry) bool { return r.hit(e.text, e.slot.written) }) {
		z.removeFile(e.key, e.proof)
	}
}

// setRules puts the rules in force and writes them down, so that a process
// that comes after this one knows them; rules.mu is locked.
func (z *Zone) setRules(list []rule) {
	path := z.journal()
	if len(list) == 0 {
		z.rules.list.Store(nil)
		if err := z.sys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			z.faults.report(z, faultRemove, err)
		}
		return
	}
	z.rules.list.Store(&list)
	var text []byte
	for _, r := range list {
		text = strconv.AppendInt(text, r.until, 10)
		text = append(text, ' ')
		text = append(hex.AppendEncode(text, r.prefix), ".\n"...)
	}
	if err := z.writeJournal(path, text); err != nil {
		z.faults.report(z, faultWrite, err)
	}
}

func (z *Zone) journal() string { return filepath.Join(z.path, "purges") }

func (z *Zone) writeJournal(path string, text []byte) error {
	temp := path + ".new"
	if err := z.sys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := z.sys.Create(temp)
	if err != nil {
		return err
	}
	err = errors.Join(z.sys.WriteAt(f, text, 0), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return z.sys.Rename(temp, path)
}

// recallPurges reads the purges that an earlier process did not finish.
func (z *Zone) recallPurges() {
	text, err := z.sys.ReadFile(z.journal())
	if err != nil {
		return // there is none, as nearly always
	}
	list := parseJournal(string(text))
	z.rules.mu.Lock()
	defer z.rules.mu.Unlock()
	if old := z.rules.list.Load(); old != nil {
		list = append(list, *old...)
	}
	if len(list) > 0 {
		z.rules.list.Store(&list)
		z.startPurger()
	}
}

// parseJournal reads what setRules wrote; lines that are not whole say nothing.
func parseJournal(text string) (list []rule) {
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, ".\n")
		at, prefix, found := strings.Cut(line, " ")
		until, err := strconv.ParseInt(at, 10, 64)
		p, hexErr := hex.DecodeString(prefix)
		if whole && found && err == nil && hexErr == nil {
			list = append(list, rule{prefix: p, until: until})
		}
	}
	return list
}

// startPurger starts the purger unless it is at work; rules.mu is locked.
func (z *Zone) startPurger() {
	if z.rules.busy {
		return
	}
	select {
	case <-z.work.stop:
		return
	default:
	}
	z.rules.busy = true
	z.work.done.Go(z.purger)
}

// purger looks at all files until no rule is left that has not seen them all.
func (z *Zone) purger() {
	for {
		for z.loading.Load() {
			if !z.sleep(z.conf.Load().Purger.Sleep) {
				return
			}
		}
		began := unixNano()
		if !z.sweep() {
			return
		}
		z.rules.mu.Lock()
		var left []rule
		for _, r := range *z.rules.list.Load() {
			if r.until > began {
				left = append(left, r)
			}
		}
		z.setRules(left)
		if len(left) == 0 {
			z.rules.busy = false
			z.rules.mu.Unlock()
			return
		}
		z.rules.mu.Unlock()
	}
}

// sweep holds every file of the index against the rules; false when the zone
// ends before.
func (z *Zone) sweep() bool {
	var t turns
	t.begin(z.conf.Load().Purger)
	for i := range z.shards {
		s := &z.shards[i]
		for at := 1; ; at++ {
			s.mu.Lock()
			if at >= len(s.records) {
				s.mu.Unlock()
				break
			}
			key, stored := s.records[at].key, s.records[at].blocks != 0
			s.mu.Unlock()
			if !stored {
				continue
			}
			z.sweepFile(key)
			if t.over() {
				pace := z.conf.Load().Purger
				if !z.sleep(pace.Sleep) {
					return false
				}
				t.begin(pace)
			}
		}
	}
	return true
}

// sweepFile removes one file if a rule hits it.
func (z *Zone) sweepFile(key Key) {
	f, err := z.sys.Open(z.file(key))
	if err != nil {
		return // Get will see
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return
	}
	h, err := readHeader(f, info.Size())
	if err == nil && z.rules.hit(&Entry{text: h.text, slot: slotPlace{written: h.written}}) {
		z.removeFile(key, proofOf(info))
	}
}
