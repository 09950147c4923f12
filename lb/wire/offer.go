package wire

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// Offer writes what the socket takes of p without waiting, and returns how
// much that was. Inside a Serve callback fd is its descriptor, elsewhere 0.
func (s *Socket) Offer(fd uintptr, p []byte) (n int, err error) {
	if fd != 0 {
		n, err = WriteNow(fd, p)
	} else if n, err = s.offer(p); errors.Is(err, os.ErrDeadlineExceeded) { // of a write long done
		if err = s.conn.SetWriteDeadline(time.Time{}); err == nil {
			n, err = s.offer(p)
		}
	}
	if err == syscall.EAGAIN {
		err = nil
	}
	return n, err
}

func (s *Socket) offer(p []byte) (int, error) {
	w := s.writer()
	if err := w.once(s.raw, p); err != nil {
		return 0, err
	}
	return w.wrote, w.err
}

// Offer is Socket.Offer for both kinds of stream. Over TLS all of p is taken,
// and what the socket did not take of its records is kept: see Pending.
func (s *Stream) Offer(fd uintptr, p []byte) (n int, err error) {
	if s.feed == nil {
		return s.Socket.Offer(fd, p)
	}
	s.feed.Cork()
	n, err = s.feed.tls.Write(p)
	if offered := s.feed.offer(); err == nil {
		err = offered
	}
	return n, err
}

// Pending tells whether records of an Offer still wait for room; the next
// Write, even of nothing, sends them first.
func (s *Stream) Pending() bool { return s.feed != nil && s.feed.pending() }

func (f *Feed) pending() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.out) > 0
}

// offer is Uncork without waiting.
func (f *Feed) offer() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.corked = false
	var fd uintptr
	if !f.apart && f.inside {
		fd = f.fd
	}
	n, err := f.s.Offer(fd, f.out)
	f.out = f.out[:copy(f.out, f.out[n:])]
	return err
}
