package http2

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/weir-lb/weir/lb/request"
)

// headBlock is a header block on its way in: a request's head, or trailers, or
// one that nobody wants but that must be read for the decoder's sake.
type headBlock struct {
	stream    uint32 // 0: no block is open
	id        uint32 // of the stream, also after the block
	s         *ServerStream
	trailers  bool
	endStream bool
	fields    int
	size      int    // of the fields, in the form of HTTP/1
	bad       string // what is malformed; empty: nothing
	large     bool   // the limits of a head are exceeded
	head      *request.Head
	own       *request.Head // of trailers, whose request may end before they are complete

	// The pseudo-header fields, and what else is decided at the end.
	method, scheme, path, authority, protocol string
	seen                                      uint8
	regular                                   bool // a field that is none has come
	cookies                                   []byte
	length                                    int64 // Content-Length, -1: none
}

// Bits of headBlock.seen.
const (
	sawMethod = 1 << iota
	sawScheme
	sawPath
	sawAuthority
	sawProtocol
)

// begin starts a block; what the last one held is void.
func (b *headBlock) begin(h *FrameHead, s *ServerStream, trailers bool) {
	own := b.own
	*b = headBlock{
		stream: h.Stream, id: h.Stream, s: s, trailers: trailers, endStream: h.Has(FlagEndStream), cookies: b.cookies[:0], length: -1, own: own,
	}
	switch {
	case s == nil:
		return
	case trailers:
		if b.own == nil {
			b.own = &request.Head{}
		}
		b.head = b.own
		b.head.Reset(b.head.Buf[:0])
	default:
		b.head = &s.Request.Head
		b.head.Reset(s.buf[:0])
	}
}

// headersFrame begins a request, or the trailers of one.
func (c *ServerConn) headersFrame(h *FrameHead, p []byte) error {
	if h.Stream == 0 {
		return connError(ProtocolError, "HEADERS frame without a stream")
	}
	if h.Stream%2 == 0 {
		return connError(ProtocolError, "HEADERS frame on a stream of the server's")
	}
	part, parent, err := blockOf(h, p)
	if err != nil {
		return err
	}
	if len(p) == 0 {
		if err := c.conduct.count(emptyFrames, 1); err != nil {
			return err
		}
	}
	var failed error // of the stream; the block is read all the same
	if h.Stream > c.last {
		failed = c.openBlock(h)
	} else if failed, err = c.trailerBlock(h); err != nil {
		return err
	}
	if failed == nil && parent == h.Stream && h.Has(FlagPriority) {
		failed = streamError(h.Stream, ProtocolError, "stream that depends on itself")
	}
	if failed != nil {
		if s := c.block.s; s != nil && !c.block.trailers {
			c.host.Release(s)
		}
		c.block.s = nil
	}
	c.decoder.Begin(c.block.s != nil)
	if err := c.blockPart(h, part); err != nil {
		return err
	}
	return failed
}

// openBlock begins the head of a request. An error refuses the stream.
func (c *ServerConn) openBlock(h *FrameHead) error {
	c.last = h.Stream
	c.mu.Lock()
	open, running, leaving := len(c.streams), c.running, c.leaving
	c.mu.Unlock()
	c.block.begin(h, nil, false)
	switch {
	case leaving == departed:
		c.mu.Lock()
		c.reset[c.resets%uint32(len(c.reset))] = h.Stream // what follows on it means nothing
		c.resets++
		c.mu.Unlock()
		return nil
	case open >= c.limits.MaxStreams || running >= 2*c.limits.MaxStreams:
		return streamError(h.Stream, RefusedStream, "concurrent streams exceeded")
	}
	if s := c.host.Open(); s != nil {
		s.open(c, h.Stream)
		c.block.begin(h, s, false)
		return nil
	}
	return streamError(h.Stream, RefusedStream, "no place for a request")
}

