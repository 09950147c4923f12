package http1

import "github.com/weir-lb/weir/lb/request"

// keepAlive is what most Connection fields say.
const keepAlive = "keep-alive"

// HasConnectionOption tells whether one of the Connection fields holds the
// option, in any case (RFC 9110, 7.6.1).
func HasConnectionOption(h *request.Head, option string) bool {
	i := h.First(request.FieldConnection)
	if i < 0 {
		return false
	}
	for ; i < len(h.Fields); i++ {
		if h.Fields[i].ID != request.FieldConnection {
			continue
		}
		for list := h.Value(&h.Fields[i]); len(list) > 0; {
			var token []byte
			if token, list = nextToken(list); equalFold(token, option) {
				return true
			}
		}
	}
	return false
}

// SkipHopByHop marks the fields that are meant for this connection only, and
// those that Connection names, as not to be written on (RFC 9110, 7.6.1). It
// is used in both directions.
//
// Connection cannot name away what is defined for the whole way, such as Host,
// Content-Length or Cookie: a sender must not do so (same section), and obeying
// would let a client take from a request what the peer relies on. Fields that
// weir itself sets are not in h and are never touched.
func SkipHopByHop(h *request.Head) {
	if i := h.First(request.FieldConnection); i >= 0 {
		for ; i < len(h.Fields); i++ {
			if h.Fields[i].ID == request.FieldConnection {
				skipNamed(h, h.Value(&h.Fields[i]))
			}
		}
	}
	h.SkipEach(hopByHop)
}

// hopByHop are the fields that are meant for one connection only.
var hopByHop = request.Set(
	request.FieldConnection, request.FieldKeepAlive, request.FieldProxyConnection,
	request.FieldTE, request.FieldTransferEncoding, request.FieldUpgrade,
)

// skipNamed marks every field that a Connection list names.
func skipNamed(h *request.Head, list []byte) {
	if string(list) == keepAlive { // which is skipped anyway
		return
	}
	for len(list) > 0 {
		var token []byte
		token, list = nextToken(list)
		if len(token) > 0 && mayBeNamed(request.Known(token)) {
			h.SkipName(token)
		}
	}
}

// mayBeNamed tells whether Connection may name a field: those that are not
// known, and the known ones that are not defined for the whole way.
func mayBeNamed(id request.FieldID) bool {
	switch id {
	case request.FieldOther, request.FieldKeepAlive, request.FieldProxyConnection,
		request.FieldTE, request.FieldTransferEncoding, request.FieldUpgrade,
		request.FieldTrailer, request.FieldHTTP2Settings, request.FieldXForwardedFor,
		request.FieldXRealIP, request.FieldXPad:
		return true
	}
	return false
}

// nextToken cuts the first element off a comma-separated list, without the
// white space around it; it may be empty.
func nextToken(list []byte) (token, rest []byte) {
	i := 0
	for i < len(list) && list[i] != ',' {
		i++
	}
	token = list[:i]
	if i < len(list) {
		rest = list[i+1:]
	}
	for len(token) > 0 && isBlank(token[0]) {
		token = token[1:]
	}
	for len(token) > 0 && isBlank(token[len(token)-1]) {
		token = token[:len(token)-1]
	}
	return token, rest
}

// equalFold compares with a lower-case word, without regard to the case of a.
func equalFold(a []byte, word string) bool {
	if len(a) != len(word) {
		return false
	}
	for i, c := range a {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
