package http1

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

func TestAppendReplyHead(t *testing.T) {
	t.Parallel()
	own := HeadOptions{Server: []byte("weir"), Date: []byte("Thu, 01 Jan 1970 00:00:00 GMT"), KeepAlive: true}
	bare := HeadOptions{}
	chunked := HeadOptions{Chunked: true, KeepAlive: true, KeepAliveValue: []byte("timeout=5")}
	const names = "Server: weir|Date: Thu, 01 Jan 1970 00:00:00 GMT|"
	tests := []struct {
		name     string
		reply    request.Reply
		upstream string // the fields of Reply.Head
		options  *HeadOptions
		want     string
	}{
		{"weir's own", request.Reply{Status: 404, Length: 5, ContentType: []byte("text/html")}, "", &own,
			"404 Not Found|" + names + "Content-Type: text/html|Content-Length: 5|Connection: keep-alive||"},
		{"a file", request.Reply{Status: 200, Length: 5, ContentType: []byte("a/b"), LastModified: time.Unix(1e9, 0), ETag: []byte(`"e"`), Ranges: true}, "", &bare,
			"200 OK|Content-Type: a/b|Content-Length: 5|Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT|Connection: close|ETag: \"e\"|Accept-Ranges: bytes||"},
		{"redirect", request.Reply{Status: 302, Length: 0, Location: []byte("/x")}, "", &bare,
			"302 Moved Temporarily|Content-Length: 0|Location: /x|Connection: close||"},
		{"chunked", request.Reply{Status: 200, Length: -1}, "", &chunked,
			"200 OK|Transfer-Encoding: chunked|Connection: keep-alive|Keep-Alive: timeout=5||"},
		{"chunked in spite of a length", request.Reply{Status: 200, Length: 5}, "Content-Length: 5|A: b|", &chunked,
			"200 OK|Transfer-Encoding: chunked|Connection: keep-alive|Keep-Alive: timeout=5|A: b||"},
		{"until close", request.Reply{Status: 200, Length: -1}, "Content-Length: 5|", &bare, "200 OK|Connection: close||"},
		{"204 has no length", request.Reply{Status: 204, Length: 0}, "Content-Length: 0|", &bare, "204 No Content|Connection: close||"},
		{"code without reason", request.Reply{Status: 418, Length: 0}, "", &bare, "418 |Content-Length: 0|Connection: close||"},
		{"reason of an upstream", request.Reply{Status: 200, Reason: []byte("Fine"), Length: 0}, "", &bare, "200 Fine|Content-Length: 0|Connection: close||"},
		{"empty reason of an upstream", request.Reply{Status: 200, Reason: []byte(""), Length: 0}, "", &bare, "200 |Content-Length: 0|Connection: close||"},
		{"upstream's fields stay in one run", request.Reply{Status: 200, Length: 5}, "A: b|Content-Length: 5|ETag: x|", &bare,
			"200 OK|Connection: close|A: b|Content-Length: 5|ETag: x||"},
		{"nothing is doubled", request.Reply{Status: 200, Length: 5, ContentType: []byte("own"), ETag: []byte("own"), Location: []byte("own"), LastModified: time.Unix(0, 0), Ranges: true},
			"Server: s|Date: d|Content-Type: c|Last-Modified: l|Location: o|ETag: e|Accept-Ranges: a|", &own,
			"200 OK|Content-Length: 5|Connection: keep-alive|Server: s|Date: d|Content-Type: c|Last-Modified: l|Location: o|ETag: e|Accept-Ranges: a||"},
		{"a length that is another", request.Reply{Status: 200, Length: 5}, "Content-Length: 6|A: b|", &bare, "200 OK|Content-Length: 5|Connection: close|A: b||"},
		{"a length that is doubled", request.Reply{Status: 200, Length: 5}, "Content-Length: 5|Content-Length: 6|", &bare, "200 OK|Content-Length: 5|Connection: close||"},
		{"framing is weir's", request.Reply{Status: 200, Length: 0}, "Connection: x|Keep-Alive: y|Transfer-Encoding: chunked|Upgrade: h2c|", &own,
			"200 OK|" + names + "Content-Length: 0|Connection: keep-alive||"},
		{"upgrade", request.Reply{Status: 101, Length: -1}, "Upgrade: websocket|Connection: Upgrade|A: b|", &bare,
			"101 Switching Protocols|Connection: upgrade|Upgrade: websocket|A: b||"},
		{"added fields", request.Reply{Status: 200, Length: 0, Added: []request.AddedField{{Name: "X", Value: []byte("y")}, {Name: "X", Value: []byte("z")}}}, "", &bare,
			"200 OK|Content-Length: 0|Connection: close|X: y|X: z||"},
		{"values cannot break out", request.Reply{Status: 200, Reason: []byte("O\r\nK"), Length: 0, Location: []byte("/\r\nSet-Cookie: a=b"), ContentType: []byte("a\x00b\n"),
			Added: []request.AddedField{{Name: "X: y\r\nZ", Value: []byte("\r\n\r\n<html>")}}}, "", &bare,
			"200 O  K|Content-Type: a b |Content-Length: 0|Location: /  Set-Cookie: a=b|Connection: close|X--y--Z:     <html>||"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request.Request{Reply: tt.reply}
			if tt.upstream != "" {
				var line ReplyLine
				r.Reply.Head = new(request.Head)
				if _, err := ParseReply(r.Reply.Head, &line, []byte(crlf("HTTP/1.1 200 OK|"+tt.upstream+"|")), nginxLimits()); err != nil {
					t.Fatal(err)
				}
			}
			if got := string(AppendReplyHead(nil, &r, tt.options)); got != crlf("HTTP/1.1 "+tt.want) {
				t.Errorf("got\n%s", strings.ReplaceAll(got, "\r\n", "|"))
			}
		})
	}
}

