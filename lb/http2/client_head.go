package http2

import (
	"unsafe"

	"github.com/weir-lb/weir/lb/request"
)

// fieldReader takes the fields of one header block of a reply and finds what
// is wrong with them.
type fieldReader struct {
	head     *request.Head // nil: nobody wants them
	trailing bool          // it is the part behind the body
	status   int
	length   int64 // announced; -1: not
	size     int   // in the measure of RFC 9113, 6.5.2
	limit    int   // of size
	bad      string
}

// begin makes ready for a block of a stream; nil: nobody wants its fields.
func (f *fieldReader) begin(s *ClientStream) {
	*f = fieldReader{length: -1}
	if s == nil || s.ended {
		return
	}
	f.limit, f.trailing = s.headLimit, s.answered
	if f.head = &s.head; s.answered {
		f.head = &s.trailers
	}
	f.head.Reset(f.head.Buf[:0])
}

// field takes one field; the decoder calls it.
func (v *receiver) field(name, value string) {
	f := &v.fields
	if f.bad != "" {
		return
	}
	if f.bad = f.take(name, value); f.bad != "" {
		v.decoder.Ignore()
	}
}

// take adds a field to the head, or tells what is wrong with it.
func (f *fieldReader) take(name, value string) (bad string) {
	if f.size += len(name) + len(value) + entryOverhead; f.size > f.limit {
		return "upstream sent too big header"
	}
	if len(name) > 0 && name[0] == ':' {
		return f.pseudo(name, value)
	}
	switch {
	case classOfName(name)&nameBad != 0:
		return "upstream sent invalid header name"
	case !validValue(value):
		return "upstream sent invalid header value"
	case isConnectionSpecific(name):
		return "upstream sent a connection-specific header"
	case f.status == 0 && !f.trailing:
		return "upstream sent no :status header before the others"
	case name == "content-length" && !f.trailing:
		if bad := f.contentLength(value); bad != "" {
			return bad
		}
	}
	f.head.Add(bytesOf(name), bytesOf(value))
	return ""
}

// pseudo takes a pseudo-header field, of which a reply has one (RFC 9113,
// 8.3.2).
func (f *fieldReader) pseudo(name, value string) (bad string) {
	switch {
	case f.trailing:
		return "upstream sent a pseudo-header in trailers"
	case name != ":status":
		return "upstream sent unknown pseudo-header"
	case f.status != 0:
		return "upstream sent duplicate :status header"
	}
	if len(value) == 3 {
		for i := range len(value) {
			c := value[i]
			if c < '0' || c > '9' {
				return "upstream sent invalid :status header"
			}
			f.status = f.status*10 + int(c-'0')
		}
	}
	if f.status < 100 || f.status == 101 {
		return "upstream sent invalid :status header"
	}
	return ""
}

func (f *fieldReader) contentLength(value string) (bad string) {
	n, ok := parseLength(value)
	if !ok || f.length >= 0 {
		return "upstream sent invalid \"Content-Length\" header"
	}
	f.length = n
	return ""
}

// bytesOf is a view of a string, for callees that only read.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// headers takes a HEADERS frame: the begin of a head or of trailers.
func (c *Client) headers(h *FrameHead, p []byte) error {
	block, _, err := blockOf(h, p)
	if err != nil {
		return err
	}
	s, err := c.open(h)
	if err != nil {
		return err
	}
	if s != nil && s.closed {
		s = nil
	}
	v := &c.receiver
	v.block, v.stream, v.endsStream = h.Stream, s, h.Has(FlagEndStream)
	v.fields.begin(s)
	v.decoder.Begin(v.fields.head != nil)
	return c.blockPart(h, block)
}

// continuation takes the next part of a header block.
func (c *Client) continuation(h *FrameHead, p []byte) error {
	if c.receiver.block == 0 {
		return connError(ProtocolError, "CONTINUATION frame without a header block")
	}
	return c.blockPart(h, p)
}

func (c *Client) blockPart(h *FrameHead, p []byte) error {
	v := &c.receiver
	if err := v.decoder.Write(p, blockLimit); err != nil {
		return err
	}
	if !h.Has(FlagEndHeaders) {
		return nil
	}
	if err := v.decoder.End(); err != nil {
		return err
	}
	s := v.stream
	v.block, v.stream = 0, nil
	if s == nil {
		return nil
	}
	v.useless = 0
	if s.ended {
		return streamError(s.id, StreamClosed, "HEADERS behind the end of the reply")
	}
	c.news(s)
	if bad := c.headDone(s); bad != "" {
		c.out = AppendRSTStream(c.out, s.id, ProtocolError)
		s.closed = true
		s.fail(malformed(bad))
	}
	return nil
}

// headDone takes a complete header block of a stream, or tells what is wrong
// with it.
func (c *Client) headDone(s *ClientStream) (bad string) {
	v := &c.receiver
	f := &v.fields
	switch {
	case f.bad != "":
		return f.bad
	case f.trailing && !v.endsStream:
		return "upstream sent trailers that do not end the reply"
	case f.trailing:
		return s.end()
	case f.status == 0:
		return "upstream sent no :status header"
	case f.status < 200:
		return s.interim(f.status, v.endsStream)
	}
	s.status, s.length = f.status, f.length
	if s.status == 204 || s.status == 304 {
		s.bodyless = true
	}
	if v.endsStream {
		bad = s.end()
	}
	s.answered = bad == ""
	return bad
}

// interim takes a reply before the final one, of which only hints are of use.
func (s *ClientStream) interim(status int, ends bool) (bad string) {
	s.interims++
	switch {
	case ends:
		return "upstream ended the reply without a final status"
	case s.interims > mostInterims:
		return "upstream sent too many informational replies"
	case status != 103:
		return ""
	}
	if !s.hinted {
		s.hinted = true
		s.hints.Reset(s.hints.Buf[:0])
	}
	for i := range s.head.Fields {
		f := &s.head.Fields[i]
		s.hints.Add(s.head.Name(f), s.head.Value(f))
	}
	return ""
}

// end takes the end of the reply; it must have brought what it announced.
func (s *ClientStream) end() (bad string) {
	if s.length >= 0 && s.got != s.length && !s.bodyless {
		return "upstream sent less or more data than specified in \"Content-Length\" header"
	}
	s.ended = true
	return ""
}

// take takes a piece of the body; flow is its length on the wire, with padding.
func (s *ClientStream) take(data []byte, flow int, end bool) error {
	switch {
	case s.ended:
		return streamError(s.id, StreamClosed, "DATA behind the end of the reply")
	case !s.answered:
		return streamError(s.id, ProtocolError, "DATA before the head of the reply")
	case !s.received.Receive(flow):
		return streamError(s.id, FlowControlError, "more DATA than the window of the stream allows")
	case len(data) > 0 && s.bodyless, s.length >= 0 && s.got+int64(len(data)) > s.length:
		return streamError(s.id, ProtocolError, "more data than the reply may have")
	}
	if padding := flow - len(data); padding > 0 {
		s.giveBack(padding)
	}
	s.got += int64(len(data))
	s.in = append(withRoom(s.in, len(data)), data...)
	if end {
		if bad := s.end(); bad != "" {
			return streamError(s.id, ProtocolError, "less data than specified in \"Content-Length\" header")
		}
	}
	return nil
}
