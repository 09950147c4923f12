package http2

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// Why a stream ends before its time. They end every wait on it.
var (
	// ErrClientReset: the client has sent RST_STREAM.
	ErrClientReset = errors.New("client reset the stream")
	// ErrConnGone: the connection has ended.
	ErrConnGone = errors.New("client closed the connection")
	// ErrStalled: the client let a wait last for too long.
	ErrStalled = errors.New("client timed out")
	// ErrCancelled: this side has given up the wait.
	ErrCancelled = errors.New("given up")
)

// ServerStream is one request and its reply. Its host makes it, with Request
// and Job, and may use it again. One goroutine may read while another writes.
type ServerStream struct {
	Request *request.Request
	Job     any // the host's own

	// Connect tells that the request asks for another protocol on the stream
	// (RFC 8441); TooLarge that its head exceeds the limits and is not whole.
	// Both are set before Serve.
	Connect, TooLarge bool
	// Chunk is how much one DATA frame holds at most, in bytes; 0: as much as
	// the client takes.
	Chunk int
	// Hold is how many bytes of the reply the stream keeps for a client that
	// does not take them at once, before Write waits.
	Hold int
	// BodyTimeout and SendTimeout bound the waits for bytes from the client and
	// for it to take some; 0: no bound.
	BodyTimeout, SendTimeout time.Duration

	c   *ServerConn
	id  uint32
	buf []byte // of the request's head

	// What follows belongs to the connection's lock.
	cond      sync.Cond
	err       error // why the stream has ended before its time
	sent      int64 // bytes of the reply's frames
	recvEnd   bool  // nothing more comes
	sendEnd   bool  // nothing more is sent
	cancelled bool  // nobody reads any more
	discard   bool  // the reply is complete: what comes is dropped
	announced int64 // bytes that Content-Length still promises; -1: nothing was said
	recv      RecvWindow
	send      SendWindow
	in, taken []byte // received; handed out
	held      held
	wanted    int // a wait ends when no more than so many bytes are held
	priority  Priority
	queued    bool
	heading   bool // it waits to send a head, for which no window is needed
	gone      func()
	timers    [2]*time.Timer // that end waits
}

// open makes a stream ready for a request.
func (s *ServerStream) open(c *ServerConn, id uint32) {
	s.Connect, s.TooLarge, s.Chunk, s.Hold, s.BodyTimeout, s.SendTimeout = false, false, 0, 0, 0, 0
	s.c, s.id, s.cond.L = c, id, &c.mu
	s.err, s.recvEnd, s.sendEnd, s.cancelled, s.discard = nil, false, false, false, false
	s.announced, s.sent = -1, 0
	s.in, s.taken, s.wanted = s.in[:0], s.taken[:0], 0
	s.priority, s.queued, s.heading, s.gone = defaultPriority(), false, false, nil
	s.recv = NewRecvWindow(c.limits.Window)
	c.mu.Lock()
	s.send = NewSendWindow(c.peer.InitialWindow)
	c.mu.Unlock()
}

// Trim gives back what one odd request has made large; the host calls it
// between two requests.
func (s *ServerStream) Trim() {
	const most = 32 << 10
	for _, b := range []*[]byte{&s.buf, &s.in, &s.taken} {
		if cap(*b) > most {
			*b = nil
		}
	}
	s.c = nil
}

// The waits of a stream, of which there may be one of each kind at a time.
const (
	reading = iota
	writing
)

// wait ends when something about the stream has changed, or false when the
// time is over. The lock is held.
func (s *ServerStream) wait(kind int, until time.Time) bool {
	if !until.IsZero() {
		left := time.Until(until)
		if left <= 0 {
			return false
		}
		if t := s.timers[kind]; t != nil {
			t.Reset(left)
		} else {
			s.timers[kind] = time.AfterFunc(left, s.expired)
		}
	}
	s.cond.Wait()
	return true
}

// expired ends a wait so that it looks at the clock. The stream may serve
// another request by now: a look too many is harmless.
func (s *ServerStream) expired() { s.cond.Broadcast() }

// deadline is when a wait of a bounded length that begins now must end.
func deadline(limit time.Duration) (t time.Time) {
	if limit > 0 {
		t = time.Now().Add(limit)
	}
	return t
}

