package store

import (
	"errors"
	"io/fs"
)

// Update gives an entry new meta, as after a revalidation, and returns the
// entry that stands for it from now on, to be released; the caller's use of e
// goes on. The body is not written again, unless the header has outgrown its
// room. Where the file cannot be changed, the new meta holds as long as the
// entry stays in memory; where another entry has taken the place of e, or it
// was purged since the upstream was asked, only for the caller.
func (z *Zone) Update(e *Entry, m Meta, asked *Expected) *Entry {
	m.own()
	next := &Entry{key: e.key, text: e.text, meta: m, slot: e.slot, body: e.body, proof: e.proof, hits: e.hitsNow(z)}
	next.body.refs.Add(1)
	next.refs.Store(1)
	next.slot.sequence++
	next.slot.written = z.stamp()
	asked.goesTo(e.key)
	switch {
	case z.rules.inForce().hit(e): // and the file will be removed; a later rule finds what was asked for
		z.unproven(e)
	case m.size() > e.slot.size:
		z.rewrite(e, next, asked)
	default:
		z.renew(e, next, asked)
	}
	return next
}

// outcome is what became of a header that was to be written into a file.
type outcome uint8

const (
	written  outcome = iota
	failed           // by the disk's fault
	replaced         // the file is another entry's, or gone, or purged
)

// renew writes the header of next into the file of e, and lets others find it.
func (z *Zone) renew(e, next *Entry, asked *Expected) {
	mu := z.lockPath(&e.key)
	result := replaced
	if !asked.Purged() {
		result = z.writeSlot(next)
	}
	switch result {
	case written:
		z.settled(next)
	case failed:
		next.slot = e.slot // the next header goes where this one was torn
		z.succeed(e, next)
	case replaced:
		z.unproven(e)
	}
	mu.Unlock()
	z.trimLive(&e.key)
}

// settled lets others find an entry whose header has been written; its path is
// locked.
func (z *Zone) settled(next *Entry) {
	s, hash := z.locate(&next.key)
	var before *Entry
	s.mu.Lock()
	if i := s.find(&next.key, hash); i != 0 {
		s.records[i].proof = next.proof
		before = z.enliven(s, &s.records[i], next)
	}
	s.mu.Unlock()
	if before != nil {
		before.Release()
	}
}

// hitsNow keeps the count of hits over an update.
func (e *Entry) hitsNow(z *Zone) uint8 {
	s, _ := z.locate(&e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.hits
}

// writeSlot writes the header of an entry over the older one of its file; the
// path is locked.
func (z *Zone) writeSlot(e *Entry) outcome {
	f, err := z.sys.Change(z.file(e.key))
	if errors.Is(err, fs.ErrNotExist) {
		return replaced
	}
	if err != nil {
		z.faults.report(z, faultWrite, err)
		return failed
	}
	defer func() { _ = f.Close() }() // WriteAt has told what failed
	info, err := f.Stat()
	if err != nil || proofOf(info) != e.proof {
		return replaced
	}
	h := header{text: e.text, slotSize: e.slot.size, meta: e.meta, bodyLen: e.body.length, bodySum: e.slot.bodySum,
		sequence: e.slot.sequence, written: e.slot.written}
	h.bodyOffset = int64(prologueSize + len(h.text) + 2*h.slotSize)
	prologue := h.appendPrologue(nil)
	slot := h.appendSlot(nil, prologueSum(prologue, h.text))
	// The first header, number one, stands in the first slot.
	at := len(prologue) + int((h.sequence+1)&1)*h.slotSize
	err = z.sys.WriteAt(f, slot, int64(at))
	if info, statErr := f.Stat(); statErr == nil {
		e.proof = proofOf(info)
	}
	if err != nil {
		z.faults.report(z, faultWrite, err)
		return failed
	}
	z.faults.passed(z, faultWrite)
	return written
}

// rewrite makes a new file with the header of next and the body of e.
func (z *Zone) rewrite(e, next *Entry, asked *Expected) {
	f, err := z.Begin(FillOptions{Key: e.key, Text: e.text, Meta: next.meta, Length: e.body.length, Expected: asked})
	if err == nil {
		f.replaces = e.proof
		if err = z.copyBody(f, e); err == nil {
			err = f.Commit()
		} else {
			f.Abort()
		}
	}
	switch {
	case errors.Is(err, ErrPurged): // or replaced
		z.unproven(e)
	case err != nil: // logged where it is the disk's fault
		next.slot = e.slot
		z.succeed(e, next)
	}
}

// copyBody writes the body of an entry to a fill.
func (z *Zone) copyBody(f *Fill, e *Entry) error {
	if mem, ok := e.Bytes(); ok {
		_, err := f.Write(mem)
		return err
	}
	buf := z.buffer()
	defer z.buffers.Put(buf)
	for at := int64(0); at < e.body.length; {
		n, err := e.body.file.ReadAt(buf[:min(copyBuffer, e.body.length-at)], e.body.offset+at)
		if n == 0 {
			z.faults.report(z, faultRead, err)
			return err
		}
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
