package http1

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

func TestRequestFraming(t *testing.T) {
	t.Parallel()
	const none, length, chunked = request.FramingNone, request.FramingLength, request.FramingChunked
	tests := []struct {
		fields  string
		version string
		status  int
		framing request.Framing
		length  int64
	}{
		// RFC 9112, 6.3 (7): nothing said, no body.
		{"", "1.1", 0, none, 0},
		{"", "1.0", 0, none, 0},
		// 6.3 (6): Content-Length.
		{"Content-Length: 5|", "1.1", 0, length, 5},
		{"content-length:5|", "1.0", 0, length, 5},
		{"Content-Length: 0|", "1.1", 0, none, 0},
		{"Content-Length: \t007 |", "1.1", 0, length, 7},
		{"Content-Length: 9223372036854775807|", "1.1", 0, length, 1<<63 - 1},
		// 6.3 (5): what is not a number.
		{"Content-Length: 9223372036854775808|", "1.1", 400, 0, 0},
		{"Content-Length: 18446744073709551621|", "1.1", 400, 0, 0},
		{"Content-Length:|", "1.1", 400, 0, 0},
		{"Content-Length: +5|", "1.1", 400, 0, 0},
		{"Content-Length: -5|", "1.1", 400, 0, 0},
		{"Content-Length: 0x5|", "1.1", 400, 0, 0},
		{"Content-Length: 5 5|", "1.1", 400, 0, 0},
		{"Content-Length: 5_0|", "1.1", 400, 0, 0},
		{"Content-Length: 5.|", "1.1", 400, 0, 0},
		{"Content-Length: \"5\"|", "1.1", 400, 0, 0},
		{"Content-Length: \xd9\xa5|", "1.1", 400, 0, 0}, // an Arabic five
		{"Content-Length: 5\x0b|", "1.1", 400, 0, 0},
		// 6.3 (5): lists and doubles, equal or not.
		{"Content-Length: 5, 5|", "1.1", 400, 0, 0},
		{"Content-Length: 5,|", "1.1", 400, 0, 0},
		{"Content-Length: 5|Content-Length: 5|", "1.1", 400, 0, 0},
		{"Content-Length: 5|Content-Length: 6|", "1.1", 400, 0, 0},
		{"Content-Length: 5|content-length: 5|", "1.0", 400, 0, 0},
		// 7.1: chunked, in any case and with any white space around it.
		{"Transfer-Encoding: chunked|", "1.1", 0, chunked, -1},
		{"transfer-encoding:\tChunked |", "1.1", 0, chunked, -1},
		{"Transfer-Encoding: chunked|", "1.7", 0, chunked, -1},
		// 6.1: codings that are not known, however they are hidden.
		{"Transfer-Encoding: gzip, chunked|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: chunked, gzip|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: chunked, chunked|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: identity|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: chunked, identity|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: xchunked|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: chunked;x|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: \"chunked\"|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: ,chunked|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: chun\tked|", "1.1", 501, 0, 0},
		{"Transfer-Encoding:|", "1.1", 501, 0, 0},
		{"Transfer-Encoding: chunked\x0b|", "1.1", 400, 0, 0},
		{"Transfer-Encoding: \x00chunked|", "1.1", 400, 0, 0},
		{"Transfer-Encoding : chunked|", "1.1", 400, 0, 0},
		{"Transfer-Encoding:| chunked|", "1.1", 400, 0, 0},
		{" Transfer-Encoding: chunked|", "1.1", 400, 0, 0},
		{"Transfer-Encoding: x\nTransfer-Encoding: chunked|", "1.1", 400, 0, 0},
		{"Transfer-Encoding: chunked|Transfer-Encoding: chunked|", "1.1", 400, 0, 0},
		{"X: y\rTransfer-Encoding: chunked|", "1.1", 400, 0, 0},
		// 6.1: both ways of framing, and HTTP/1.0.
		{"Content-Length: 5|Transfer-Encoding: chunked|", "1.1", 400, 0, 0},
		{"Transfer-Encoding: chunked|Content-Length: 5|", "1.1", 400, 0, 0},
		{"Transfer-Encoding: identity|Content-Length: 5|", "1.1", 400, 0, 0},
		{"Transfer-Encoding: chunked|", "1.0", 400, 0, 0},
		{"Transfer-Encoding: chunked|Content-Length: 5|", "1.0", 400, 0, 0},
		// A name that only looks like one that frames is dropped.
		{"Transfer_Encoding: chunked|", "1.1", 0, none, 0},
		{"Content_Length: 5|", "1.1", 0, none, 0},
		{"Transfer-Encoding\xa0: chunked|", "1.1", 0, none, 0},
	}
	for _, tt := range tests {
		t.Run(tt.fields+tt.version, func(t *testing.T) {
			t.Parallel()
			var r request.Request
			in := crlf("POST / HTTP/" + tt.version + "|Host: h|" + tt.fields + "|")
			_, err := ParseRequest(&r, []byte(in), nginxLimits())
			if err != nil {
				if err.Status != tt.status {
					t.Errorf("got %d %s", err.Status, err)
				}
				return
			}
			if tt.status != 0 || r.Body.Framing != tt.framing || r.Body.Length != tt.length {
				t.Errorf("accepted with framing %d, length %d", r.Body.Framing, r.Body.Length)
			}
		})
	}
}

