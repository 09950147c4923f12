package http2

import (
	"sync"
	"time"
)

// Wire is where a ServerConn's bytes go. One goroutine at a time uses it.
type Wire interface {
	// Offer writes what the peer takes of p at once, and returns how much that
	// was.
	Offer(p []byte) (n int, err error)
	// Pending tells whether bytes that an Offer took still wait for room.
	Pending() bool
	// Write writes what is pending and all of p. It may wait, but not for
	// longer than a client may be given.
	Write(p []byte) error
}

// Host runs the requests of a ServerConn.
type Host interface {
	// Open returns a stream whose Request is ready for another request; nil
	// where no more are served.
	Open() *ServerStream
	// Serve takes the request of a stream to its end. It runs on a goroutine of
	// its own.
	Serve(s *ServerStream)
	// Release takes back a stream, served or not.
	Release(s *ServerStream)
	// Refused tells why a stream was reset before its request was served.
	Refused(reason string)
	// Wake makes the goroutine that reads look at the connection. It must not
	// block.
	Wake()
}

// Limits bound what a client may ask of a connection. They are shared and
// never changed.
type Limits struct {
	MaxStreams    int   // at a time
	Window        int32 // of a stream whose body nobody reads yet, in bytes
	HeadSize      int   // of a request's head, in bytes
	FieldSize     int   // of one of its fields
	MaxFields     int   // number of fields
	Underscores   bool  // names with "_" pass
	IgnoreInvalid bool  // other odd names are dropped
}

// ServerConn is the server's side of one connection. Receive, and what is
// said to be the reader's, is for the goroutine that reads; everything else is
// safe for concurrent use.
type ServerConn struct {
	host    Host
	wire    Wire
	workers *Workers
	limits  Limits // those that the client was told
	number  uint64

	// The reader's own.
	preface int // bytes of the preface received
	greeted bool
	taken   uint64 // frames, those amid a header block left out
	frames  FrameReader
	decoder *Decoder
	block   headBlock
	last    uint32 // the highest stream begun
	conduct conduct

	mu      sync.Mutex
	peer    Settings
	encoder Encoder
	send    SendWindow
	recv    RecvWindow
	ids     []uint32        // of the streams that are not closed
	streams []*ServerStream // in the same order
	reset   [32]uint32      // streams that this side has reset lately
	resets  uint32          // how many that were
	running int             // streams in work, some of them closed
	output  output
	queue   queue
	idle    time.Time // when the last stream in work ended
	ended   sync.Cond // running has become 0
	leaving leaving
	name    []byte // of a field being written, and a value made anew
	value   []byte
	drained [8]byte // the PING that tells when the client has seen the GOAWAY
	err     error   // why the connection has ended; nil: it has not
}

// leaving is how far the graceful end has come.
type leaving uint8

const (
	staying  leaving = iota
	warned           // a GOAWAY that allows all streams was sent
	departed         // the final GOAWAY was sent
)

const (
	// connWindow is the window of a connection: what all bodies together may
	// hold in memory.
	connWindow = 1 << 20
	// bodyWindow is the window of a stream whose body is being read.
	bodyWindow = 256 << 10
)

// NewServerConn makes the server's side of a connection; number is any that
// differs between connections.
func NewServerConn(h Host, w Wire, workers *Workers, l Limits, number uint64) *ServerConn {
	c := &ServerConn{
		host: h, wire: w, workers: workers, limits: l, number: number,
		peer: DefaultSettings(), send: NewSendWindow(65535), recv: NewRecvWindow(connWindow), idle: time.Now(),
		drained: [8]byte{'w', 'e', 'i', 'r', 'd', 'o', 'n', 'e'},
	}
	c.ended.L = &c.mu
	c.decoder = NewDecoder(4096, c.field)
	dst := c.output.open()
	dst = AppendSettings(dst,
		Setting{SettingMaxConcurrentStreams, uint32(l.MaxStreams)},
		Setting{SettingInitialWindowSize, uint32(l.Window)},
		Setting{SettingMaxHeaderListSize, uint32(l.HeadSize)},
		Setting{SettingEnableConnectProtocol, 1},
		Setting{SettingNoRFC7540Priorities, 1},
	)
	c.output.close(AppendWindowUpdate(dst, 0, connWindow-65535))
	return c
}

// Receive takes bytes from the client. It is the reader's. An error, which is
// a *ConnError, ends the connection: the reader calls Fail with it.
func (c *ServerConn) Receive(p []byte) error {
	if c.preface < len(Preface) {
		n := min(len(Preface)-c.preface, len(p))
		if string(p[:n]) != Preface[c.preface:c.preface+n] {
			return connError(ProtocolError, "invalid connection preface")
		}
		c.preface += n
		p = p[n:]
	}
	c.conduct.tick(time.Now())
	for len(p) > 0 {
		h, payload, rest, ok, err := c.frames.Next(p)
		if err == nil && ok {
			err = c.frame(&h, payload)
			if c.block.stream == 0 {
				c.taken++
			}
		}
		if err != nil {
			err = c.faulted(err)
		}
		if err != nil || !ok {
			return err
		}
		p = rest
	}
	return nil
}

// faulted resets the stream that an error is about; errors about the
// connection are handed on.
func (c *ServerConn) faulted(err error) error {
	e, ok := err.(*StreamError)
	if !ok {
		return err
	}
	c.mu.Lock()
	if s := c.find(e.Stream); s != nil {
		c.close(s, err)
	}
	c.resetStream(e.Stream, e.Code)
	c.mu.Unlock()
	c.host.Refused(e.Error())
	if e.Code == RefusedStream {
		return c.conduct.count(clientResets, 1) // streams that were reset are still in work
	}
	return c.conduct.count(serverResets, 1)
}

// find returns a stream that is not closed; the lock is held.
func (c *ServerConn) find(id uint32) *ServerStream {
	for i, other := range c.ids {
		if other == id {
			return c.streams[i]
		}
	}
	return nil
}

// remove takes a stream off the list; the lock is held.
func (c *ServerConn) remove(s *ServerStream) {
	for i, other := range c.ids {
		if other == s.id {
			end := len(c.ids) - 1
			c.ids[i], c.streams[i] = c.ids[end], c.streams[end]
			c.streams[end] = nil
			c.ids, c.streams = c.ids[:end], c.streams[:end]
			return
		}
	}
}

// close ends a stream for a reason that everybody who waits for it learns; the
// lock is held.
func (c *ServerConn) close(s *ServerStream, reason error) {
	if s.err == nil {
		s.err = reason
	}
	s.recvEnd, s.sendEnd = true, true
	c.remove(s)
	c.queue.leave(s)
	s.held.clear()
	s.cond.Broadcast()
	if gone := s.gone; gone != nil {
		s.gone = nil
		gone()
	}
}

// resetStream tells the client that a stream has ended; the lock is held.
func (c *ServerConn) resetStream(id uint32, code ErrorCode) {
	c.reset[c.resets%uint32(len(c.reset))] = id
	c.resets++
	c.output.control(AppendRSTStream(c.output.open(), id, code))
}

// wasReset tells whether this side has reset a stream lately, so that what the
// client sends on it may have been underway; the lock is held.
func (c *ServerConn) wasReset(id uint32) bool {
	for _, other := range c.reset {
		if other == id {
			return true
		}
	}
	return false
}
