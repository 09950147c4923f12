package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
)

// The errors of a Fill. None of them is worth another try with the same reply.
var (
	// ErrTooLarge: the key or the head is longer than can be stored, or the
	// body than max_size.
	ErrTooLarge = errors.New("too large to be cached")
	// ErrLength: the body is not as long as was announced.
	ErrLength = errors.New("the body broke off")
	// ErrAborted is what readers of an aborted fill get.
	ErrAborted = errors.New("the reply was not completed")
	// ErrPurged: the key was purged while the reply arrived.
	ErrPurged = errors.New("purged while it arrived")
)

// FillOptions are what is known of a reply when its body begins.
type FillOptions struct {
	Key    Key
	Text   []byte // of the key; copied
	Meta   Meta   // its slices are copied
	Length int64  // of the body; -1: unknown until its end
	// Expected is what was told of it when the upstream was asked; the caller
	// ends it after the fill. nil: purges know of the fill from Begin on.
	Expected *Expected
}

// Fill is an entry in the making. Write, Commit and Abort are for one
// goroutine, and either Commit or Abort ends it; Reader is for any.
type Fill struct {
	zone   *Zone
	key    Key
	head   header
	asked  *Expected
	own    bool // asked is the fill's to end
	length int64
	temp   string // path of the file, while it is a temporary one
	file   *body  // with the file, once there is one
	sum    uint32
	err    error // of the disk: the body is not stored any more
	// replaces is the proof of the file that alone may be replaced; 0: any.
	replaces uint64

	mu      sync.Mutex // guards what follows, and is not held over system calls
	mem     []byte     // the body from memAt on, until it goes to a file
	memAt   int64
	shown   *body // the file, when it has all that readers may read
	carried bool  // the disk has failed: mem goes on for the readers
	size    int64
	state   fillState
	readers []*FillReader
}

type fillState uint8

const (
	filling fillState = iota
	complete
	aborted
)

// Begin makes an entry that takes the place of the key's when it is committed.
// It fails with one of the errors above, or as the disk does; the zone has
// logged that then.
func (z *Zone) Begin(o FillOptions) (*Fill, error) {
	limit := z.conf.Load().MaxSize
	if !o.Meta.fits(o.Text) || limit > 0 && o.Length > limit {
		return nil, ErrTooLarge
	}
	f := &Fill{zone: z, key: o.Key, asked: o.Expected, length: o.Length}
	f.head = header{text: append([]byte(nil), o.Text...), meta: o.Meta}
	f.head.meta.own()
	f.head.layout()
	if f.asked != nil {
		f.asked.goesTo(o.Key)
		if f.asked.Purged() {
			return nil, ErrPurged
		}
	}
	if o.Length > smallBody {
		if err := f.create(); err != nil {
			return nil, err
		}
		if err := z.sys.Reserve(f.file.file, f.head.bodyOffset+o.Length); err != nil {
			f.unmake()
			z.faults.report(z, faultWrite, err)
			return nil, err
		}
	} else {
		f.mem = make([]byte, 0, max(o.Length, 0))
	}
	if f.asked == nil {
		f.asked, f.own = z.Expect(o.Key, o.Text), true
	}
	return f, nil
}

// Meta returns what was given to Begin, not to be changed.
func (f *Fill) Meta() *Meta { return &f.head.meta }

// Length is the announced length of the body, or -1.
func (f *Fill) Length() int64 { return f.length }

// create makes the temporary file.
func (f *Fill) create() error {
	z := f.zone
	var file *os.File
	var temp string
	err := z.inDirs(f.key, func() (err error) {
		file, temp, err = z.createTemp(func() string { return z.tempName(f.key) })
		return err
	})
	if err != nil {
		z.faults.report(z, faultWrite, err)
		return err
	}
	b := newBody(nil, file)
	b.offset = f.head.bodyOffset
	f.file, f.temp = b, temp
	return nil
}

// Write adds to the body. An error tells that it will not be stored, and that
// nobody reads it: when the disk fails, those who have begun to read are served
// from memory to the end, as long as that is no more than maxCarried.
func (f *Fill) Write(p []byte) (int, error) {
	if f.err == nil {
		f.err = f.write(p)
		if f.err == nil {
			return len(p), nil
		}
	}
	if f.carry(p) {
		return len(p), nil
	}
	f.finish(aborted)
	return 0, f.err
}

// maxCarried bounds the memory that one body takes when its disk fails.
const maxCarried = 16 << 20

// carry keeps a piece that could not be written, for the readers.
func (f *Fill) carry(p []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == ErrLength || f.state != filling || len(f.readers) == 0 || len(f.mem)+len(p) > maxCarried {
		return false
	}
	if !f.carried && f.shown != nil {
		f.memAt = f.size
	}
	f.carried = true
	f.mem = append(f.mem, p...)
	f.grown(len(p))
	return true
}

