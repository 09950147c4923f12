package http2

import "encoding/binary"

// frame takes one frame from the client.
func (c *ServerConn) frame(h *FrameHead, p []byte) error {
	switch {
	case !c.greeted && (h.Type != FrameSettings || h.Has(FlagAck)):
		return connError(ProtocolError, "connection preface without SETTINGS")
	case c.block.stream != 0 && (h.Type != FrameContinuation || h.Stream != c.block.stream):
		return connError(ProtocolError, "header block interrupted by another frame")
	}
	switch h.Type {
	case FrameData:
		return c.dataFrame(h, p)
	case FrameHeaders:
		return c.headersFrame(h, p)
	case FrameContinuation:
		return c.continuationFrame(h, p)
	case FramePriority:
		return c.priorityFrame(h, p)
	case FrameRSTStream:
		return c.resetFrame(h, p)
	case FrameSettings:
		return c.settingsFrame(h, p)
	case FramePushPromise:
		return connError(ProtocolError, "client sent PUSH_PROMISE")
	case FramePing:
		return c.pingFrame(h, p)
	case FrameGoAway:
		return c.goAwayFrame(h, p)
	case FrameWindowUpdate:
		return c.windowFrame(h, p)
	case FramePriorityUpdate:
		return c.priorityUpdateFrame(h, p)
	}
	return c.conduct.count(uselessFrames, 1) // unknown types are passed over
}

// idleStream tells whether a stream has not been begun.
func (c *ServerConn) idleStream(id uint32) bool { return id > c.last || id%2 == 0 }

