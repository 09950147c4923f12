package http2

import (
	"errors"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/wire"
)

// Transport carries the bytes of a client's connection to the peer. Only one
// goroutine at a time is in Offer or Write.
type Transport interface {
	// Offer sends what can be sent of p without waiting, and returns how much
	// was taken.
	Offer(p []byte) (n int, err error)
	// Pending tells whether bytes that Offer took still wait for room.
	Pending() bool
	// Write sends those bytes and all of p; it may wait.
	Write(p []byte) (int, error)
	// Shutdown ends both directions, so that whoever reads sees the end. It
	// may be called from any goroutine.
	Shutdown()
}

// ClientLimits bounds the use of a connection to an upstream.
type ClientLimits struct {
	Requests int           // over one connection; 0: no limit
	Time     time.Duration // from its beginning; 0: no limit
	Once     bool          // it ends when no exchange runs
}

const (
	// mostStreams is how many exchanges run over one connection at most, even
	// where the peer allows more: another connection is better then than another
	// exchange behind the same reader.
	mostStreams = 128
	// firstStreams is how many run before the peer has told what it allows; it
	// should allow as many (RFC 9113, 6.5.2).
	firstStreams = 100
	// clientWindow is how many bytes of one reply may wait to be passed on.
	clientWindow = 256 << 10
	// clientTableSize bounds the memory for the peer's compressed fields; it is
	// the size that needs no SETTINGS.
	clientTableSize = 4096
	// lastStream leaves room below the largest number of a stream.
	lastStream = maxStream - 1024
)

// Client is one connection to an upstream, over which many exchanges run, each
// on a ClientStream. Receive belongs to the goroutine that reads from the
// connection; everything else may be called from any goroutine.
type Client struct {
	transport Transport
	born      int64 // wire.Now

	mu      sync.Mutex
	out     []byte // frames that wait to be written
	spare   []byte // the buffer that is not in use
	writing bool   // a goroutine is writing
	encoder Encoder
	peer    Settings
	window  SendWindow
	// received is the window of the whole connection, which is never the
	// narrow one.
	received RecvWindow
	scratch  []byte // names in lower case

	table  [mostStreams]*ClientStream // by number, see find
	first  *ClientStream              // of all that are open
	unused *ClientStream              // those that were, to be used again
	active int                        // open or promised by Reserve
	begun  int                        // exchanges so far, promised ones included
	nextID uint32
	since  int64 // wire.Now, no exchange since then
	heard  int64 // wire.Now of the last bytes received

	once    bool  // it ends when no exchange runs
	closing bool  // no further exchange may begin
	parted  bool  // the peer was told that the connection ends
	broken  error // nothing can be sent any more, and why
	ended   error // the connection is over, and why

	receiver receiver
}

// NewClient returns the client of a new connection. What HTTP/2 begins with
// leaves together with the first request.
func NewClient(t Transport) *Client {
	c := &Client{
		transport: t, born: wire.Now(), peer: DefaultSettings(), nextID: 1,
		window: NewSendWindow(DefaultSettings().InitialWindow), received: NewRecvWindow(maxWindow),
	}
	c.since, c.heard = c.born, c.born
	c.receiver.init(c)
	c.out = append(c.out, Preface...)
	c.out = AppendSettings(c.out,
		Setting{SettingEnablePush, 0},
		Setting{SettingInitialWindowSize, clientWindow})
	// What waits is bounded by the windows of the exchanges; that of the
	// connection would only let one of them hold up the others.
	c.out = AppendWindowUpdate(c.out, 0, maxWindow-DefaultSettings().InitialWindow)
	return c
}

// Reserve promises room for one exchange, which must be followed by Begin of a
// stream or by Unreserve; false where there is none.
func (c *Client) Reserve(now int64, limits *ClientLimits) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing || c.ended != nil:
		return false
	case limits.Requests > 0 && c.begun >= limits.Requests, c.nextID > lastStream,
		limits.Time > 0 && now-c.born >= int64(limits.Time):
		c.closing = true
		c.finish()
		return false
	case uint32(c.active) >= c.room():
		return false
	}
	c.active++
	c.begun++
	c.once = limits.Once
	return true
}

// Room is how many exchanges the peer lets run at a time.
func (c *Client) Room() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.room())
}

// room is Room with c.mu held.
func (c *Client) room() uint32 {
	if !c.receiver.begun {
		return firstStreams
	}
	return min(mostStreams, c.peer.MaxStreams)
}

// Unreserve takes a Reserve back.
func (c *Client) Unreserve() {
	c.mu.Lock()
	c.leave()
	c.finish()
	c.mu.Unlock()
}

// leave ends the use of the connection by one exchange; c.mu is held.
func (c *Client) leave() {
	if c.active--; c.active == 0 {
		c.since = wire.Now()
		c.closing = c.closing || c.once
	}
}

// finish ends a connection that is of no use any more; c.mu is held.
func (c *Client) finish() {
	if !c.closing || c.active > 0 || c.writing || len(c.out) > 0 {
		return
	}
	if c.broken == nil && c.ended == nil && !c.parted {
		c.parted = true
		_, _ = c.transport.Offer(AppendGoAway(nil, 0, NoError)) // a courtesy, before an end in any case
	}
	c.transport.Shutdown()
}

// Retire lets no further exchange begin; the connection ends with the last one.
func (c *Client) Retire() {
	c.mu.Lock()
	c.closing = true
	c.finish()
	c.mu.Unlock()
}

// Idle tells since when (wire.Now) no exchange runs; ok is false while one does.
func (c *Client) Idle() (since int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since, c.active == 0
}

// Rest frees memory that an idle connection does not need.
func (c *Client) Rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active > 0 || c.writing {
		return
	}
	c.encoder.Rest()
	c.receiver.frames.Rest()
	if len(c.out) == 0 {
		c.out = nil
	}
	c.spare, c.unused = nil, nil
}

// End ends all exchanges because the connection has ended. err is io.EOF, an
// error of the connection, or what Receive returned. Bytes that could not be
// sent are lost.
func (c *Client) End(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return
	}
	c.closing, c.ended = true, err
	for s := c.first; s != nil; s = s.next {
		s.fail(c.failure(err))
	}
	c.out = nil
}

// failure is what the end of the connection means for an exchange.
func (c *Client) failure(err error) *Failure {
	if broken, ok := errors.AsType[*ConnError](err); ok {
		return &Failure{Reason: "upstream sent invalid HTTP/2: " + broken.Error(), Malformed: true, Cause: err}
	}
	return &Failure{Reason: "upstream connection ended", Cause: err}
}

// find returns the stream of a number, nil if it is not open.
func (c *Client) find(id uint32) *ClientStream {
	s := c.table[id/2%mostStreams]
	for s != nil && s.id != id {
		s = s.chain
	}
	return s
}

// enter puts a stream into the table and the list.
func (c *Client) enter(s *ClientStream) {
	slot := &c.table[s.id/2%mostStreams]
	s.chain, *slot = *slot, s
	s.prev, s.next = nil, c.first
	if c.first != nil {
		c.first.prev = s
	}
	c.first = s
}

// remove takes it out.
func (c *Client) remove(s *ClientStream) {
	at := &c.table[s.id/2%mostStreams]
	for *at != s {
		at = &(*at).chain
	}
	*at = s.chain
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		c.first = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.chain, s.prev, s.next = nil, nil, nil
}