// trailerBlock begins a block on a stream that was begun before. failed ends
// the stream, err the connection.
func (c *ServerConn) trailerBlock(h *FrameHead) (failed, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.find(h.Stream)
	c.block.begin(h, nil, true)
	switch {
	case s == nil && c.wasReset(h.Stream):
		return nil, nil
	case s == nil:
		return nil, connError(StreamClosed, "HEADERS frame on a closed stream")
	case s.recvEnd:
		return streamError(h.Stream, StreamClosed, "HEADERS frame on a half-closed stream"), nil
	case !h.Has(FlagEndStream):
		return streamError(h.Stream, ProtocolError, "trailers that do not end the stream"), nil
	}
	c.block.begin(h, s, true)
	return nil, nil
}

func (c *ServerConn) continuationFrame(h *FrameHead, p []byte) error {
	if c.block.stream == 0 {
		return connError(ProtocolError, "CONTINUATION frame without a header block")
	}
	if len(p) == 0 {
		if err := c.conduct.count(emptyFrames, 1); err != nil {
			return err
		}
	}
	return c.blockPart(h, p)
}

// blockPart takes what one frame holds of the block.
func (c *ServerConn) blockPart(h *FrameHead, part []byte) error {
	if err := c.decoder.Write(part, 2*c.limits.HeadSize+DefaultFrameSize); err != nil {
		return err
	}
	if !h.Has(FlagEndHeaders) {
		return nil
	}
	if err := c.decoder.End(); err != nil {
		return err
	}
	b := &c.block
	b.stream = 0
	if b.s == nil {
		return nil
	}
	end := c.endHead
	if b.trailers {
		end = c.endTrailers
	}
	if err := end(); err != nil {
		return err
	}
	b.s, b.head = nil, nil // an idle connection holds no stream, and nothing of its host's
	return nil
}

// field takes one field of the block, from the decoder.
func (c *ServerConn) field(name, value string) {
	b, l := &c.block, &c.limits
	if b.bad != "" || b.large {
		return
	}
	b.fields++
	b.size += len(name) + len(value) + 4
	if l.FieldSize > 0 && len(name)+len(value)+4 > l.FieldSize || l.HeadSize > 0 && b.size > l.HeadSize ||
		l.MaxFields > 0 && b.fields > l.MaxFields {
		b.large = true
		return
	}
	if !validValue(value) {
		b.bad = "client sent an invalid value of header \"" + shown(name) + "\""
		return
	}
	if len(name) > 0 && name[0] == ':' {
		b.pseudo(name, value)
		return
	}
	seen := classOfName(name)
	if seen&nameBad != 0 {
		b.bad = "client sent an invalid header name \"" + shown(name) + "\""
		return
	}
	if !b.regular && !b.trailers {
		b.startLine()
	}
	b.regular = true
	if b.special(name, value) {
		return
	}
	if odd := seen&nameOdd != 0 || seen&nameUnderscore != 0 && !l.Underscores; odd && l.IgnoreInvalid {
		return // dropped, as in HTTP/1
	}
	b.head.AddText(name, value)
}

// pseudo takes a pseudo-header field (RFC 9113, 8.3).
func (b *headBlock) pseudo(name, value string) {
	if b.trailers || b.regular {
		b.bad = "client sent pseudo-header \"" + shown(name) + "\" out of place"
		return
	}
	var bit uint8
	switch name {
	case ":method":
		bit, b.method = sawMethod, value
	case ":scheme":
		bit, b.scheme = sawScheme, value
	case ":path":
		bit, b.path = sawPath, value
	case ":authority":
		bit, b.authority = sawAuthority, value
	case ":protocol":
		bit, b.protocol = sawProtocol, value
	default:
		b.bad = "client sent unknown pseudo-header \"" + shown(name) + "\""
		return
	}
	if b.seen&bit != 0 {
		b.bad = "client sent duplicate pseudo-header \"" + shown(name) + "\""
	}
	b.seen |= bit
}

