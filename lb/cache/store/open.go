package store

import (
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"syscall"
)

// sought is what a file is opened for.
type sought struct {
	key     Key
	text    []byte
	now     int64
	removed uint64 // of the shard, before the file was opened
	proof   uint64 // of the file whose body needs no check any more
}

func bodySum(p []byte) uint32 { return crc32.Checksum(p, castagnoli()) }

// open looks at the file of a key, checks it, and keeps it open for others.
func (z *Zone) open(want sought) *Entry {
	path := z.file(want.key)
	purged := z.rules.inForce()
	f, err := z.sys.Open(path)
	if isExhausted(err) {
		z.closeIdle()
		f, err = z.sys.Open(path)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			z.forget(want.key)
		} else {
			z.faults.report(z, faultOpen, err)
		}
		return nil
	}
	z.faults.passed(z, faultOpen)
	e, size, err := z.read(f, &want)
	if err == nil {
		z.admit(e, &want, size)
		// A rule that was in force before the file was opened may have ended
		// since. One that came before the entry was admitted is seen here; one
		// that comes later finds the entry where it was admitted.
		if !purged.hit(e) && !z.rules.inForce().hit(e) {
			return e
		}
		_, _ = z.removeFile(want.key, e.proof) // a failure is logged, and the rule stays
		e.Release()
		return nil
	}
	z.refuse(f, want.key, err)
	return nil
}

// refuse closes a file that makes no entry, and draws the consequences.
func (z *Zone) refuse(f *os.File, key Key, why error) {
	proof := uint64(0)
	if info, err := f.Stat(); err == nil {
		proof = proofOf(info)
	}
	_ = f.Close() // it was only read
	switch {
	case errors.Is(why, errOtherText):
	case errors.Is(why, errForeign):
		z.forget(key)
	case isDamage(why):
		z.discard(key, proof, why)
	default:
		z.faults.report(z, faultRead, why)
	}
}

// errOtherText is no fault: two texts have the same key.
var errOtherText = errors.New("the file of another key")

// isExhausted tells the errors that closing files may cure.
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// read checks a file and makes an entry of it, which has the file then.
func (z *Zone) read(f *os.File, want *sought) (e *Entry, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errForeign
	}
	h, err := readHeader(f, info.Size())
	if err != nil {
		return nil, 0, err
	}
	if !h.sameText(want.text) {
		return nil, 0, errOtherText
	}
	proof := proofOf(info)
	if proof != want.proof {
		buf := z.buffer()
		err = checkBody(f, &h, buf[:])
		z.buffers.Put(buf)
		if err != nil {
			return nil, 0, err
		}
	}
	b := newBody(nil, f)
	b.offset, b.length = h.bodyOffset, h.bodyLen
	e = &Entry{key: want.key, text: h.text, meta: h.meta, body: b, proof: proof, slot: slotPlace{
		size: h.slotSize, sequence: h.sequence, written: h.written, bodySum: h.bodySum,
	}, hits: 1}
	e.refs.Store(1)
	return e, info.Size(), nil
}

// reopen looks anew at the file of a live entry that somebody else has written
// to since it was opened. It takes the caller's use of the entry.
func (z *Zone) reopen(e *Entry, now int64) *Entry {
	z.unproven(e)
	s, _ := z.locate(&e.key)
	s.mu.Lock()
	removed := s.removed
	s.mu.Unlock()
	again := z.open(sought{key: e.key, text: e.text, now: now, removed: removed})
	e.Release()
	return again
}

func (z *Zone) buffer() *[copyBuffer]byte {
	if buf, ok := z.buffers.Get().(*[copyBuffer]byte); ok {
		return buf
	}
	return new([copyBuffer]byte)
}

// admit keeps an entry that was opened for those who come after, unless the
// file may have been removed or replaced meanwhile: then it serves this one
// use only.
func (z *Zone) admit(e *Entry, want *sought, size int64) {
	z.makeRoom(&want.key)
	s, hash := z.locate(&want.key)
	s.mu.Lock()
	known := s.find(&want.key, hash)
	same := s.removed == want.removed
	if known != 0 && s.records[known].proof != 0 {
		same = s.records[known].proof == e.proof
	}
	if !same {
		s.mu.Unlock()
		return
	}
	rec := &s.records[z.record(s, &want.key, hash, uint32(want.now))]
	rec.proof, rec.seen = e.proof, true
	z.settle(rec, size)
	before := z.enliven(s, rec, e)
	s.mu.Unlock()
	if before != nil {
		before.Release()
	}
	z.trimLive(&want.key)
}

// forget takes the record of a file away that is gone, or not ours.
func (z *Zone) forget(key Key) {
	mu := z.lockPath(&key)
	defer mu.Unlock()
	if ours, err := z.isOurs(z.file(key)); ours || err != nil {
		return
	}
	s, hash := z.locate(&key)
	var e *Entry
	s.mu.Lock()
	if i := s.find(&key, hash); i != 0 && s.records[i].blocks != 0 {
		e = z.drop(s, i, hash)
	}
	s.mu.Unlock()
	if e != nil {
		e.Release()
	}
}

// discard removes a file that is damaged, and says so.
func (z *Zone) discard(key Key, proof uint64, why error) {
	if removed, err := z.removeFile(key, proof); removed || err != nil {
		z.logf(levelDamage, "cache file %q is of no use: %v", z.file(key), why)
	}
}