// TestUpgradeAfterHopByHop: the fields for one connection are skipped before a
// reply is written, but a 101 says what is spoken from then on.
func TestUpgradeAfterHopByHop(t *testing.T) {
	t.Parallel()
	var h request.Head
	var line ReplyLine
	in := crlf("HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|A: b||")
	if _, err := ParseReply(&h, &line, []byte(in), nginxLimits()); err != nil {
		t.Fatal(err)
	}
	SkipHopByHop(&h)
	r := request.Request{Reply: request.Reply{Status: 101, Length: -1, Head: &h}}
	want := crlf("HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: websocket|A: b||")
	if got := string(AppendReplyHead(nil, &r, &HeadOptions{})); got != want {
		t.Errorf("got %q", got)
	}
}

func TestAppendInterimHead(t *testing.T) {
	t.Parallel()
	if got := string(AppendInterimHead(nil, 100, nil)); got != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Errorf("got %q", got)
	}
	var h request.Head
	var line ReplyLine
	in := crlf("HTTP/1.1 103 Early Hints|Link: </a>|Connection: x|x: y|Content-Length: 5||")
	if _, err := ParseReply(&h, &line, []byte(in), nginxLimits()); err != nil {
		t.Fatal(err)
	}
	if got := string(AppendInterimHead(nil, 103, &h)); got != crlf("HTTP/1.1 103 Early Hints|Link: </a>||") {
		t.Errorf("got %q", got)
	}
}

func TestStatusText(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		100: "Continue", 200: "OK", 203: "", 206: "Partial Content", 302: "Moved Temporarily", 308: "Permanent Redirect",
		405: "Not Allowed", 408: "Request Time-out", 413: "Request Entity Too Large", 414: "Request-URI Too Large",
		416: "Requested Range Not Satisfiable", 421: "Misdirected Request", 429: "Too Many Requests", 499: "",
		503: "Service Temporarily Unavailable", 504: "Gateway Time-out", 505: "HTTP Version Not Supported",
		507: "Insufficient Storage", 508: "", 0: "", -1: "", 99: "", 1000: "",
	} {
		if got := StatusText(code); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
}
