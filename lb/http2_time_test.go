package lb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/lbtest"
)

// frames returns what comes until the connection ends, told in a few words.
func (f *framer) frames() string {
	f.t.Helper()
	var list []string
	for got, ok := f.next(); ok; got, ok = f.next() {
		switch got.Type {
		case http2.FrameGoAway:
			list = append(list, "goaway "+http2.ErrorCode(got.payload[7]).String())
		case http2.FrameRSTStream:
			list = append(list, "reset "+http2.ErrorCode(got.payload[3]).String())
		case http2.FrameHeaders:
			list = append(list, got.fields[0])
		}
	}
	return strings.Join(list, ", ")
}

// Connections that are idle, that never ask, or that stop amid a frame end in
// the time that HTTP/1's would.
func TestHTTP2Timeouts(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := startH2(t, `keepalive_timeout 100ms; client_header_timeout 2s; client_body_timeout 100ms;
		location / { return 200 "ok"; } location /up { proxy_pass http://`+be.Addr()+`; }`)
	for _, c := range []struct {
		name string
		act  func(f *framer)
		want string
		said string
	}{
		{"idle", func(f *framer) { f.head(1, true, "GET /") }, ":status: 200, goaway NO_ERROR", ""},
		{"never asked", func(*framer) {}, "goaway NO_ERROR", "client timed out (110: Connection timed out) while waiting for request"},
		{"amid a frame", func(f *framer) { f.Send("\x00\x00\x09\x01\x04\x00\x00") }, "goaway NO_ERROR", "client timed out (110: Connection timed out) while processing HTTP/2 connection"},
		{"a body that stops", func(f *framer) {
			f.together(func() {
				f.head(1, false, "POST /up", "content-length: 10")
				f.data(1, false, "abc")
			})
		}, "reset INTERNAL_ERROR, goaway NO_ERROR", "client timed out (110: Connection timed out), client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := speak(t, b.Dial(front))
			c.act(f)
			if got := f.frames(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			b.Errors.Await(t, c.said)
		})
	}
}

// A body that comes for longer than client_header_timeout, in pieces that are
// never whole frames, is not taken for a head that does not end.
func TestHTTP2LongUpload(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := startH2(t, `client_header_timeout 2s; location / { proxy_pass http://`+be.Addr()+`; }`)
	f := speak(t, b.Dial(front))
	f.head(1, false, "POST /")
	wire, body := "", ""
	for i := range 80 {
		piece := strings.Repeat("x", 50+i%40)
		body += piece
		wire += string(http2.AppendFrameHead(nil, http2.FrameHead{Length: len(piece), Stream: 1})) + piece
	}
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for at := 0; at < len(wire); at += 70 {
		<-tick.C
		f.Send(wire[at:min(len(wire), at+70)])
	}
	f.data(1, true, "")
	if got := f.reply(1); !strings.HasPrefix(got, "200 POST / HTTP/1.1") || !strings.HasSuffix(got, "\n"+body) {
		t.Errorf("%.200s", got)
	}
}

// Each stream is served by the configuration that is current at its start.
func TestHTTP2Reload(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan struct{}), make(chan struct{})
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		close(arrived)
		<-answer
		c.Answer(200, "slow")
	})
	site := func(word string) string {
		return `location / { add_header X-Site ` + word + ` always; return 200 "` + word + `"; } location /up { add_header X-Site ` + word + `; proxy_pass http://` + be.Addr() + `; }`
	}
	b := startH2(t, site("one"))
	f := speak(t, b.Dial(front))
	f.head(1, true, "GET /up")
	await(t, "the request at the backend", arrived)
	retired := reload(t, b, h2Site(site("two")))
	f.head(3, true, "GET /")
	if got := f.reply(3); got != "200 two" {
		t.Errorf("a stream after the reload: %s", got)
	}
	if !pending(retired) {
		t.Error("the old configuration ended before its last request")
	}
	close(answer)
	head := last(f.until(http2.FrameHeaders, 1))
	if all := strings.Join(head.fields, "\n"); !strings.Contains(all, "x-site: one") {
		t.Errorf("a stream from before the reload: %s", all)
	}
	await(t, "the old configuration's end", retired)
}
