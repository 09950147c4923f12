package http2

import (
	"encoding/binary"
	"time"

	"github.com/weir-lb/weir/lb/wire"
)

const (
	// headLimit is the least limit of a reply's head, for which HTTP/2 needs no
	// buffer in one piece.
	headLimit = 64 << 10
	// blockLimit bounds one compressed header block.
	blockLimit = 1 << 20
	// emptyLimit is how many frames without any use may follow each other.
	emptyLimit = 1000
)

// receiver is what the reading side of a Client knows.
type receiver struct {
	frames  FrameReader
	decoder *Decoder
	begun   bool // the peer's first SETTINGS has come
	useless int  // frames in a row that brought nothing

	// The header block that is being read; see client_head.go.
	block      uint32        // its stream, 0: none
	stream     *ClientStream // nil: nobody wants it any more
	endsStream bool
	fields     fieldReader
	woken      []*ClientStream // to be told when all that has come is read
}

func (v *receiver) init(c *Client) {
	v.decoder = NewDecoder(clientTableSize, v.field)
}

// Receive takes bytes that came from the peer. After an error the connection
// cannot go on: the peer has been told, and the caller closes it and calls End.
func (c *Client) Receive(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := wire.Now()
	if now-c.heard > int64(time.Second) {
		c.receiver.useless = 0
	}
	c.heard = now
	for len(p) > 0 {
		h, payload, rest, ok, err := c.receiver.frames.Next(p)
		if err == nil && ok {
			err = c.frame(&h, payload)
		}
		if stream, is := err.(*StreamError); is {
			c.streamFailed(stream)
			err = nil
		}
		if err != nil {
			c.tellEnd(err)
			return err
		}
		p = rest
	}
	c.tell()
	if len(c.out) > outputMost {
		return errNotTaken
	}
	c.flushAside()
	c.finish()
	return nil
}

// tell wakes the exchanges for which something came.
func (c *Client) tell() {
	for i, s := range c.receiver.woken {
		s.told = false
		s.reply.wake()
		c.receiver.woken[i] = nil
	}
	c.receiver.woken = c.receiver.woken[:0]
}

// news notes that something came for an exchange.
func (c *Client) news(s *ClientStream) {
	s.news = true
	if !s.told {
		s.told = true
		c.receiver.woken = append(c.receiver.woken, s)
	}
}

// tellEnd says GOAWAY for an error of the connection, if the peer takes it at
// once.
func (c *Client) tellEnd(err error) {
	broken, ok := err.(*ConnError)
	if !ok || c.writing {
		return
	}
	c.closing = true
	_, _ = c.transport.Offer(AppendGoAway(nil, 0, broken.Code)) // the connection ends in any case
}

// streamFailed ends an exchange whose peer broke the rules of streams.
func (c *Client) streamFailed(e *StreamError) {
	c.out = AppendRSTStream(c.out, e.Stream, e.Code)
	if s := c.find(e.Stream); s != nil {
		s.closed = true
		s.fail(malformed("upstream sent invalid HTTP/2: " + e.Error()))
		c.news(s)
	}
}

// frame takes one frame.
func (c *Client) frame(h *FrameHead, p []byte) error {
	v := &c.receiver
	if v.block != 0 && (h.Type != FrameContinuation || h.Stream != v.block) {
		return connError(ProtocolError, "header block interrupted by another frame")
	}
	if !v.begun {
		if h.Type != FrameSettings || h.Has(FlagAck) {
			return connError(ProtocolError, "first frame is not SETTINGS")
		}
		v.begun = true
	}
	if v.useless++; v.useless > emptyLimit {
		return connError(EnhanceYourCalm, "too many frames without use")
	}
	switch h.Type {
	case FrameData:
		return c.data(h, p)
	case FrameHeaders:
		return c.headers(h, p)
	case FrameContinuation:
		return c.continuation(h, p)
	case FrameRSTStream:
		return c.rstStream(h, p)
	case FrameWindowUpdate:
		return c.windowUpdate(h, p)
	case FrameSettings, FramePing, FrameGoAway:
		return c.control(h, p)
	case FramePushPromise:
		return connError(ProtocolError, "PUSH_PROMISE frame though push is off")
	case FramePriority:
		if len(p) != 5 {
			return streamError(h.Stream, FrameSizeError, "PRIORITY frame of invalid length")
		}
	}
	return nil
}

