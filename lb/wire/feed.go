package wire

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
	"time"
)

// errAgain is what crypto/tls is told when no more record bytes are there: a
// temporary error, after which it can be called again.
var errAgain net.Error = againError{}

type againError struct{}

func (againError) Error() string   { return "no bytes yet" }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// IsAgain tells whether a read through a Feed ended for want of bytes.
func IsAgain(err error) bool { return err == errAgain }

// feedSize holds one whole record, so that a small message is one read.
const feedSize = 17 << 10

var feedBuffers = sync.Pool{New: func() any { return new([feedSize]byte) }}

// Feed is the net.Conn that crypto/tls reads records from and writes them to.
// During the handshake it blocks like any connection; between Enter and Leave
// it works inside a Serve callback, where it reads without waiting. While
// corked it gathers records, to be written at once.
type Feed struct {
	net.Conn // of the socket; its addresses and Close
	s        *Socket
	tls      *tls.Conn
	fd       uintptr
	inside   bool
	apart    bool            // writes come from other goroutines than reads
	drained  bool            // the last read emptied the socket
	first    []byte          // the first bytes read, up to its capacity
	buf      *[feedSize]byte // nil while nothing is held
	r, w     int

	mu     sync.Mutex // a reader may have to answer a key update while another goroutine writes
	corked bool
	out    []byte
}

// NewFeed returns the Feed of a socket.
func NewFeed(s *Socket) *Feed { return &Feed{Conn: s.conn, s: s} }

// Enter begins the work of one Serve callback.
func (f *Feed) Enter(fd uintptr) { f.fd, f.inside, f.drained = fd, true, false }

// Leave ends it.
func (f *Feed) Leave() { f.inside = false }

// Read implements net.Conn.
func (f *Feed) Read(p []byte) (int, error) {
	if f.r == f.w {
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.buf[f.r:f.w])
	if more := min(n, cap(f.first)-len(f.first)); more > 0 {
		f.first = append(f.first, p[:more]...)
	}
	f.r += n
	if f.r == f.w {
		f.release()
	}
	return n, nil
}

func (f *Feed) fill() (err error) {
	if f.inside && f.drained {
		return errAgain
	}
	if f.buf == nil {
		f.buf = feedBuffers.Get().(*[feedSize]byte)
	}
	f.r, f.w = 0, 0
	var n int
	if f.inside {
		n, err = ReadNow(f.fd, f.buf[:])
		f.drained = n < feedSize
	} else {
		n, err = f.s.Read(f.buf[:])
	}
	f.w = n
	if err != nil {
		f.release()
		if err == syscall.EAGAIN {
			return errAgain
		}
	}
	return err
}

func (f *Feed) release() {
	if f.buf != nil {
		feedBuffers.Put(f.buf)
		f.buf = nil
	}
	f.r, f.w = 0, 0
}

// Cork gathers what is written until Uncork.
func (f *Feed) Cork() {
	f.mu.Lock()
	f.corked = true
	f.mu.Unlock()
}

// Uncork writes what was gathered.
func (f *Feed) Uncork() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.corked = false
	if len(f.out) == 0 {
		return nil
	}
	_, err := f.write(f.out)
	if cap(f.out) > 4*feedSize {
		f.out = nil
	}
	f.out = f.out[:0]
	return err
}

// Drop frees the memory of an idle connection. Records that still wait to be
// written stay; the reader, who calls it, is not held up by a write.
func (f *Feed) Drop() {
	if f.mu.TryLock() { // else a write is underway, which needs the memory
		if len(f.out) == 0 {
			f.out = nil
		}
		f.mu.Unlock()
	}
	if f.r == f.w {
		f.release()
	}
}

// Write implements net.Conn.
func (f *Feed) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.corked && len(f.out) == 0 { // what waits for room goes first
		return f.write(p)
	}
	f.out = append(f.out, p...)
	return len(p), nil
}

func (f *Feed) write(p []byte) (int, error) {
	if !f.apart && f.inside {
		return f.s.WriteFrom(f.fd, p)
	}
	return f.s.Write(p)
}

// SetDeadline implements net.Conn; the Socket's own limits hold instead.
func (f *Feed) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn, see SetDeadline.
func (f *Feed) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn, see SetDeadline.
func (f *Feed) SetWriteDeadline(time.Time) error { return nil }
