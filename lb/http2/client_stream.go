package http2

import (
	"time"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// ClientStream is one exchange over a Client: a request and its reply, which
// may be on their way at the same time. One goroutine may be in Write or
// WriteTrailers while another uses the rest; Interrupt may be called from any.
type ClientStream struct {
	c           *Client
	id          uint32
	chain       *ClientStream // in the same place of the client's table
	prev, next  *ClientStream // in its list
	reply       waiter
	sending     waiter
	readBy      int64 // wire.Now, 0: no limit
	patience    time.Duration
	onPause     func()
	pause       int64 // wire.Now, 0: none
	interrupted bool

	// What follows is under the client's lock.

	window   SendWindow
	received RecvWindow
	blocked  bool // waits for room to send
	sent     bool // the end of the request
	closed   bool // one side has reset the stream
	counted  int64

	told, news bool     // something came; see Client.news
	failure    *Failure // the reply will not become whole
	hints      request.Head
	hinted     bool // there are hints that were not taken
	interims   int  // replies before the final one
	head       request.Head
	headLimit  int
	status     int
	answered   bool // the head is complete
	bodyless   bool // no DATA may follow
	length     int64
	got        int64
	in, piece  []byte // the body: received, and in the caller's hands
	ended      bool   // the end of the reply has come
	trailers   request.Head
}

// mostInterims is how many replies may come before the final one.
const mostInterims = 64

// stream returns a stream that is not in use.
func (c *Client) stream() *ClientStream {
	if s := c.unused; s != nil {
		c.unused, s.next = s.next, nil
		return s
	}
	s := &ClientStream{}
	s.reply.init()
	s.sending.init()
	return s
}

// Opening is the beginning of a request.
type Opening struct {
	// Head is the request line and the fields as HTTP/1.1 would have them. What
	// only HTTP/1 knows stays behind; Host becomes the authority.
	Head []byte
	// Secure tells that the scheme is https.
	Secure bool
	// HeadLimit is how many bytes of fields the reply's head may have, in the
	// measure of RFC 9113, 6.5.2; what is less than 64 KB counts as that.
	HeadLimit int
	// Bodyless tells that the reply has no body, whatever its head says: HEAD.
	Bodyless bool
	// Body is the begin of the request's body, or all of it.
	Body []byte
	// End tells that nothing follows Body.
	End bool
}

// Open begins an exchange for which there is a Reserve. taken is how much of
// the body the peer was ready for; the caller sends what is left by Write. An
// error is a *Failure of a request that the peer has not seen; the Reserve is
// used up then, too.
func (c *Client) Open(o *Opening) (s *ClientStream, taken int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.broken != nil || c.nextID > maxStream {
		c.leave()
		c.finish()
		return nil, 0, refused("upstream connection is about to close")
	}
	s = c.stream()
	s.begin(c, o)
	c.nextID += 2
	c.enter(s)
	before := len(c.out)
	end := o.End && len(o.Body) == 0
	c.appendRequest(s, o, end)
	if len(o.Body) > 0 {
		taken = c.appendData(s, o.Body, o.End)
	}
	s.counted = int64(len(c.out) - before)
	c.flush()
	return s, taken, nil
}

// begin makes a stream ready, with the client's lock held.
func (s *ClientStream) begin(c *Client, o *Opening) {
	s.c, s.id = c, c.nextID
	s.reply.reset()
	s.sending.reset()
	s.readBy, s.patience, s.onPause, s.pause, s.interrupted = 0, 0, nil, 0, false
	s.window, s.received = NewSendWindow(c.peer.InitialWindow), NewRecvWindow(clientWindow)
	s.blocked, s.sent, s.closed = false, false, false
	s.told, s.news, s.failure = false, false, nil
	s.hinted, s.interims, s.status, s.answered, s.bodyless = false, 0, 0, false, o.Bodyless
	s.headLimit = max(o.HeadLimit, headLimit)
	s.length, s.got, s.ended = -1, 0, false
	s.in, s.piece = s.in[:0], s.piece[:0]
	s.head.Reset(s.head.Buf[:0])
	s.trailers.Reset(s.trailers.Buf[:0])
}

// fail notes why the reply will not become whole, with the client's lock held.
func (s *ClientStream) fail(f *Failure) {
	if s.failure == nil && !s.ended {
		s.failure = f
	}
	s.news, s.blocked = true, false
	s.reply.wake()
	s.sending.wake()
}

// Sent is how many bytes of the connection the beginning of the request took.
func (s *ClientStream) Sent() int64 { return s.counted }

// ReadWithin sets the time in which each following Wait has to end, counted
// from now (wire.Now); 0 is no limit.
func (s *ClientStream) ReadWithin(now int64, d time.Duration) { s.readBy = dueAt(now, d) }

// WriteWithin sets how long the request may wait for the peer to take more of
// it; 0 is no limit. It must not be called during a Write.
func (s *ClientStream) WriteWithin(d time.Duration) { s.patience = d }

// OnPause asks for one call of f when the Wait that comes next lasts longer
// than after. f runs on the waiting goroutine.
func (s *ClientStream) OnPause(now int64, after time.Duration, f func()) {
	s.onPause, s.pause = f, now+int64(after)
}

// Interrupt ends a Wait, now or the next one, with wire.ErrInterrupted.
func (s *ClientStream) Interrupt() {
	s.c.mu.Lock()
	s.interrupted = true
	s.c.mu.Unlock()
	s.reply.wake()
}

// Wait returns when something has come since the last Wait: Head, Next and
// Trailers tell what. The error is wire.ErrTimeout or wire.ErrInterrupted.
func (s *ClientStream) Wait() error {
	for {
		s.c.mu.Lock()
		news, interrupted := s.news, s.interrupted
		s.news = false
		s.c.mu.Unlock()
		switch {
		case news:
			return nil
		case interrupted:
			return wire.ErrInterrupted
		}
		now := wire.Now()
		switch {
		case s.readBy != 0 && now >= s.readBy:
			s.c.suspect(now)
			return wire.ErrTimeout
		case s.pause != 0 && now >= s.pause:
			s.pause = 0
			s.onPause()
		default:
			s.reply.sleep(now, earlier(s.readBy, s.pause))
		}
	}
}

// silence is how long a connection may have been silent when an exchange on it
// times out, lest it be taken for dead.
const silence = 5 * time.Second

// suspect lets no further exchange begin on a connection from which nothing
// has come for long.
func (c *Client) suspect(now int64) {
	c.mu.Lock()
	if now-c.heard >= int64(silence) {
		c.closing = true
	}
	c.mu.Unlock()
}

// Head hands over the next head that has come, in the form of HTTP/1: hints
// (103) or the final one. Its bytes are appended to buf, which must be empty.
// A status of 0 means that none is here yet. An error is a *Failure.
func (s *ClientStream) Head(h *request.Head, buf []byte) (status int, err error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch {
	case s.hinted:
		s.hinted = false
		copyHead(h, &s.hints, buf)
		return 103, nil
	case s.answered:
		copyHead(h, &s.head, buf)
		return s.status, nil
	case s.failure != nil:
		return 0, s.failure
	}
	return 0, nil
}

// copyHead makes dst a copy of src with its bytes behind buf.
func copyHead(dst, src *request.Head, buf []byte) {
	dst.Reset(append(buf, src.Buf...))
	dst.CRLF = src.CRLF
	for _, f := range src.Fields {
		dst.Append(f)
	}
}

// Length is the length of the body that the head announced, 0 where the reply
// ended without one; -1 where it is not known.
func (s *ClientStream) Length() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.length < 0 && s.ended && s.got == 0 && !s.bodyless && len(s.trailers.Fields) == 0 {
		return 0
	}
	return s.length
}

