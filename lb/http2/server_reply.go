package http2

import (
	"strconv"

	"github.com/weir-lb/weir/lb/request"
)

// HeadOptions is what a reply's head needs beside the reply itself.
type HeadOptions struct {
	Server []byte // value of server; empty: none
	Date   []byte // value of date
	// LastModified is the value of last-modified; empty: none.
	LastModified []byte
	End          bool // no body follows, nor trailers
}

// WriteHead sends the head of the stream's reply, to leave together with what
// follows. A byte of a value that would end a line of HTTP/1 becomes a space.
func (s *ServerStream) WriteHead(o *HeadOptions) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.awaitHead(); err != nil {
		return err
	}
	w := c.beginBlock(s)
	w.reply(&s.Request.Reply, o)
	w.end(o.End)
	return nil
}

// WriteTrailers ends the reply with the fields of h that are not skipped.
func (s *ServerStream) WriteTrailers(h *request.Head) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.awaitHead(); err != nil {
		return err
	}
	w := c.beginBlock(s)
	w.fields(h)
	w.end(true)
	return nil
}

// WriteInterim sends a reply before the final one (RFC 9113, 8.1); h may be
// nil.
func (s *ServerStream) WriteInterim(status int, h *request.Head) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.awaitHead(); err != nil {
		return err
	}
	w := c.beginBlock(s)
	w.dst = c.encoder.AppendStatus(w.dst, status)
	if h != nil {
		h.SkipAll(request.FieldContentLength)
		w.fields(h)
	}
	w.end(false)
	c.flush()
	return nil
}

// awaitHead waits while more is held back than a connection may hold, and
// until all that was written before has its place.
func (s *ServerStream) awaitHead() error {
	c := s.c
	for until := deadline(s.SendTimeout); s.err == nil && c.output.size() >= 2*outputFull; {
		c.flushNow()
		if c.output.size() < 2*outputFull {
			break
		}
		s.heading = true
		c.queue.join(s)
		late := !s.wait(writing, until)
		c.queue.leave(s)
		if s.heading = false; late {
			return s.stall(ErrStalled)
		}
	}
	return s.err
}

// blockWriter writes one header block. It holds the connection's lock.
type blockWriter struct {
	s   *ServerStream
	dst []byte
	at  int // where the HEADERS frame begins
}

func (c *ServerConn) beginBlock(s *ServerStream) blockWriter {
	dst := c.output.open()
	at := len(dst)
	dst = AppendFrameHead(dst, FrameHead{})
	return blockWriter{s: s, dst: c.encoder.Begin(dst), at: at}
}

// end completes the frames of the block.
func (w *blockWriter) end(endStream bool) {
	s, c := w.s, w.s.c
	h := FrameHead{Length: len(w.dst) - w.at - FrameHeadSize, Type: FrameHeaders, Flags: FlagEndHeaders, Stream: s.id}
	if endStream {
		h.Flags |= FlagEndStream
	}
	if h.Length > DefaultFrameSize {
		w.split(h)
	} else {
		setFrameHead(w.dst[w.at:], h)
	}
	s.sent += int64(len(w.dst) - w.at)
	c.output.close(w.dst)
	if endStream {
		s.ended()
	}
}

// split puts a block that is too large for one frame into several.
func (w *blockWriter) split(h FrameHead) {
	block := append([]byte(nil), w.dst[w.at+FrameHeadSize:]...)
	w.dst = w.dst[:w.at]
	h.Flags &^= FlagEndHeaders
	for first := true; len(block) > 0; first = false {
		h.Length = min(len(block), DefaultFrameSize)
		if !first {
			h.Type, h.Flags = FrameContinuation, 0
		}
		if h.Length == len(block) {
			h.Flags |= FlagEndHeaders
		}
		w.dst = append(AppendFrameHead(w.dst, h), block[:h.Length]...)
		block = block[h.Length:]
	}
}

// bytes appends one field whose name is in lower case.
func (w *blockWriter) bytes(name string, value []byte) {
	c := w.s.c
	c.name = append(c.name[:0], name...)
	w.dst = c.encoder.Append(w.dst, c.name, cleanValue(&c.value, value))
}

// reply appends the fields of a reply in nginx's order. What an upstream has
// sent and is not skipped wins over weir's own.
func (w *blockWriter) reply(p *request.Reply, o *HeadOptions) {
	c, h := w.s.c, p.Head
	skipConnection(h)
	w.dst = c.encoder.AppendStatus(w.dst, p.Status)
	if len(o.Server) > 0 && !h.Kept(request.FieldServer) {
		w.bytes("server", o.Server)
	}
	if len(o.Date) > 0 && !h.Kept(request.FieldDate) {
		w.bytes("date", o.Date)
	}
	if p.ContentType != nil && !h.Kept(request.FieldContentType) {
		w.bytes("content-type", p.ContentType)
	}
	if p.Length >= 0 && p.Status >= 200 && p.Status != 204 {
		c.value = strconv.AppendInt(c.value[:0], p.Length, 10)
		c.name = append(c.name[:0], "content-length"...)
		w.dst = c.encoder.Append(w.dst, c.name, c.value)
	}
	if len(o.LastModified) > 0 && !h.Kept(request.FieldLastModified) {
		w.bytes("last-modified", o.LastModified)
	}
	if p.Location != nil && !h.Kept(request.FieldLocation) {
		w.bytes("location", p.Location)
	}
	if p.ETag != nil && !h.Kept(request.FieldETag) {
		w.bytes("etag", p.ETag)
	}
	if p.Ranges && !h.Kept(request.FieldAcceptRanges) {
		w.bytes("accept-ranges", []byte("bytes"))
	}
	if h != nil {
		w.fields(h)
	}
	for i := range p.Added {
		c.name = appendLower(c.name[:0], p.Added[i].Name)
		w.dst = c.encoder.Append(w.dst, c.name, cleanValue(&c.value, p.Added[i].Value))
	}
}

// skipConnection marks what only a connection of HTTP/1 knows (RFC 9113,
// 8.2.2), and the length, which is written from the reply.
func skipConnection(h *request.Head) {
	if h != nil {
		h.SkipEach(notHere)
	}
}

// notHere are the fields that skipConnection marks.
var notHere = request.Set(
	request.FieldConnection, request.FieldKeepAlive, request.FieldProxyConnection, request.FieldTransferEncoding,
	request.FieldUpgrade, request.FieldContentLength,
)

// fields appends the fields of a head that are not skipped.
func (w *blockWriter) fields(h *request.Head) {
	c := w.s.c
	for i := range h.Fields {
		f := &h.Fields[i]
		if h.Skips(f) {
			continue
		}
		c.name = appendLower(c.name[:0], h.Name(f))
		w.dst = c.encoder.Append(w.dst, c.name, cleanValue(&c.value, h.Value(f)))
	}
}
