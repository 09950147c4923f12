package accesslog

import (
	"bytes"
	"compress/gzip"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
)

// bufferOptions are the parameters of a buffered log.
type bufferOptions struct {
	size  int64         // bytes; 0: unbuffered
	flush time.Duration // longest time a line is held back; 0: no bound
	gzip  int           // level; 0: none
}

// buffered holds lines back until its buffer is full or the oldest has waited
// for the flush time.
type buffered struct {
	file   *errorlog.File
	opts   bufferOptions
	report *reporter

	mu    sync.Mutex
	buf   []byte
	timer *time.Timer // set while something is held back; nil without flush=

	// out is held during a write. It is taken under mu and mu is released
	// before the write, so that lines keep their order while others fill the
	// spare buffer.
	out        sync.Mutex
	spare      []byte
	compressor *gzip.Writer // nil without gzip
	compressed bytes.Buffer
}

func newBuffered(f *errorlog.File, o bufferOptions, report *reporter) (*buffered, error) {
	b := &buffered{
		file: f, opts: o, report: report,
		buf: make([]byte, 0, o.size), spare: make([]byte, 0, o.size),
	}
	if o.gzip > 0 {
		var err error
		if b.compressor, err = gzip.NewWriterLevel(&b.compressed, o.gzip); err != nil {
			return nil, err
		}
	}
	if o.flush > 0 {
		b.timer = time.AfterFunc(o.flush, b.Flush)
		b.timer.Stop()
	}
	f.Attach(b)
	return b, nil
}

func (b *buffered) write(line []byte) {
	b.mu.Lock()
	for len(b.buf) > 0 && int64(len(b.buf)+len(line)) > b.opts.size {
		b.swapAndWrite()
		b.mu.Lock()
	}
	if b.timer != nil && len(b.buf) == 0 {
		b.timer.Reset(b.opts.flush)
	}
	b.buf = append(b.buf, line...)
	if int64(len(b.buf)) > b.opts.size { // a line that never fits is not held back
		b.swapAndWrite()
		return
	}
	b.mu.Unlock()
}

// Flush writes what is held back.
func (b *buffered) Flush() {
	b.mu.Lock()
	b.swapAndWrite()
}

// swapAndWrite empties the buffer into the file; called with mu held, it
// returns without it.
func (b *buffered) swapAndWrite() {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.out.Lock()
	defer b.out.Unlock()
	full := b.buf
	b.buf = b.spare[:0]
	b.mu.Unlock()
	if int64(cap(full)) > 2*b.opts.size {
		b.spare = make([]byte, 0, b.opts.size)
	} else {
		b.spare = full
	}
	if len(full) == 0 {
		return
	}
	if err := b.emit(full); err != nil {
		b.report.failed(err)
	}
}

// emit writes the bytes, compressed as one gzip member where that is asked
// for: members that follow each other are one gzip file (RFC 1952, 2.2).
func (b *buffered) emit(full []byte) error {
	if b.compressor != nil {
		b.compressed.Reset()
		b.compressor.Reset(&b.compressed)
		if _, err := b.compressor.Write(full); err != nil {
			return err
		}
		if err := b.compressor.Close(); err != nil {
			return err
		}
		full = b.compressed.Bytes()
	}
	_, err := b.file.Write(full)
	return err
}

func (b *buffered) close() error {
	b.file.Detach(b)
	b.Flush()
	return b.file.Close()
}