// Next returns the piece of the body that has come, void at the next call;
// done tells that nothing follows it. Without an error and done, an empty
// piece means that more is to come. An error is a *Failure.
func (s *ClientStream) Next() (piece []byte, done bool, err error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.giveBack(len(s.piece))
	s.c.flush()
	s.piece, s.in = s.in, release(s.piece)
	switch {
	case s.ended:
		return s.piece, true, nil
	case len(s.piece) == 0 && s.failure != nil:
		return nil, false, s.failure
	}
	return s.piece, false, nil
}

// giveBack lets the peer send as much as the caller has done with; the caller
// sees to it that it is told.
func (s *ClientStream) giveBack(n int) {
	if n == 0 || s.ended || s.closed {
		return
	}
	if update := s.received.Consume(n); update > 0 {
		s.c.out = AppendWindowUpdate(s.c.out, s.id, update)
	}
}

// Trailers hands over the fields behind the body once Next was done; those
// that must not be passed on as trailers are marked.
func (s *ClientStream) Trailers(h *request.Head, buf []byte) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if len(s.trailers.Fields) == 0 {
		return
	}
	copyHead(h, &s.trailers, buf)
	for i := range h.Fields {
		h.Fields[i].Skip = !h.Fields[i].ID.MayTrail()
	}
}

// Cancel tells the peer that nobody wants the rest of the exchange, and ends a
// Write that another goroutine is in. Close must follow.
func (s *ClientStream) Cancel() {
	c := s.c
	c.mu.Lock()
	s.cancel()
	s.blocked = false
	c.flush()
	c.mu.Unlock()
	s.sending.wake()
}

// cancel resets a stream of which one side is not done, with the client's lock
// held.
func (s *ClientStream) cancel() {
	if !s.closed && !(s.ended && s.sent) {
		s.closed = true
		s.c.out = AppendRSTStream(s.c.out, s.id, Cancel)
	}
}

// Close ends the use of the stream. A peer that is not done is told that
// nobody wants the rest.
func (s *ClientStream) Close() {
	c := s.c
	c.mu.Lock()
	s.cancel()
	c.remove(s)
	c.leave()
	c.flush()
	c.finish()
	s.in, s.piece = release(s.in), release(s.piece)
	s.next, c.unused = c.unused, s
	c.mu.Unlock()
}
