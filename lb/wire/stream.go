package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"syscall"
	"time"
)

// Stream is a Socket with or without TLS on it.
type Stream struct {
	Socket
	feed *Feed // with the TLS connection; nil: plain
}

// NoteFirst makes StartTLS keep the first n bytes that the peer sends, for
// First.
func (s *Stream) NoteFirst(n int) {
	s.feed = NewFeed(&s.Socket)
	s.feed.first = make([]byte, 0, n)
}

// First returns the bytes that NoteFirst asked for, fewer if fewer came, and
// lets go of them.
func (s *Stream) First() []byte {
	first := s.feed.first
	s.feed.first = nil
	return first
}

// StartTLS shakes hands as server or client, in the time limit allows.
func (s *Stream) StartTLS(cfg *tls.Config, server bool, limit time.Duration) error {
	s.ReadWithin(Now(), limit)
	s.WriteWithin(limit)
	if s.feed == nil {
		s.feed = NewFeed(&s.Socket)
	}
	if server {
		s.feed.tls = tls.Server(s.feed, cfg)
	} else {
		s.feed.tls = tls.Client(s.feed, cfg)
	}
	return s.feed.tls.HandshakeContext(context.Background())
}

// PartWrites says that from now on writes come from other goroutines than the
// one that reads, also while a Serve callback runs; they use Write, or Offer
// with 0, one at a time.
func (s *Stream) PartWrites() {
	if s.feed != nil {
		s.feed.apart = true
	}
}

// TLS returns the TLS connection, nil for a plain stream.
func (s *Stream) TLS() *tls.Conn {
	if s.feed == nil {
		return nil
	}
	return s.feed.tls
}

// Plain tells that the bytes on the wire are the messages' own, so that the
// kernel may move them.
func (s *Stream) Plain() bool { return s.feed == nil }

// ReadNow reads without waiting, inside a Serve callback. As with the
// function of that name, a short read means that nothing is left; on TLS only
// syscall.EAGAIN does, see Drained.
func (s *Stream) ReadNow(fd uintptr, p []byte) (int, error) {
	if s.feed == nil {
		return ReadNow(fd, p)
	}
	n, err := s.readTLS(p)
	if err != nil && IsAgain(err) {
		return 0, syscall.EAGAIN
	}
	return n, err
}

// readTLS reads bytes or an error. crypto/tls returns both where the peer's
// end came together with its last bytes; the next read returns that end again.
func (s *Stream) readTLS(p []byte) (int, error) {
	n, err := s.feed.tls.Read(p)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// Drained tells whether a ReadNow that returned n of size bytes has left
// nothing behind.
func (s *Stream) Drained(n, size int) bool {
	if s.feed == nil {
		return n < size
	}
	return false
}

// Serve is Socket.Serve for both kinds of stream.
func (s *Stream) Serve(ready func(fd uintptr) bool) error {
	if s.feed == nil {
		return s.Socket.Serve(ready)
	}
	defer s.feed.Leave()
	return s.Socket.Serve(func(fd uintptr) bool {
		s.feed.Enter(fd)
		return ready(fd)
	})
}

// WriteFrom writes all of p from inside a Serve callback.
func (s *Stream) WriteFrom(fd uintptr, p []byte) (int, error) {
	if s.feed == nil {
		return s.Socket.WriteFrom(fd, p)
	}
	return s.Write(p)
}

// Write writes all of p; on TLS all of its records leave at once.
func (s *Stream) Write(p []byte) (int, error) {
	if s.feed == nil {
		return s.Socket.Write(p)
	}
	s.feed.Cork()
	n, err := s.feed.tls.Write(p)
	if flush := s.feed.Uncork(); err == nil {
		err = flush
	}
	return n, err
}

// Read waits for bytes and reads them.
func (s *Stream) Read(p []byte) (int, error) {
	if s.feed == nil {
		return s.Socket.Read(p)
	}
	return s.readTLS(p)
}

// ReadLent waits for bytes and reads them into what the lender has; over TLS,
// which has buffers of its own, it is lent at once.
func (s *Stream) ReadLent(from Lender) (int, error) {
	if s.feed == nil {
		return s.Socket.ReadLent(from)
	}
	return s.readTLS(from.Lend())
}

// Exchange writes out and waits for the first bytes of the answer, which go
// into what the lender has; see Socket.Exchange.
func (s *Stream) Exchange(out []byte, from Lender) (int, error) {
	if s.feed == nil {
		return s.Socket.Exchange(out, from)
	}
	if _, err := s.Write(out); err != nil {
		return 0, err
	}
	return s.readTLS(from.Lend())
}

// CloseWrite ends the sending side, so that the peer sees the end.
func (s *Stream) CloseWrite() error {
	if s.feed != nil {
		return s.feed.tls.CloseWrite()
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Rest frees memory that an idle stream does not need.
func (s *Stream) Rest() {
	if s.feed != nil {
		s.feed.Drop()
	}
}

var pieces = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// Each hands every piece that arrives to take until the peer ends its side
// (nil), take fails, or alive, asked when the read limit has passed, returns
// no later time to wait until (ErrTimeout). While nothing arrives no buffer
// is held.
func (s *Stream) Each(take func(p []byte) error, alive func() (until int64)) error {
	var failed error
	ready := func(fd uintptr) bool {
		buf := pieces.Get().(*[16 << 10]byte)
		defer pieces.Put(buf)
		for {
			n, err := s.ReadNow(fd, buf[:])
			if err == syscall.EAGAIN {
				return false
			}
			if err != nil {
				failed = err
				return true
			}
			// A short read is not trusted here: the peer's end that came
			// together with these bytes causes no event of its own.
			if failed = take(buf[:n]); failed != nil {
				return true
			}
		}
	}
	for {
		s.read.want = alive()
		err := s.Serve(ready)
		if errors.Is(err, ErrTimeout) && alive() > Now() {
			continue
		}
		if err != nil {
			return err
		}
		return failed
	}
}