// special takes the fields that HTTP/2 has rules of its own for; true where
// the field is done with.
func (b *headBlock) special(name, value string) bool {
	switch name {
	case "te":
		if value != "trailers" {
			b.bad = "client sent invalid \"te\" header"
		}
		return b.bad != ""
	case "cookie": // a cookie for each field is allowed (RFC 9113, 8.2.3)
		if b.trailers {
			return false
		}
		if len(b.cookies) > 0 {
			b.cookies = append(b.cookies, "; "...)
		}
		b.cookies = append(b.cookies, value...)
		return true
	case "content-length":
		n, ok := parseLength(value)
		if !ok || b.length >= 0 {
			b.bad = "client sent invalid \"content-length\" header"
		}
		b.length = n
		return b.bad != ""
	case "host":
		return !b.trailers && b.hostField(value)
	case "priority":
		if !b.trailers {
			b.s.priority = parsePriority(value)
		}
	}
	if isConnectionSpecific(name) {
		b.bad = "client sent connection-specific header \"" + shown(name) + "\""
		return true
	}
	return false
}

// hostField compares Host with the authority, beside which it says nothing
// new; true where it is not to be passed on.
func (b *headBlock) hostField(value string) bool {
	if b.seen&sawAuthority == 0 {
		return false
	}
	if !request.EqualFold([]byte(value), []byte(b.authority)) {
		b.bad = "client sent \"host\" and \":authority\" that differ"
	}
	return true
}

// startLine checks the pseudo-header fields and writes what HTTP/1 would have
// for them: the request line and Host.
func (b *headBlock) startLine() {
	if b.bad = b.checkPseudo(); b.bad != "" {
		return
	}
	r := &b.s.Request.Facts
	h := b.head
	method := b.method
	if b.protocol != "" {
		method = "GET"
	}
	dst := append(h.Buf, method...)
	r.Method = request.Span{Off: 0, End: uint32(len(dst))}
	dst = append(dst, ' ')
	from := uint32(len(dst))
	dst = append(dst, b.path...)
	r.Target = request.Span{Off: from, End: uint32(len(dst))}
	dst = append(dst, " HTTP/2.0"...)
	r.Line = request.Span{Off: 0, End: uint32(len(dst))}
	h.Buf = append(dst, "\r\n"...)
	r.Verb = request.VerbOf(h.Bytes(r.Method))
	r.Version = request.HTTP20
	if b.seen&sawAuthority != 0 {
		h.AddText("host", b.authority)
	}
	if b.protocol != "" {
		h.AddText("upgrade", b.protocol)
		h.AddText("connection", "Upgrade")
	}
}

// checkPseudo tells what is wrong with the pseudo-header fields, if anything.
func (b *headBlock) checkPseudo() string {
	const all = sawMethod | sawScheme | sawPath
	connect := b.method == "CONNECT"
	switch {
	case connect && b.seen&sawProtocol == 0:
		if b.seen != sawMethod|sawAuthority || b.authority == "" {
			return "client sent CONNECT with invalid pseudo-headers"
		}
		return ""
	case b.seen&all != all:
		return "client sent no :method, :scheme or :path header"
	case b.seen&sawProtocol != 0 && (!connect || b.seen&sawAuthority == 0 || !isToken(b.protocol)):
		return "client sent invalid :protocol header"
	case !isMethod(b.method):
		return "client sent invalid method: \"" + shown(b.method) + "\""
	case !isPath(b.path) && (b.path != "*" || b.method != "OPTIONS"): // who serves the request refuses that one
		return "client sent invalid :path header: \"" + shown(b.path) + "\""
	case !isToken(b.scheme):
		return "client sent invalid :scheme header: \"" + shown(b.scheme) + "\""
	case b.seen&sawAuthority != 0 && !isPrintable(b.authority):
		return "client sent invalid :authority header: \"" + shown(b.authority) + "\""
	}
	return ""
}

