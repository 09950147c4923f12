package http1

import (
	"strconv"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// HeadOptions is what a reply's head needs beside the reply itself.
type HeadOptions struct {
	Server []byte // value of Server; empty: none
	Date   []byte // value of Date, made by the caller once a second
	Lead   []byte // the lines of both made ready by AppendLead; empty: they are made anew
	// Chunked announces the chunked coding; Reply.Length is then not written.
	Chunked bool
	// KeepAlive tells whether the connection stays open after the reply.
	KeepAlive bool
	// KeepAliveValue is the value of Keep-Alive, written with KeepAlive where
	// it is not empty (the second parameter of keepalive_timeout).
	KeepAliveValue []byte
}

// AppendReplyHead appends the status line and all fields of r.Reply in nginx's
// order, and the empty line. Framing and Connection are always weir's own; an
// upstream's Server, Date and Content-Type that are not skipped stay, and weir
// adds none beside them. A CR, LF or NUL in a value becomes a space, so that
// no value can begin a field or a message.
func AppendReplyHead(dst []byte, r *request.Request, o *HeadOptions) []byte {
	p := &r.Reply
	h := replyHeadOf(p)
	dst = appendStatusLine(dst, p.Status, p.Reason)
	if len(o.Lead) > 0 && !h.Kept(request.FieldServer) && !h.Kept(request.FieldDate) {
		dst = append(dst, o.Lead...)
	} else {
		dst = appendOrigin(dst, h, o)
	}
	if p.ContentType != nil && !h.Kept(request.FieldContentType) {
		dst = appendField(dst, "Content-Type", p.ContentType)
	}
	dst = appendFraming(dst, p, h, o.Chunked)
	if !p.LastModified.IsZero() && !h.Kept(request.FieldLastModified) {
		dst = append(dst, "Last-Modified: "...)
		dst = AppendDate(dst, p.LastModified)
		dst = append(dst, "\r\n"...)
	}
	if p.Location != nil && !h.Kept(request.FieldLocation) {
		dst = appendField(dst, "Location", p.Location)
	}
	dst = appendConnection(dst, p, h, o)
	if p.ETag != nil && !h.Kept(request.FieldETag) {
		dst = appendField(dst, "ETag", p.ETag)
	}
	if p.Ranges && !h.Kept(request.FieldAcceptRanges) {
		dst = append(dst, "Accept-Ranges: bytes\r\n"...)
	}
	if h != nil {
		dst = h.AppendFields(dst)
	}
	for i := range p.Added {
		dst = appendField(dst, p.Added[i].Name, p.Added[i].Value)
	}
	return append(dst, "\r\n"...)
}

// appendOrigin appends the lines of Server and Date, each that has a value and of
// which the upstream's head, if there is one, keeps none.
func appendOrigin(dst []byte, h *request.Head, o *HeadOptions) []byte {
	if len(o.Server) > 0 && !h.Kept(request.FieldServer) {
		dst = appendField(dst, "Server", o.Server)
	}
	if len(o.Date) > 0 && !h.Kept(request.FieldDate) {
		dst = appendField(dst, "Date", o.Date)
	}
	return dst
}

// AppendLead appends the lines of Server and Date as HeadOptions.Lead takes them.
func AppendLead(dst, server, date []byte) []byte {
	return appendOrigin(dst, nil, &HeadOptions{Server: server, Date: date})
}

// AppendInterimHead appends a reply before the final one (RFC 9110, 15.2),
// with the fields of h that are not skipped; h may be nil.
func AppendInterimHead(dst []byte, status int, h *request.Head) []byte {
	dst = appendStatusLine(dst, status, nil)
	if h != nil {
		h.SkipAll(request.FieldContentLength)
		SkipHopByHop(h)
		dst = h.AppendFields(dst)
	}
	return append(dst, "\r\n"...)
}

// AppendDate appends a time in the form of RFC 9110, 5.6.7 (29 bytes).
func AppendDate(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
}

// replyHeadOf returns the head to pass on with all of its connection's fields
// skipped; nil where there is none.
func replyHeadOf(p *request.Reply) *request.Head {
	h := p.Head
	if h == nil {
		return nil
	}
	h.SkipEach(ownConnection)
	if p.Status != 101 {
		h.SkipAll(request.FieldUpgrade)
	}
	return h
}

// ownConnection are fields that weir writes by itself where they are needed.
var ownConnection = request.Set(request.FieldConnection, request.FieldKeepAlive, request.FieldTransferEncoding)

// statusOK is the most frequent line.
const statusOK = "HTTP/1.1 200 OK\r\n"

// appendStatusLine appends the line; weir always speaks HTTP/1.1 (RFC 9112,
// 2.3). A code without a reason keeps the space before it.
func appendStatusLine(dst []byte, status int, reason []byte) []byte {
	if status == 200 && (reason == nil || string(reason) == "OK") {
		return append(dst, statusOK...)
	}
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	if reason != nil {
		dst = AppendClean(dst, reason)
	} else {
		dst = append(dst, StatusText(status)...)
	}
	return append(dst, "\r\n"...)
}

// appendFraming appends Content-Length, which 1xx and 204 must not have (RFC
// 9110, 8.6). An upstream's field stays where it says the same, so that its
// neighbours can be copied in one piece.
func appendFraming(dst []byte, p *request.Reply, h *request.Head, chunked bool) []byte {
	if p.Length < 0 || chunked || p.Status < 200 || p.Status == 204 {
		if h != nil {
			h.SkipAll(request.FieldContentLength)
		}
		return dst
	}
	if h.Kept(request.FieldContentLength) && single(h, request.FieldContentLength) {
		value, _ := h.Get(request.FieldContentLength)
		if n, ok := parseLength(value); ok && n == p.Length {
			return dst
		}
	}
	if h != nil {
		h.SkipAll(request.FieldContentLength)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, p.Length, 10)
	return append(dst, "\r\n"...)
}

// appendConnection appends what concerns this connection only.
func appendConnection(dst []byte, p *request.Reply, h *request.Head, o *HeadOptions) []byte {
	if o.Chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case p.Status == 101:
		dst = append(dst, "Connection: upgrade\r\n"...)
		if h != nil && !h.Kept(request.FieldUpgrade) {
			if value, ok := h.Get(request.FieldUpgrade); ok {
				dst = appendField(dst, "Upgrade", value)
			}
		}
	case o.KeepAlive:
		dst = append(dst, "Connection: keep-alive\r\n"...)
		if len(o.KeepAliveValue) > 0 {
			dst = appendField(dst, "Keep-Alive", o.KeepAliveValue)
		}
	default:
		dst = append(dst, "Connection: close\r\n"...)
	}
	return dst
}

// appendField appends one field. A byte of the name that cannot stand in a
// name becomes "-".
func appendField[T string | []byte](dst []byte, name T, value []byte) []byte {
	from := len(dst)
	dst = append(dst, name...)
	for i := from; i < len(dst); i++ {
		if nameClass[dst[i]] >= nameForeign {
			dst[i] = '-'
		}
	}
	dst = append(dst, ": "...)
	dst = AppendClean(dst, value)
	return append(dst, "\r\n"...)
}

// AppendClean appends the value of a field; bytes that would end it become spaces (RFC
// 9110, 5.5).
func AppendClean(dst, value []byte) []byte {
	from := len(dst)
	dst = append(dst, value...)
	for i := skipText(dst, from); i < len(dst); i = skipText(dst, i+1) {
		switch dst[i] {
		case '\r', '\n', 0:
			dst[i] = ' '
		}
	}
	return dst
}