func TestExpect(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"1.1|Host: h|Expect: 100-Continue|Content-Length: 1||": true,
		"1.1|Host: h|Expect: 100-continue||":                   false, // there is no body to wait for
		"1.1|Host: h|Expect: else|Content-Length: 1||":         false,
		"1.0|Expect: 100-continue|Content-Length: 1||":         false,
	} {
		var r request.Request
		if _, err := ParseRequest(&r, []byte(crlf("POST / HTTP/"+in)), nginxLimits()); err != nil {
			t.Fatal(err)
		}
		if r.Body.Expect != want {
			t.Errorf("%s: Expect is %v", in, r.Body.Expect)
		}
	}
}

func TestReplyFraming(t *testing.T) {
	t.Parallel()
	const none, length, chunked, untilClose = request.FramingNone, request.FramingLength, request.FramingChunked, request.FramingUntilClose
	const get, head = request.VerbGet, request.VerbHead
	tests := []struct {
		verb    request.Verb
		in      string
		framing request.Framing
		length  int64
		keep    bool
		reason  string // of the error
	}{
		// RFC 9112, 6.3 (1): no body whatever the fields say.
		{head, "1.1 200 OK|Content-Length: 5|", none, 5, true, ""},
		{head, "1.1 200 OK|Transfer-Encoding: chunked|", none, -1, true, ""},
		{head, "1.1 200 OK|", none, -1, true, ""},
		{get, "1.1 100 Continue|", none, -1, true, ""},
		{get, "1.1 101 Switching Protocols|Connection: upgrade|", none, -1, true, ""},
		{get, "1.1 204 No Content|", none, -1, true, ""},
		{get, "1.1 204 No Content|Content-Length: 0|", none, 0, true, ""},
		{get, "1.1 204 No Content|Content-Length: 5|", none, 5, false, ""},
		{get, "1.1 204 No Content|Transfer-Encoding: chunked|", none, -1, false, ""},
		{get, "1.1 304 Not Modified|Content-Length: 5|", none, 5, true, ""},
		{get, "1.1 304 Not Modified|Transfer-Encoding: chunked|", none, -1, true, ""},
		// 6.3 (4), (6), (8).
		{get, "1.1 200 OK|Transfer-Encoding: Chunked|", chunked, -1, true, ""},
		{get, "1.1 200 OK|Content-Length: 5|", length, 5, true, ""},
		{get, "1.1 200 OK|Content-Length: 0|", none, 0, true, ""},
		{get, "1.1 200 OK|", untilClose, -1, false, ""},
		{get, "1.1 200 OK|Connection: keep-alive|", untilClose, -1, false, ""},
		// 9.3: how long the connection lasts.
		{get, "1.1 200 OK|Content-Length: 5|Connection: close|", length, 5, false, ""},
		{get, "1.1 200 OK|Content-Length: 5|Connection: x, Close|", length, 5, false, ""},
		{get, "1.1 200 OK|Content-Length: 5|Connection: keep-alive|Connection: close|", length, 5, false, ""},
		{get, "1.1 200 OK|Content-Length: 5|Connection: closed|", length, 5, true, ""},
		{get, "1.0 200 OK|Content-Length: 5|", length, 5, false, ""},
		{get, "1.0 200 OK|Content-Length: 5|Connection: Keep-Alive|", length, 5, true, ""},
		// 6.1, 6.3 (3), (5): what cannot be trusted.
		{get, "1.1 200 OK|Content-Length: 5|Transfer-Encoding: chunked|", 0, 0, false, "same time"},
		{get, "1.0 200 OK|Transfer-Encoding: chunked|", 0, 0, false, "HTTP/1.0"},
		{get, "1.1 200 OK|Transfer-Encoding: gzip, chunked|", 0, 0, false, "unknown \"Transfer-Encoding\""},
		{get, "1.1 200 OK|Transfer-Encoding: chunked|Transfer-Encoding: chunked|", 0, 0, false, "unknown \"Transfer-Encoding\""},
		{get, "1.1 200 OK|Content-Length: five|", 0, 0, false, "invalid \"Content-Length\""},
		{get, "1.1 200 OK|Content-Length: 5|Content-Length: 5|", 0, 0, false, "invalid \"Content-Length\""},
		{head, "1.1 200 OK|Content-Length: 5, 5|", 0, 0, false, "invalid \"Content-Length\""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			var h request.Head
			var line ReplyLine
			if _, err := ParseReply(&h, &line, []byte(crlf("HTTP/"+tt.in+"|")), nginxLimits()); err != nil {
				t.Fatal(err)
			}
			f, n, keep, err := ReplyFraming(tt.verb, &line, &h)
			if err != nil {
				if tt.reason == "" || !strings.Contains(err.Reason, tt.reason) || err.Status != 502 {
					t.Errorf("got %d %s", err.Status, err)
				}
				return
			}
			if tt.reason != "" || f != tt.framing || n != tt.length || keep != tt.keep {
				t.Errorf("framing %d, length %d, keepalive %v", f, n, keep)
			}
		})
	}
}

func TestKeepAliveWanted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"1.1|Host: h||":                                 true,
		"1.1|Host: h|Connection: close||":               false,
		"1.1|Host: h|Connection: Upgrade , CLOSE||":     false,
		"1.1|Host: h|Connection: keep-alive, Upgrade||": true,
		"1.0||":                        false,
		"1.0|Connection: Keep-Alive||": true,
		"1.0|Connection: x|Connection: y ,keep-alive||":   true,
		"1.0|Connection: keep-alive|Connection: ,close||": false,
	} {
		var r request.Request
		if _, err := ParseRequest(&r, []byte(crlf("GET / HTTP/"+in)), nginxLimits()); err != nil {
			t.Fatal(err)
		}
		if got := KeepAliveWanted(&r); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
}
