package store

import (
	"os"
	"sync/atomic"
	"syscall"
)

// Entry is a stored reply that is in use. It never changes; what replaces it
// is another Entry. It stays readable until Release, whatever happens to its
// file. Its methods may be called from several goroutines.
type Entry struct {
	key   Key
	text  []byte
	meta  Meta
	slot  slotPlace
	body  *body
	proof uint64 // of the file as this entry knows it
	refs  atomic.Int32

	// Guarded by the lock of the shard while the entry is live.
	place        uint32 // in liveSet.entries
	hits         uint8
	newer, older *Entry
}

// slotPlace is where an entry's header stands in its file.
type slotPlace struct {
	size     int
	sequence uint64
	written  int64 // nanoseconds of Unix time
	bodySum  uint32
}

// body is the body of one file, shared by the entries that a revalidation
// makes of each other.
type body struct {
	mem    []byte   // all of it; or
	file   *os.File // the file, where the body begins at offset
	offset int64
	length int64
	refs   atomic.Int32
}

func newBody(mem []byte, file *os.File) *body {
	b := &body{mem: mem, file: file}
	b.refs.Store(1)
	return b
}

func (b *body) release() {
	if b.refs.Add(-1) == 0 && b.file != nil {
		_ = b.file.Close() // it was only read
	}
}

// Key returns the entry's key.
func (e *Entry) Key() Key { return e.key }

// Text returns the text of the entry's key, not to be changed.
func (e *Entry) Text() []byte { return e.text }

// Meta returns what is known of the reply, not to be changed.
func (e *Entry) Meta() *Meta { return &e.meta }

// Len is the length of the body.
func (e *Entry) Len() int64 { return e.body.length }

// Bytes returns the whole body of an entry that is held in memory, not to be
// changed and only until Release; in false, the body is to be had from File.
func (e *Entry) Bytes() (p []byte, ok bool) {
	return e.body.mem, e.body.file == nil
}

// File returns the open file of an entry that is not in memory and where in it
// the body begins. Others read the same file: only reads at an offset, and
// sendfile with one, are allowed.
func (e *Entry) File() (f *os.File, offset int64) {
	return e.body.file, e.body.offset
}

// altered tells whether somebody has written to the file since it was checked.
// An entry in memory does not mind.
func (e *Entry) altered() bool {
	if e.body.file == nil {
		return false
	}
	var st syscall.Stat_t
	return syscall.Fstat(int(e.body.file.Fd()), &st) != nil || proofOfStat(&st) != e.proof
}

// Release ends the use of the entry that a method of Zone returned.
func (e *Entry) Release() {
	if e.refs.Add(-1) == 0 {
		e.body.release()
	}
}

// retain adds a user; the caller knows that there is one already.
func (e *Entry) retain() *Entry {
	e.refs.Add(1)
	return e
}

// cost is what a live entry takes of the zone's memory.
func (e *Entry) cost() int64 {
	return int64(len(e.body.mem)+len(e.text)+len(e.meta.Head)+len(e.meta.Vary)+len(e.meta.ETag)) + 512
}
