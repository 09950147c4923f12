package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// rules are the purges by prefix whose files may still be on disk. Whatever
// file is opened is held against them, until the purger has seen all files.
type rules struct {
	list atomic.Pointer[ruleList]
	mu   sync.Mutex // of changes
	busy bool       // the purger is at work; guarded by mu
}

type rule struct {
	prefix []byte
	until  int64 // what was written later is not hit; as Zone.stamp tells it
}

// inForce returns the rules of this moment, not to be changed.
func (r *rules) inForce() ruleList {
	if list := r.list.Load(); list != nil {
		return *list
	}
	return nil
}

// ruleList are the rules of one moment.
type ruleList []rule

// hit tells whether an entry was purged.
func (l ruleList) hit(e *Entry) bool {
	for i := range l {
		if l[i].hit(e.text, e.slot.written) {
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
// are removed in the background; the result is true then. What is Expected is
// not stored either, and counts as there. An error, which has been logged, says
// that something may be left and come back; one may try again.
func (z *Zone) Purge(text []byte) (found bool, err error) {
	if n := len(text); n > 0 && text[n-1] == '*' {
		return true, z.purgePrefix(text[:n-1])
	}
	key := KeyOf(text)
	keys := z.doom(func(x *Expected) bool { return x.key.group() == key.group() })
	found = len(keys) > 0
	variants, err := z.variants(key)
	for _, k := range append(keys, variants...) {
		removed, failed := z.removeFile(k, 0)
		found, err = found || removed, errors.Join(err, failed)
	}
	return found, err
}

// variants returns the keys in the index, or while that is incomplete on disk,
// that are variants of a main key, itself among them.
func (z *Zone) variants(key Key) (keys []Key, err error) {
	s, hash := z.locate(&key)
	s.mu.Lock()
	for i := *s.bucket(hash); i != 0; i = s.records[i].next {
		if r := &s.records[i]; r.key.group() == key.group() {
			keys = append(keys, r.key)
		}
	}
	s.mu.Unlock()
	if !z.loading.Load() {
		return keys, nil
	}
	d, err := z.sys.Open(string(z.appendDir(nil, key.String())))
	if errors.Is(err, fs.ErrNotExist) {
		return keys, nil
	}
	if err != nil {
		z.faults.report(z, faultList, err)
		return keys, err
	}
	defer func() { _ = d.Close() }() // it was only read
	names, err := d.Readdirnames(-1)
	if err != nil {
		z.faults.report(z, faultList, err)
	}
	for _, n := range names {
		if k, ok := parseKey(n); ok && k.group() == key.group() {
			keys = append(keys, k)
		}
	}
	return keys, err
}

// purgePrefix adds a rule, applies it to what is open, and lets the purger
// look at the rest.
func (z *Zone) purgePrefix(prefix []byte) error {
	r, doomed, err := z.addRule(bytes.Clone(prefix))
	for _, key := range doomed {
		_, failed := z.removeFile(key, 0) // it may have come to its place
		err = errors.Join(err, failed)
	}
	for _, e := range z.closeLive(func(e *Entry) bool { return r.hit(e.text, e.slot.written) }) {
		_, failed := z.removeFile(e.key, e.proof)
		err = errors.Join(err, failed)
	}
	return err
}

// addRule puts a rule for a prefix in force, and returns the keys of the
// replies on their way that it dooms.
func (z *Zone) addRule(prefix []byte) (r rule, doomed []Key, err error) {
	z.rules.mu.Lock()
	defer z.rules.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(z.rules.inForce()), func(o rule) bool { return bytes.HasPrefix(o.prefix, prefix) })
	// It hits whatever is written until the replies on their way are doomed: one
	// that has come by then was written before the time that is taken after.
	r = rule{prefix: prefix, until: math.MaxInt64}
	passing := append(slices.Clone(list), r)
	z.rules.list.Store(&passing)
	doomed = z.doom(func(x *Expected) bool { return bytes.HasPrefix(x.text, prefix) })
	r.until = z.stamp()
	err = z.setRules(append(list, r))
	z.startPurger()
	return r, doomed, err
}

// setRules puts the rules in force and writes them down, so that a process
// that comes after this one knows them; rules.mu is locked.
func (z *Zone) setRules(list ruleList) error {
	path := z.journal()
	if len(list) == 0 {
		z.rules.list.Store(nil)
		err := z.sys.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			z.faults.report(z, faultRemove, err)
		}
		return err
	}
	z.rules.list.Store(&list)
	var text []byte
	for _, r := range list {
		text = strconv.AppendInt(text, r.until, 10)
		text = append(text, ' ')
		text = append(hex.AppendEncode(text, r.prefix), ".\n"...)
	}
	err := z.writeJournal(path, text)
	if err != nil {
		z.faults.report(z, faultWrite, err)
	}
	return err
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
	list = append(list, z.rules.inForce()...)
	if len(list) > 0 {
		z.rules.list.Store(&list)
		z.startPurger()
	}
}

// parseJournal reads what setRules wrote; lines that are not whole say nothing.
func parseJournal(text string) (list ruleList) {
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

// purgeAgain is when files that could not be looked at are tried again.
const purgeAgain = 10 * time.Second

// purger looks at all files until no rule is left that has not seen them all.
func (z *Zone) purger() {
	for wait := time.Duration(0); ; {
		for wait > 0 || z.loading.Load() {
			if !z.sleep(max(wait, z.conf.Load().Purger.Sleep)) {
				return
			}
			wait = 0
		}
		z.rules.mu.Lock()
		began := z.stamp() // all rules of an earlier time are in force
		z.rules.mu.Unlock()
		switch seen, ended := z.sweep(); {
		case ended:
			return
		case !seen:
			wait = purgeAgain
		case z.endRules(began):
			return
		}
	}
}

// endRules takes the rules away that are older than a sweep that has seen all
// files, and tells whether that were all.
func (z *Zone) endRules(began int64) bool {
	z.rules.mu.Lock()
	defer z.rules.mu.Unlock()
	var left ruleList
	for _, r := range z.rules.inForce() {
		if r.until > began {
			left = append(left, r)
		}
	}
	_ = z.setRules(left) // logged; what stays written is done once more by the next process
	z.rules.busy = len(left) > 0
	return len(left) == 0
}

// sweep holds every file of the index against the rules. It tells whether it
// has seen all, and whether the zone has ended before.
func (z *Zone) sweep() (seen, ended bool) {
	var t turns
	t.begin(z.conf.Load().Purger)
	seen = true
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
			seen = z.sweepFile(key) && seen
			if t.over() {
				pace := z.conf.Load().Purger
				if !z.sleep(pace.Sleep) {
					return false, true
				}
				t.begin(pace)
			}
		}
	}
	return seen, false
}

// sweepFile removes one file if a rule hits it, and tells whether that was to
// be seen, and could be done.
func (z *Zone) sweepFile(key Key) bool {
	f, err := z.sys.Open(z.file(key))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return false
	}
	h, err := readHeader(f, info.Size())
	if err != nil {
		return isDamage(err) || errors.Is(err, errForeign) // Get will not serve it
	}
	if !z.rules.inForce().hit(&Entry{text: h.text, slot: slotPlace{written: h.written}}) {
		return true
	}
	_, err = z.removeFile(key, proofOf(info))
	return err == nil
}