// Read returns the next piece of the request's body, void at the next call,
// and io.EOF at its end.
func (s *ServerStream) Read() ([]byte, error) { return s.ReadWithin(s.BodyTimeout) }

// ReadWithin is Read with a bound of its own.
func (s *ServerStream) ReadWithin(limit time.Duration) ([]byte, error) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.recvEnd && len(s.in) == 0 {
		if update := s.recv.Grow(bodyWindow); update > 0 {
			c.output.close(AppendWindowUpdate(c.output.open(), s.id, update))
		}
		c.flush()
	}
	until := deadline(limit)
	for {
		switch {
		case len(s.in) > 0:
			s.taken, s.in = s.in, s.taken[:0]
			c.credit(s, len(s.taken))
			c.flush()
			return s.taken, nil
		case s.err != nil:
			return nil, s.err
		case s.recvEnd:
			return nil, io.EOF
		case s.cancelled:
			return nil, ErrCancelled
		}
		if !s.wait(reading, until) {
			return nil, ErrStalled
		}
	}
}

// ReadWhole returns the whole body if all of it is here; nothing is left to
// read then.
func (s *ServerStream) ReadWhole() ([]byte, bool) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.recvEnd || s.err != nil || len(s.in) == 0 {
		return nil, false
	}
	s.taken, s.in = s.in, s.taken[:0]
	c.credit(s, len(s.taken))
	return s.taken, true
}

// CancelRead ends a Read that waits on another goroutine, and all that follow.
func (s *ServerStream) CancelRead() {
	s.c.mu.Lock()
	s.cancelled = true
	s.cond.Broadcast()
	s.c.mu.Unlock()
}

// Watch calls gone once if the client resets the stream or leaves before
// Unwatch, at once if it has done so already. gone must not block, nor call
// the stream.
func (s *ServerStream) Watch(gone func()) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.err != nil {
		gone()
		return
	}
	s.gone = gone
}

// Unwatch ends a Watch; gone never runs after it has returned.
func (s *ServerStream) Unwatch() {
	s.c.mu.Lock()
	s.gone = nil
	s.c.mu.Unlock()
}

// Pause waits, but not for a client that has left.
func (s *ServerStream) Pause(d time.Duration) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for until := time.Now().Add(d); s.err == nil; {
		if !s.wait(writing, until) {
			return nil
		}
	}
	return s.err
}

// Sent is how many bytes of frames the reply has taken so far.
func (s *ServerStream) Sent() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.sent
}

// Err tells why the stream has ended before its time; nil: it has not.
func (s *ServerStream) Err() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.err
}

// do serves a stream on the worker's goroutine, or sends what the client did
// not take at once.
func (c *ServerConn) do(s *ServerStream) {
	if s == nil {
		c.sendRest()
		return
	}
	c.host.Serve(s)
	c.finish(s)
}

// restPatience is how long the rest of a request may take to come whose reply
// is complete.
const restPatience = time.Second

// awaitRest lets the rest of a request come, as far as its window allows.
// Clients of many makes lose a complete reply that RST_STREAM follows closely.
// The lock is held.
func (c *ServerConn) awaitRest(s *ServerStream) {
	s.discard, s.gone = true, nil
	c.dropInput(s)
	c.flush()
	for until := deadline(restPatience); !s.recvEnd; {
		if !s.wait(reading, until) {
			return
		}
	}
}

// dropInput forgets what came and was not read; the lock is held.
func (c *ServerConn) dropInput(s *ServerStream) {
	if left := len(s.in); left > 0 {
		s.in = s.in[:0]
		c.credit(nil, left)
	}
}

// finish ends a stream that was served, whole or not.
func (c *ServerConn) finish(s *ServerStream) {
	c.mu.Lock()
	if s.sendEnd && !s.recvEnd {
		c.awaitRest(s)
	}
	if !s.sendEnd {
		c.resetStream(s.id, InternalError)
	} else if !s.recvEnd {
		c.resetStream(s.id, NoError) // the rest of the request is of no use (RFC 9113, 8.1)
	}
	c.dropInput(s)
	s.recvEnd, s.sendEnd, s.gone = true, true, nil
	c.remove(s)
	c.queue.leave(s)
	s.held.clear()
	for _, t := range s.timers {
		if t != nil {
			t.Stop()
		}
	}
	c.mu.Unlock()
	c.host.Release(s)
	c.flushLate()
}