func (f *Fill) write(p []byte) error {
	if f.length >= 0 && f.size+int64(len(p)) > f.length {
		return ErrLength
	}
	f.sum = crc32.Update(f.sum, castagnoli(), p)
	if f.file == nil && len(f.mem)+len(p) <= smallBody {
		f.mu.Lock()
		f.mem = append(f.mem, p...)
		f.grown(len(p))
		f.mu.Unlock()
		return nil
	}
	if err := f.spill(); err != nil {
		return err
	}
	if err := f.writeAt(p, f.head.bodyOffset+f.size); err != nil {
		return err
	}
	f.mu.Lock()
	f.shown, f.mem = f.file, nil
	f.grown(len(p))
	f.mu.Unlock()
	return nil
}

// spill takes a body that became long to a file.
func (f *Fill) spill() error {
	if f.file != nil {
		return nil
	}
	if err := f.create(); err != nil {
		return err
	}
	return f.writeAt(f.mem, f.head.bodyOffset)
}

func (f *Fill) writeAt(p []byte, offset int64) error {
	if len(p) == 0 {
		return nil
	}
	err := f.zone.sys.WriteAt(f.file.file, p, offset)
	if err != nil {
		f.zone.faults.report(f.zone, faultWrite, err)
	}
	return err
}

// Commit ends the body and puts the entry in its place. The readers have all
// of the body then, whether it could be stored or not; an error tells that it
// could not.
func (f *Fill) Commit() error {
	if f.length >= 0 && f.size != f.length {
		f.err = ErrLength
	}
	if f.err == nil || f.carried && f.err != ErrLength {
		f.finish(complete)
	}
	if f.err == nil {
		f.err = f.store()
	}
	f.finish(aborted) // unless it is complete
	f.end()
	if f.err == nil {
		f.zone.manageSoon()
	}
	return f.err
}

// Abort ends a reply that will not be completed.
func (f *Fill) Abort() {
	f.finish(aborted)
	f.end()
}

// end takes the temporary file away; purges need not know of it any more.
func (f *Fill) end() {
	if f.own {
		f.asked.End()
	}
	f.unmake()
}

// unmake removes the temporary file, and gives the fill's hold on it back.
func (f *Fill) unmake() {
	if f.temp != "" {
		if err := f.zone.sys.Remove(f.temp); err != nil {
			f.zone.faults.report(f.zone, faultRemove, err)
		}
		f.temp = ""
	}
	if f.file != nil {
		f.file.release()
		f.file = nil
	}
}

// oneWrite is the longest body that is written together with its header: above
// that, copying it costs as much as another call.
const oneWrite = 16 << 10

// store writes the file and moves it to its place.
func (f *Fill) store() error {
	z, h := f.zone, &f.head
	if limit := z.conf.Load().MaxSize; limit > 0 && h.bodyOffset+f.size > limit {
		return ErrTooLarge
	}
	h.bodyLen, h.bodySum, h.sequence, h.written = f.size, f.sum, 1, z.stamp()
	small := f.file == nil && len(f.mem) <= oneWrite
	var first []byte
	var err error
	if small {
		first, err = make([]byte, 0, int(h.bodyOffset)+len(f.mem)), f.create()
	} else {
		first, err = make([]byte, 0, h.bodyOffset), f.spill()
	}
	if err != nil {
		return err
	}
	first = h.appendPrologue(first)
	first = h.appendSlot(first, prologueSum(first, h.text))[:h.bodyOffset]
	if small {
		first = append(first, f.mem...)
	}
	if err := f.writeAt(first, 0); err != nil {
		return err
	}
	info, err := f.file.file.Stat()
	if err != nil {
		z.faults.report(z, faultWrite, err)
		return fmt.Errorf("stating %q: %w", f.temp, err)
	}
	return f.place(info.Size(), proofOf(info))
}

// place renames the file and puts it into the index.
func (f *Fill) place(size int64, proof uint64) error {
	z := f.zone
	z.makeRoom(&f.key)
	mu := z.lockPath(&f.key)
	defer mu.Unlock()
	if f.asked.Purged() {
		return ErrPurged
	}
	if f.replaces != 0 {
		if still, err := z.isStill(z.file(f.key), f.replaces); !still || err != nil {
			return errors.Join(ErrPurged, err)
		}
	}
	if err := z.move(f.temp, f.key); err != nil {
		z.faults.report(z, faultWrite, err)
		return err
	}
	f.temp = ""
	z.faults.passed(z, faultWrite)
	z.placed(f.key, size, proof)
	return nil
}

// placed notes that a key has a new file; its path is locked.
func (z *Zone) placed(key Key, size int64, proof uint64) {
	s, hash := z.locate(&key)
	s.mu.Lock()
	i := z.record(s, &key, hash, uint32(unixNano()/1e9))
	rec := &s.records[i]
	rec.proof, rec.seen = proof, true
	z.settle(rec, size)
	before := z.quiet(s, rec)
	s.mu.Unlock()
	if before != nil {
		before.Release()
	}
}
