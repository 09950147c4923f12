package store

import (
	"errors"
	"io"
)

// ErrInterrupted is what an interrupted FillReader gets.
var ErrInterrupted = errors.New("interrupted")

// FillReader reads the body of a Fill while it arrives. One goroutine reads;
// Interrupt may be called by another.
type FillReader struct {
	fill        *Fill
	body        *body // held until Close, once there is a file
	offset      int64
	signal      chan struct{} // has room for one
	waiting     bool          // guarded by fill.mu, as is
	interrupted bool
}

// Reader returns a reader of the body from an offset on, to be closed, or nil
// where the fill has ended: then the entry is found by Get, or was not stored.
func (f *Fill) Reader(offset int64) *FillReader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != filling {
		return nil
	}
	r := &FillReader{fill: f, offset: offset, signal: make(chan struct{}, 1)}
	f.readers = append(f.readers, r)
	return r
}

// grown notes more of the body and wakes those who wait; f.mu is locked.
func (f *Fill) grown(n int) {
	f.size += int64(n)
	f.wake()
}

func (f *Fill) wake() {
	for _, r := range f.readers {
		r.rouse()
	}
}

// rouse wakes a reader that waits; fill.mu is locked.
func (r *FillReader) rouse() {
	if r.waiting {
		r.waiting = false
		r.signal <- struct{}{}
	}
}

// finish tells the readers that the body has ended, if it has not before. They
// keep what they need to read the rest.
func (f *Fill) finish(state fillState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != filling {
		return
	}
	f.state = state
	for _, r := range f.readers {
		r.hold(f)
	}
	f.wake()
}

// hold keeps the fill's file for the reader; fill.mu is locked.
func (r *FillReader) hold(f *Fill) {
	if r.body == nil && f.shown != nil {
		f.shown.refs.Add(1)
		r.body = f.shown
	}
}

// Next returns the next piece of the body, and waits where none has arrived.
// The piece may lie in buf, and is valid until the next call. The end is
// io.EOF, or ErrAborted where the rest will not come.
func (r *FillReader) Next(buf []byte) ([]byte, error) {
	f := r.fill
	f.mu.Lock()
	for {
		switch {
		case r.interrupted:
			f.mu.Unlock()
			return nil, ErrInterrupted
		case f.size > r.offset:
			return r.take(buf)
		case f.state == complete:
			f.mu.Unlock()
			return nil, io.EOF
		case f.state == aborted:
			f.mu.Unlock()
			return nil, ErrAborted
		}
		r.waiting = true
		f.mu.Unlock()
		<-r.signal
		f.mu.Lock()
	}
}

// take returns what there is; fill.mu is locked, and unlocked on return.
func (r *FillReader) take(buf []byte) ([]byte, error) {
	f := r.fill
	r.hold(f)
	n := f.size - r.offset
	if in := r.offset - f.memAt; in >= 0 && in+n == int64(len(f.mem)) {
		p := f.mem[in:len(f.mem):len(f.mem)]
		r.offset = f.size
		f.mu.Unlock()
		return p, nil
	}
	if f.carried {
		n = f.memAt - r.offset
	}
	f.mu.Unlock()
	got, err := r.body.file.ReadAt(buf[:min(n, int64(len(buf)))], r.body.offset+r.offset)
	r.offset += int64(got)
	if got > 0 {
		return buf[:got], nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

// Interrupt ends a wait in Next, and all later calls of it.
func (r *FillReader) Interrupt() {
	r.fill.mu.Lock()
	defer r.fill.mu.Unlock()
	r.interrupted = true
	r.rouse()
}

// Close gives up what the reader holds.
func (r *FillReader) Close() {
	f := r.fill
	f.mu.Lock()
	for i, other := range f.readers {
		if other == r {
			f.readers = append(f.readers[:i], f.readers[i+1:]...)
			break
		}
	}
	f.mu.Unlock()
	if r.body != nil {
		r.body.release()
		r.body = nil
	}
}
