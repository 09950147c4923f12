package http2

import (
	"bytes"
	"errors"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// ErrUnwanted ends the sending of a request whose rest the peer does not want:
// its reply, or the reason why there is none, is there to be read.
var ErrUnwanted = errors.New("the peer does not want the rest of the request")

// Write sends a piece of the body; end tells that nothing follows it. It waits
// until the peer is ready for all of it. The error is ErrUnwanted, or
// wire.ErrTimeout.
func (s *ClientStream) Write(p []byte, end bool) error {
	c := s.c
	due := dueAt(wire.Now(), s.patience)
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if s.closed || s.failure != nil || c.broken != nil || c.ended != nil {
			return ErrUnwanted
		}
		n := c.appendData(s, p, end)
		c.flush()
		if p = p[n:]; len(p) == 0 {
			return nil
		}
		now := wire.Now()
		if n > 0 {
			due = dueAt(now, s.patience)
		} else if due != 0 && now >= due {
			return wire.ErrTimeout
		}
		if s.blocked = !c.roomFor(s); s.blocked {
			c.mu.Unlock()
			s.sending.sleep(now, due)
			c.mu.Lock()
		}
	}
}

// WriteTrailers ends a request with fields behind its body.
func (s *ClientStream) WriteTrailers(h *request.Head) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed || c.broken != nil || c.ended != nil {
		return ErrUnwanted
	}
	at := len(c.out)
	var room [FrameHeadSize]byte
	c.out = c.encoder.Begin(append(c.out, room[:]...))
	for i := range h.Fields {
		if f := &h.Fields[i]; !h.Skips(f) {
			c.scratch = appendLower(c.scratch[:0], h.Name(f))
			c.out = c.encoder.Append(c.out, c.scratch, h.Value(f))
		}
	}
	c.endBlock(s, at, true)
	s.sent = true
	c.flush()
	return nil
}

// roomFor tells whether a piece of a body can be sent now.
func (c *Client) roomFor(s *ClientStream) bool {
	return s.window.Size() > 0 && c.window.Size() > 0 && len(c.out) < outputRoom
}

// appendData appends as much of p as the windows and the room for output
// allow, in frames, and returns how much that was.
func (c *Client) appendData(s *ClientStream, p []byte, end bool) (taken int) {
	for taken < len(p) {
		n := min(len(p)-taken, s.window.Size(), c.window.Size(), outputRoom-len(c.out), int(c.peer.MaxFrameSize), DefaultFrameSize)
		if n <= 0 {
			return taken
		}
		c.appendDataFrame(s, p[taken:taken+n], end && taken+n == len(p))
		taken += n
	}
	if len(p) == 0 && end {
		c.appendDataFrame(s, nil, true)
	}
	return taken
}

// appendDataFrame appends one DATA frame, for which there must be room.
func (c *Client) appendDataFrame(s *ClientStream, p []byte, end bool) {
	h := FrameHead{Length: len(p), Type: FrameData, Stream: s.id}
	if end {
		h.Flags = FlagEndStream
		s.sent = true
	}
	c.out = append(AppendFrameHead(c.out, h), p...)
	s.window.Take(len(p))
	c.window.Take(len(p))
}

// appendRequest appends the HEADERS of a request.
func (c *Client) appendRequest(s *ClientStream, o *Opening, end bool) {
	line, fields, _ := bytes.Cut(o.Head, []byte("\r\n"))
	method, target, _ := bytes.Cut(line, []byte(" "))
	if i := bytes.LastIndexByte(target, ' '); i >= 0 { // the version
		target = target[:i]
	}
	at := len(c.out)
	var room [FrameHeadSize]byte
	dst := c.encoder.Begin(append(c.out, room[:]...))
	switch string(method) {
	case "GET":
		dst = c.encoder.AppendIndexed(dst, staticMethodGet)
	case "POST":
		dst = c.encoder.AppendIndexed(dst, staticMethodPost)
	default:
		dst = c.encoder.Append(dst, []byte(":method"), method)
	}
	if o.Secure {
		dst = c.encoder.AppendIndexed(dst, staticSchemeHTTPS)
	} else {
		dst = c.encoder.AppendIndexed(dst, staticSchemeHTTP)
	}
	dst = c.encoder.Append(dst, []byte(":path"), target)
	if host, ok := findLine(fields, "host"); ok {
		dst = c.encoder.Append(dst, []byte(":authority"), host)
	}
	c.out = c.appendFields(dst, fields)
	c.endBlock(s, at, end)
	s.sent = end
}

// appendFields appends the fields of a head of HTTP/1 but for what only HTTP/1
// knows (RFC 9113, 8.2.2).
func (c *Client) appendFields(dst, lines []byte) []byte {
	for {
		name, value, rest, ok := cutLine(lines)
		if !ok {
			return dst
		}
		lines = rest
		c.scratch = appendLower(c.scratch[:0], name)
		switch string(c.scratch) {
		case "host", "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "http2-settings":
			continue
		case "te":
			if !request.EqualFold(value, []byte("trailers")) && !bytes.Contains(bytes.ToLower(value), []byte("trailers")) {
				continue
			}
			value = []byte("trailers")
		}
		dst = c.encoder.Append(dst, c.scratch, value)
	}
}

// cutLine cuts the first field off lines that end in CR LF; ok is false at the
// empty line.
func cutLine(lines []byte) (name, value, rest []byte, ok bool) {
	end := bytes.IndexByte(lines, '\n')
	if end <= 1 {
		return nil, nil, nil, false
	}
	line := lines[:end-1]
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, nil, false
	}
	return line[:colon], bytes.Trim(line[colon+1:], " \t"), lines[end+1:], true
}

// findLine returns the value of the first field of a name, given in lower case.
func findLine(lines []byte, name string) ([]byte, bool) {
	for {
		n, value, rest, ok := cutLine(lines)
		if !ok {
			return nil, false
		}
		if len(n) == len(name) && request.EqualFold(n, []byte(name)) {
			return value, true
		}
		lines = rest
	}
}

// endBlock writes the frame's head before the header block that begins at at,
// and cuts a block that is too large for one frame.
func (c *Client) endBlock(s *ClientStream, at int, end bool) {
	flags := uint8(0)
	if end {
		flags = FlagEndStream
	}
	most := int(c.peer.MaxFrameSize)
	size := len(c.out) - at - FrameHeadSize
	if size <= most {
		setFrameHead(c.out[at:], FrameHead{Length: size, Type: FrameHeaders, Flags: flags | FlagEndHeaders, Stream: s.id})
		return
	}
	block := bytes.Clone(c.out[at+FrameHeadSize:])
	c.out = c.out[:at]
	h := FrameHead{Type: FrameHeaders, Flags: flags, Stream: s.id}
	for len(block) > 0 {
		n := min(len(block), most)
		if h.Length = n; n == len(block) {
			h.Flags |= FlagEndHeaders
		}
		c.out = append(AppendFrameHead(c.out, h), block[:n]...)
		block = block[n:]
		h.Type, h.Flags = FrameContinuation, 0
	}
}