// isMethod takes what weir takes in HTTP/1.
func isMethod(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// isPath tells whether a target can stand in a request line.
func isPath(s string) bool { return s != "" && s[0] == '/' && isPrintable(s) }

// isPrintable tells whether nothing of s ends a word of HTTP/1.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// isToken tells whether s is a token (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if nameClass[c]&nameBad != 0 {
			return false
		}
	}
	return s != ""
}

// shown is a bounded part of what a client sent, for the log.
func shown(s string) string {
	const most = 60
	clean := []byte(s[:min(len(s), most)])
	for i, c := range clean {
		if c < ' ' || c >= 0x7f || c == '"' {
			clean[i] = '?'
		}
	}
	return string(clean)
}

// endHead takes a request whose head is complete.
func (c *ServerConn) endHead() error {
	b := &c.block
	s := b.s
	if !b.regular && b.bad == "" && !b.large {
		b.startLine()
	}
	if b.bad == "" && b.endStream && b.length > 0 {
		b.bad = "client sent no body, but a Content-Length"
	}
	if b.bad != "" && !b.large {
		c.host.Release(s)
		return streamError(s.id, ProtocolError, b.bad)
	}
	if len(b.cookies) > 0 && !b.large {
		b.head.Add([]byte("cookie"), b.cookies)
	}
	b.describe(s, c.decoder.Size())
	s.TooLarge = b.large
	c.conduct.served++
	c.mu.Lock()
	s.recvEnd = b.endStream
	s.announced = b.length
	c.ids, c.streams = append(c.ids, s.id), append(c.streams, s)
	c.running++
	c.mu.Unlock()
	c.workers.run(task{c, s})
	return nil
}

// describe tells the request about its body, and about itself where its head
// was too large to be read to its end.
func (b *headBlock) describe(s *ServerStream, size int) {
	r := s.Request
	s.buf = b.head.Buf[:0] // it has grown
	r.Version = request.HTTP20
	r.Length = int64(size)
	if i := b.head.First(request.FieldHost); i >= 0 {
		r.HostRaw = b.head.Fields[i].Value
	}
	body := &r.Body
	switch {
	case b.protocol != "":
		s.Connect = true
		b.webSocketKey()
	case b.endStream:
	case b.length >= 0:
		body.Framing, body.Length = request.FramingLength, b.length
	default:
		body.Framing, body.Length = request.FramingChunked, -1
	}
	if v, ok := b.head.Get(request.FieldExpect); ok && body.Framing != request.FramingNone {
		body.Expect = request.EqualFold(v, []byte("100-continue"))
	}
}

// webSocketKey adds what an upstream of HTTP/1 asks for and HTTP/2 does
// without (RFC 8441, 5.1).
func (b *headBlock) webSocketKey() {
	if _, ok := b.head.Find([]byte("sec-websocket-key")); ok || b.protocol != "websocket" {
		return
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	b.head.AddText("sec-websocket-key", base64.StdEncoding.EncodeToString(key[:]))
}

// endTrailers takes trailers that are complete.
func (c *ServerConn) endTrailers() error {
	b := &c.block
	if b.bad != "" || b.large {
		if b.large {
			b.bad = "client sent too large trailers"
		}
		return streamError(b.id, ProtocolError, b.bad)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.find(b.id) != b.s {
		return nil // it has ended meanwhile, and may serve another request by now
	}
	to := &b.s.Request.Body.Trailers
	to.Reset(append(to.Buf[:0], b.head.Buf...))
	for _, f := range b.head.Fields {
		f.Skip = !f.ID.MayTrail()
		to.Append(f)
	}
	if b.s.announced > 0 {
		return streamError(b.id, ProtocolError, "client sent a body of another length than Content-Length tells")
	}
	c.receivedAll(b.s)
	return nil
}
