package http1

import (
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

func TestSkipHopByHop(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, fields, want string }{
		{"nothing to do", "A: b|", "A: b|"},
		{"always", "Connection: close|Keep-Alive: 5|Proxy-Connection: x|TE: trailers|Transfer-Encoding: chunked|Upgrade: h2c|A: b|", "A: b|"},
		{"in any case", "CONNECTION: close|te: trailers|A: b|", "A: b|"},
		{"named", "Connection: A , b|a: 1|B: 2|C: 3|a: 4|", "C: 3|"},
		{"named by a second field", "Connection: close|Connection: x, C|C: 3|D: 4|", "D: 4|"},
		{"empty elements", "Connection: ,,|A: b|", "A: b|"},
		{"named, but not there", "Connection: A|B: c|", "B: c|"},
		{"HTTP2-Settings", "Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: AAMA|", ""},
		{"only the client's own X-Forwarded-For", "Connection: X-Forwarded-For|X-Forwarded-For: 1.2.3.4|", ""},
		{"Host cannot be named away", "Connection: Host|Host: h|", "Host: h|"},
		{"nor Content-Length", "Connection: Content-Length|Content-Length: 5|", "Content-Length: 5|"},
		{"nor credentials", "Connection: authorization, Cookie|Authorization: a|Cookie: b|", "Authorization: a|Cookie: b|"},
		{"nor what caches rely on", "Connection: Cache-Control, Vary, Set-Cookie|Cache-Control: private|Vary: A|Set-Cookie: b|", "Cache-Control: private|Vary: A|Set-Cookie: b|"},
		{"Trailer goes on", "Trailer: A|", "Trailer: A|"},
		{"unless it is named", "Connection: trailer|Trailer: A|", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var h request.Head
			var line ReplyLine
			if _, err := ParseReply(&h, &line, []byte(crlf("HTTP/1.1 200 OK|"+tt.fields+"|")), nginxLimits()); err != nil {
				t.Fatal(err)
			}
			SkipHopByHop(&h)
			if got := string(h.AppendFields(nil)); got != crlf(tt.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}
