package http1

import (
	"fmt"
	"math"

	"github.com/weir-lb/weir/lb/request"
)

// RequestFraming decides where the request's body ends, by RFC 9112, 6.3, and
// fills in r.Body. ParseRequest calls it; the head must have been checked for
// double fields.
//
//   - 6.1: Transfer-Encoding together with Content-Length is an attempt to
//     smuggle: 400.
//   - 6.1: Transfer-Encoding in a message of HTTP/1.0: 400.
//   - 6.1, 7: the only coding understood is one "chunked"; everything else is
//     501, however it is spelled.
//   - 6.3 (5): Content-Length is one number of decimal digits, else 400. A list
//     of equal numbers, which may be repaired, is refused.
//   - 6.3 (7): without either there is no body.
func RequestFraming(r *request.Request) *request.Error {
	b := &r.Body
	b.Framing, b.Length, b.Expect = request.FramingNone, 0, false
	if r.Head.Seen()&framingFields == 0 {
		return nil
	}
	length, hasLength := r.Head.Get(request.FieldContentLength)
	coding, hasCoding := r.Head.Get(request.FieldTransferEncoding)
	switch {
	case hasCoding && r.Version < request.HTTP11:
		return refuseHead(400, "client sent HTTP/1.0 request with \"Transfer-Encoding\" header")
	case hasCoding && hasLength:
		return refuseHead(400, "client sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time")
	case hasCoding:
		if !isChunked(coding) {
			return refuseHead(501, "client sent unknown \"Transfer-Encoding\": "+excerpt(coding))
		}
		b.Framing, b.Length = request.FramingChunked, -1
	case hasLength:
		n, ok := parseLength(length)
		if !ok {
			return refuseHead(400, "client sent invalid \"Content-Length\" header")
		}
		if n > 0 {
			b.Framing, b.Length = request.FramingLength, n
		}
	}
	b.Expect = b.Framing != request.FramingNone && expectsContinue(r)
	return nil
}

// framingFields are those that tell of a body.
var framingFields = request.Set(request.FieldContentLength, request.FieldTransferEncoding)

// ReplyFraming decides where a reply's body ends, by RFC 9112, 6.3. verb is
// the request's. length is -1 where it is not known beforehand; without a body
// (FramingNone) it is the announced length or -1. keepalive tells whether the
// connection may carry another exchange once the body's end was seen.
//
//   - 6.3 (1): replies to HEAD, 1xx, 204 and 304 have no body.
//   - 6.3 (3): Transfer-Encoding together with Content-Length, a coding that is
//     not known, or a coding in a message of HTTP/1.0 cannot be trusted: error.
//   - 6.3 (5): Content-Length that is double or not a number: error.
//   - 6.3 (8): without either the body lasts until the connection closes.
//
// After 101 the connection speaks another protocol, which is the caller's.
func ReplyFraming(verb request.Verb, line *ReplyLine, h *request.Head) (f request.Framing, length int64, keepalive bool, err *request.Error) {
	value, hasLength := h.Get(request.FieldContentLength)
	coding, hasCoding := h.Get(request.FieldTransferEncoding)
	length = -1
	if hasLength {
		var ok bool
		if length, ok = parseLength(value); !ok || !single(h, request.FieldContentLength) {
			return 0, -1, false, broken("upstream sent invalid \"Content-Length\" header: " + excerpt(value))
		}
	}
	if hasCoding {
		switch {
		case hasLength:
			return 0, -1, false, broken("upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time")
		case line.Version < request.HTTP11:
			return 0, -1, false, broken("upstream sent HTTP/1.0 reply with \"Transfer-Encoding\" header")
		case !isChunked(coding) || !single(h, request.FieldTransferEncoding):
			return 0, -1, false, broken("upstream sent unknown \"Transfer-Encoding\": " + excerpt(coding))
		}
	}
	keepalive = persistent(line.Version, h)
	if bodyless(line.Status) {
		// A body that must not be there may come all the same; the next reply
		// must not be looked for behind it. After 304 the fields only tell what
		// another status would have brought.
		stray := line.Status != 304 && (hasCoding || length > 0)
		return request.FramingNone, length, keepalive && !stray, nil
	}
	switch {
	case verb == request.VerbHead:
		return request.FramingNone, length, keepalive, nil
	case hasCoding:
		return request.FramingChunked, -1, keepalive, nil
	case hasLength && length == 0:
		return request.FramingNone, 0, keepalive, nil
	case hasLength:
		return request.FramingLength, length, keepalive, nil
	}
	return request.FramingUntilClose, -1, false, nil
}

// bodyless tells whether replies with the status never have a body.
func bodyless(status int) bool {
	return status < 200 || status == 204 || status == 304
}

// KeepAliveWanted tells whether the client wants the connection to stay open
// after the reply (RFC 9112, 9.3): in HTTP/1.1 unless Connection says "close",
// in HTTP/1.0 only if it says "keep-alive".
func KeepAliveWanted(r *request.Request) bool {
	return persistent(r.Version, &r.Head)
}

// persistent applies the rule of RFC 9112, 9.3; "close" wins.
func persistent(v request.Version, h *request.Head) bool {
	value, ok := h.Get(request.FieldConnection)
	switch {
	case !ok:
		return v >= request.HTTP11
	case single(h, request.FieldConnection) && string(value) == keepAlive:
		return true
	}
	if HasConnectionOption(h, "close") {
		return false
	}
	return v >= request.HTTP11 || HasConnectionOption(h, keepAlive)
}

// parseLength reads a Content-Length (RFC 9110, 8.6): decimal digits only.
func parseLength(value []byte) (n int64, ok bool) {
	if len(value) == 0 {
		return 0, false
	}
	for _, c := range value {
		if !isDigit(c) {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// isChunked tells whether a Transfer-Encoding is the one coding that weir
// understands (RFC 9112, 7.1); codings have no regard to case.
func isChunked(value []byte) bool { return equalFold(value, "chunked") }

// expectsContinue tells whether the client waits for 100 Continue (RFC 9110,
// 10.1.1). Other expectations, and those of HTTP/1.0, are passed over.
func expectsContinue(r *request.Request) bool {
	value, ok := r.Head.Get(request.FieldExpect)
	return ok && r.Version >= request.HTTP11 && equalFold(value, "100-continue")
}

// singleFields are those of which a second one makes a request ambiguous.
var singleFields = request.Set(
	request.FieldHost, request.FieldContentLength, request.FieldTransferEncoding,
	request.FieldAuthorization, request.FieldExpect, request.FieldContentRange,
	request.FieldIfModifiedSince, request.FieldIfUnmodifiedSince, request.FieldIfMatch,
	request.FieldIfNoneMatch, request.FieldIfRange,
)

// checkSingle refuses double fields, even with equal values: two readers may
// choose differently (RFC 9110, 5.3; RFC 9112, 3.2 and 6.3).
func checkSingle(h *request.Head) *request.Error {
	double := h.Double() & singleFields
	if double == 0 {
		return nil
	}
	for i := range h.Fields {
		if id := h.Fields[i].ID; double.Has(id) {
			return duplicate(h, id)
		}
	}
	return nil
}

// duplicate is the error of a request with two fields of one name.
func duplicate(h *request.Head, id request.FieldID) *request.Error {
	what := "header line"
	if id == request.FieldHost {
		what = "host header"
	}
	value, _ := h.Get(id)
	return refuseHead(400, fmt.Sprintf("client sent duplicate %s: %q, previous value: %s", what, id, excerpt(value)))
}

// single tells whether a known field is there at most once.
func single(h *request.Head, id request.FieldID) bool { return !h.Double().Has(id) }