func (c *ServerConn) dataFrame(h *FrameHead, p []byte) error {
	if h.Stream == 0 {
		return connError(ProtocolError, "DATA frame without a stream")
	}
	data, err := dataOf(h, p)
	if err != nil {
		return err
	}
	if c.idleStream(h.Stream) {
		return connError(ProtocolError, "DATA frame on an idle stream")
	}
	if len(data) == 0 && !h.Has(FlagEndStream) {
		if err := c.conduct.count(emptyFrames, 1); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.recv.Receive(h.Length) {
		return connError(FlowControlError, "client sent more DATA than the connection's window allows")
	}
	s := c.find(h.Stream)
	if s == nil || s.recvEnd {
		c.credit(nil, h.Length)
		if s == nil && c.wasReset(h.Stream) {
			return nil
		}
		return streamError(h.Stream, StreamClosed, "client sent DATA on a closed stream")
	}
	return c.deliver(s, h, data)
}

// deliver hands DATA to its stream; the lock is held.
func (c *ServerConn) deliver(s *ServerStream, h *FrameHead, data []byte) error {
	if !s.recv.Receive(h.Length) {
		c.credit(nil, h.Length)
		return streamError(s.id, FlowControlError, "client sent more DATA than the stream's window allows")
	}
	if padding := h.Length - len(data); padding > 0 {
		c.credit(s, padding)
	}
	if s.announced >= 0 {
		s.announced -= int64(len(data))
		if s.announced < 0 || h.Has(FlagEndStream) && s.announced > 0 {
			c.credit(nil, len(data))
			return streamError(s.id, ProtocolError, "client sent a body of another length than Content-Length tells")
		}
	}
	if s.discard {
		c.credit(nil, len(data)) // the stream's window stays closed
	} else {
		s.in = append(s.in, data...)
	}
	if h.Has(FlagEndStream) {
		c.receivedAll(s)
	}
	s.cond.Broadcast()
	return nil
}

// receivedAll notes the end of the request; the lock is held.
func (c *ServerConn) receivedAll(s *ServerStream) {
	s.recvEnd = true
	if s.sendEnd {
		c.remove(s)
	}
	s.cond.Broadcast()
}

// credit gives bytes of DATA back that are no longer held; s is nil where the
// stream is of no interest any more. The lock is held.
func (c *ServerConn) credit(s *ServerStream, n int) {
	if update := c.recv.Consume(n); update > 0 {
		c.output.close(AppendWindowUpdate(c.output.open(), 0, update))
	}
	if s == nil || s.recvEnd {
		return
	}
	if update := s.recv.Consume(n); update > 0 {
		c.output.close(AppendWindowUpdate(c.output.open(), s.id, update))
	}
}

func (c *ServerConn) priorityFrame(h *FrameHead, p []byte) error {
	if err := c.conduct.count(priorityFrames, 1); err != nil {
		return err
	}
	switch {
	case h.Stream == 0:
		return connError(ProtocolError, "PRIORITY frame without a stream")
	case len(p) != 5:
		return streamError(h.Stream, FrameSizeError, "PRIORITY frame of invalid length")
	case binary.BigEndian.Uint32(p)&maxStream == h.Stream:
		return streamError(h.Stream, ProtocolError, "stream that depends on itself")
	}
	return nil // RFC 9113, 5.3.2: the scheme that it belongs to is given up
}

func (c *ServerConn) resetFrame(h *FrameHead, p []byte) error {
	switch {
	case h.Stream == 0:
		return connError(ProtocolError, "RST_STREAM frame without a stream")
	case len(p) != 4:
		return connError(FrameSizeError, "RST_STREAM frame of invalid length")
	case c.idleStream(h.Stream):
		return connError(ProtocolError, "RST_STREAM frame on an idle stream")
	}
	c.mu.Lock()
	s := c.find(h.Stream)
	if s != nil {
		c.close(s, ErrClientReset)
	}
	c.mu.Unlock()
	if s == nil {
		return c.conduct.count(uselessFrames, 1)
	}
	return c.conduct.count(clientResets, 1)
}

func (c *ServerConn) settingsFrame(h *FrameHead, p []byte) error {
	switch {
	case h.Stream != 0:
		return connError(ProtocolError, "SETTINGS frame on a stream")
	case h.Has(FlagAck) && len(p) > 0:
		return connError(FrameSizeError, "SETTINGS acknowledgement with a payload")
	}
	if err := c.conduct.count(settingsFrames, 1); err != nil {
		return err
	}
	if h.Has(FlagAck) {
		return nil
	}
	c.greeted = true
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.peer.InitialWindow
	if err := c.peer.Apply(p); err != nil {
		return err
	}
	c.encoder.SetLimit(c.peer.HeaderTableSize)
	if change := c.peer.InitialWindow - before; change != 0 {
		for _, s := range c.streams {
			if !s.send.Add(change) {
				return connError(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE makes a window too large")
			}
		}
		defer c.wakeNext() // behind the acknowledgement, for clients that count from there
	}
	return c.output.control(AppendSettingsAck(c.output.open()))
}

func (c *ServerConn) pingFrame(h *FrameHead, p []byte) error {
	switch {
	case h.Stream != 0:
		return connError(ProtocolError, "PING frame on a stream")
	case len(p) != 8:
		return connError(FrameSizeError, "PING frame of invalid length")
	}
	if err := c.conduct.count(pingFrames, 1); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.Has(FlagAck) {
		if c.leaving == warned && [8]byte(p) == c.drained {
			c.depart()
		}
		return nil
	}
	return c.output.control(AppendPing(c.output.open(), [8]byte(p), true))
}

func (c *ServerConn) goAwayFrame(h *FrameHead, p []byte) error {
	switch {
	case h.Stream != 0:
		return connError(ProtocolError, "GOAWAY frame on a stream")
	case len(p) < 8:
		return connError(FrameSizeError, "GOAWAY frame of invalid length")
	}
	return c.conduct.count(uselessFrames, 1) // the client will close by itself
}

func (c *ServerConn) windowFrame(h *FrameHead, p []byte) error {
	n, err := windowUpdate(h, p)
	if err != nil {
		return err
	}
	if h.Stream != 0 && c.idleStream(h.Stream) {
		return connError(ProtocolError, "WINDOW_UPDATE frame on an idle stream")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.checkWindows(); err != nil {
		return err
	}
	if h.Stream == 0 {
		if !c.send.Add(n) {
			return connError(FlowControlError, "WINDOW_UPDATE makes the connection's window too large")
		}
		c.wakeNext()
		return nil
	}
	if s := c.find(h.Stream); s != nil {
		if !s.send.Add(n) {
			return streamError(h.Stream, FlowControlError, "WINDOW_UPDATE makes the window too large")
		}
		c.wakeNext()
	}
	return nil
}

// checkWindows counts a WINDOW_UPDATE, and what tiny windows have made of the
// output; the lock is held.
func (c *ServerConn) checkWindows() error {
	o := &c.output
	c.conduct.sent += o.pieces
	crumbs := o.crumbs
	o.pieces, o.crumbs = 0, 0
	if err := c.conduct.count(smallWindows, crumbs); err != nil {
		return err
	}
	return c.conduct.count(windowFrames, 1)
}

func (c *ServerConn) priorityUpdateFrame(h *FrameHead, p []byte) error {
	if err := c.conduct.count(priorityFrames, 1); err != nil {
		return err
	}
	switch {
	case h.Stream != 0:
		return connError(ProtocolError, "PRIORITY_UPDATE frame on a stream")
	case len(p) < 4:
		return connError(FrameSizeError, "PRIORITY_UPDATE frame of invalid length")
	}
	id := binary.BigEndian.Uint32(p) & maxStream
	if id == 0 {
		return connError(ProtocolError, "PRIORITY_UPDATE frame for no stream")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.find(id); s != nil { // one of a stream to come is not kept: the request has its own field
		s.priority = parsePriority(p[4:])
	}
	return nil
}
