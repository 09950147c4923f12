package store

import (
	"errors"
	"io/fs"
)

// removeFile removes the file of a key and its record, if it is still the file
// of the proof; with proof 0, whatever it is. The error has been logged.
func (z *Zone) removeFile(key Key, proof uint64) (removed bool, err error) {
	mu := z.lockPath(&key)
	defer mu.Unlock()
	path := z.file(key)
	if proof != 0 {
		if still, err := z.isStill(path, proof); !still || err != nil {
			if err != nil {
				z.faults.report(z, faultRemove, err)
			}
			return false, err
		}
	}
	s, hash := z.locate(&key)
	var e *Entry
	seen := proof != 0
	s.mu.Lock()
	s.removed++
	if i := s.find(&key, hash); i != 0 {
		seen = seen || s.records[i].seen
		e = z.drop(s, i, hash)
	}
	s.mu.Unlock()
	if e != nil {
		e.Release()
	}
	return z.unlink(path, seen)
}

// unlink removes a file; one that was never opened is looked at before, since
// it may be another program's. The error has been logged.
func (z *Zone) unlink(path string, seen bool) (removed bool, err error) {
	if !seen {
		if ours, err := z.isOurs(path); !ours || err != nil {
			if err != nil {
				z.faults.report(z, faultRemove, err)
			}
			return false, err
		}
	}
	switch err := z.sys.Remove(path); {
	case err == nil:
		z.faults.passed(z, faultRemove)
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		z.faults.report(z, faultRemove, err)
		return false, err
	}
}

// isStill tells whether a path leads to the file of a proof.
func (z *Zone) isStill(path string, proof uint64) (bool, error) {
	f, err := z.sys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only looked at
	info, err := f.Stat()
	return err == nil && proofOf(info) == proof, err
}

// evictIf removes the least recently used record and its file, if it is as old
// as due tells; false if there is none.
func (z *Zone) evictIf(due func(used uint32) bool) bool {
	for {
		key, used, found := z.oldest()
		if !found || !due(used) {
			return false
		}
		if z.evict(key, used) {
			return true
		}
	}
}

// oldest returns the least recently used key of all shards.
func (z *Zone) oldest() (key Key, used uint32, found bool) {
	for i := range z.shards {
		s := &z.shards[i]
		s.mu.Lock()
		if at := s.oldest(); at != 0 && (!found || s.records[at].used < used) {
			key, used, found = s.records[at].key, s.records[at].used, true
		}
		s.mu.Unlock()
	}
	return key, used, found
}

// evict removes a record and its file unless it was used again since.
func (z *Zone) evict(key Key, used uint32) bool {
	mu := z.lockPath(&key)
	defer mu.Unlock()
	s, hash := z.locate(&key)
	s.mu.Lock()
	i := s.find(&key, hash)
	if i == 0 || s.records[i].used != used {
		s.mu.Unlock()
		return false
	}
	seen, stored := s.records[i].seen, s.records[i].blocks != 0
	e := z.drop(s, i, hash)
	s.mu.Unlock()
	if e != nil {
		e.Release()
	}
	if stored {
		_, _ = z.unlink(z.file(key), seen) // a failure is logged; the next walk of the loader finds the file
	}
	return true
}

// roomAtOnce is how much one request evicts at most; what is more, as after a
// reload with a smaller keys_zone, is the manager's.
const roomAtOnce = 2

// makeRoom evicts while the index is full and the key is not in it.
func (z *Zone) makeRoom(key *Key) {
	full := z.conf.Load().maxKeys()
	if z.keys.Load() < full {
		return
	}
	s, hash := z.locate(key)
	s.mu.Lock()
	known := s.find(key, hash) != 0
	s.mu.Unlock()
	if known {
		return
	}
	z.faults.indexFull(z)
	for range roomAtOnce {
		if z.keys.Load() < full || !z.evictIf(func(uint32) bool { return true }) {
			return
		}
	}
	z.manageSoon()
}

// closeIdle closes the files that are kept open for later.
func (z *Zone) closeIdle() {
	z.closeLive(func(e *Entry) bool { return e.body.file != nil })
}

// closeLive ends the live entries that end tells, and returns them, released.
func (z *Zone) closeLive(end func(*Entry) bool) (ended []*Entry) {
	for i := range z.shards {
		s := &z.shards[i]
		first := len(ended)
		s.mu.Lock()
		for e := s.live.ring.newer; e != &s.live.ring; {
			next := e.newer
			if end(e) {
				ended = append(ended, z.quiet(s, &s.records[s.find(&e.key, z.hash(&e.key))]))
			}
			e = next
		}
		s.mu.Unlock()
		for _, e := range ended[first:] {
			e.Release()
		}
	}
	return ended
}