// control takes a frame that concerns the whole connection.
func (c *Client) control(h *FrameHead, p []byte) error {
	if h.Stream != 0 {
		return connError(ProtocolError, "frame of the connection on a stream")
	}
	switch h.Type {
	case FrameSettings:
		return c.settings(h, p)
	case FramePing:
		return c.ping(h, p)
	}
	return c.goAway(p)
}

// open returns the stream that a frame is for; nil for one that has ended.
func (c *Client) open(h *FrameHead) (*ClientStream, error) {
	if h.Stream == 0 || h.Stream&1 == 0 || h.Stream >= c.nextID {
		return nil, connError(ProtocolError, "frame on a stream that was never opened")
	}
	return c.find(h.Stream), nil
}

func (c *Client) settings(h *FrameHead, p []byte) error {
	if h.Has(FlagAck) {
		if len(p) > 0 {
			return connError(FrameSizeError, "SETTINGS acknowledgement with a payload")
		}
		return nil
	}
	before := c.peer.InitialWindow
	if err := c.peer.Apply(p); err != nil {
		return err
	}
	c.encoder.SetLimit(c.peer.HeaderTableSize)
	if step := c.peer.InitialWindow - before; step != 0 {
		for s := c.first; s != nil; s = s.next {
			if !s.window.Add(step) {
				return connError(FlowControlError, "window too large")
			}
		}
		c.wakeBlocked()
	}
	c.out = AppendSettingsAck(c.out)
	return nil
}

func (c *Client) ping(h *FrameHead, p []byte) error {
	if len(p) != 8 {
		return connError(FrameSizeError, "PING frame of invalid length")
	}
	if !h.Has(FlagAck) {
		c.out = AppendPing(c.out, [8]byte(p), true)
	}
	return nil
}

// goAway lets no further exchange begin; those that the peer does not work on
// end, and may be made anew elsewhere (RFC 9113, 6.8).
func (c *Client) goAway(p []byte) error {
	if len(p) < 8 {
		return connError(FrameSizeError, "GOAWAY frame of invalid length")
	}
	last := binary.BigEndian.Uint32(p) & maxStream
	code := ErrorCode(binary.BigEndian.Uint32(p[4:]))
	for s := c.first; s != nil; s = s.next {
		if s.id > last {
			s.closed = true
			s.fail(refused("upstream closes the connection with " + code.String()))
			c.news(s)
		}
	}
	c.closing = true
	return nil
}

func (c *Client) rstStream(h *FrameHead, p []byte) error {
	if len(p) != 4 {
		return connError(FrameSizeError, "RST_STREAM frame of invalid length")
	}
	s, err := c.open(h)
	if s == nil || err != nil {
		return err
	}
	s.closed = true
	s.blocked = false
	s.sending.wake()
	if s.ended { // the reply is whole: only the rest of the request is not wanted
		return nil
	}
	s.fail(reset(ErrorCode(binary.BigEndian.Uint32(p))))
	c.news(s)
	return nil
}

func (c *Client) windowUpdate(h *FrameHead, p []byte) error {
	n, err := windowUpdate(h, p)
	if err != nil {
		return err
	}
	c.receiver.useless = min(c.receiver.useless, emptyLimit/2) // a long upload brings nothing else
	if h.Stream == 0 {
		if !c.window.Add(n) {
			return connError(FlowControlError, "window too large")
		}
		c.wakeBlocked()
		return nil
	}
	s, err := c.open(h)
	if s == nil || err != nil {
		return err
	}
	if !s.window.Add(n) {
		return streamError(h.Stream, FlowControlError, "window too large")
	}
	if s.blocked {
		s.blocked = false
		s.sending.wake()
	}
	return nil
}

func (c *Client) data(h *FrameHead, p []byte) error {
	data, err := dataOf(h, p)
	if err != nil {
		return err
	}
	s, err := c.open(h)
	if err != nil {
		return err
	}
	if !c.received.Receive(len(p)) {
		return connError(FlowControlError, "more DATA than the window of the connection allows")
	}
	if n := c.received.Consume(len(p)); n > 0 {
		c.out = AppendWindowUpdate(c.out, 0, n)
	}
	if len(data) > 0 || h.Has(FlagEndStream) {
		c.receiver.useless = 0
	}
	if s == nil || s.closed {
		return nil
	}
	if err := s.take(data, len(p), h.Has(FlagEndStream)); err != nil {
		return err
	}
	c.news(s)
	return nil
}
