package lb_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/lbtest"
)

// abuses are what one connection sends, piece by piece until it is ended, and
// what the log says of it.
func abuses() map[string]struct {
	piece func(f *framer, i uint32) string
	said  string
} {
	type abuse = struct {
		piece func(f *framer, i uint32) string
		said  string
	}
	raw := func(kind http2.FrameType, flags uint8, stream uint32, payload string) string {
		return string(http2.AppendFrameHead(nil, http2.FrameHead{Length: len(payload), Type: kind, Flags: flags, Stream: stream})) + payload
	}
	get := func(f *framer, stream uint32, flags uint8) string {
		block := f.encoder.Begin(nil)
		for _, field := range []string{":method GET", ":scheme http", ":path /up", ":authority a"} {
			name, value, _ := strings.Cut(field, " ")
			block = f.encoder.Append(block, []byte(name), []byte(value))
		}
		return raw(http2.FrameHeaders, flags, stream, string(block))
	}
	const whole = http2.FlagEndHeaders | http2.FlagEndStream
	return map[string]abuse{
		"rapid reset": {func(f *framer, i uint32) string {
			return get(f, 2*i+1, whole) + string(http2.AppendRSTStream(nil, 2*i+1, http2.Cancel))
		}, "opened and reset too many streams (ENHANCE_YOUR_CALM)"},
		"made to reset": {func(f *framer, i uint32) string {
			return get(f, 2*i+1, whole) + raw(http2.FrameWindowUpdate, 0, 2*i+1, "\x7f\xff\xff\xff")
		}, "(ENHANCE_YOUR_CALM)"},
		"CONTINUATION": {func(f *framer, i uint32) string {
			if i == 0 {
				return get(f, 1, http2.FlagEndStream)
			}
			return raw(http2.FrameContinuation, 0, 1, "\x00\x01a\x01b")
		}, "header block too large (ENHANCE_YOUR_CALM)"},
		"SETTINGS": {func(*framer, uint32) string { return raw(http2.FrameSettings, 0, 0, "\x00\x04\x00\x00\x00\x01") }, "too many SETTINGS frames (ENHANCE_YOUR_CALM)"},
		"PING":     {func(*framer, uint32) string { return raw(http2.FramePing, 0, 0, "12345678") }, "too many PING frames (ENHANCE_YOUR_CALM)"},
		"empty DATA": {func(f *framer, i uint32) string {
			if i == 0 {
				return get(f, 1, http2.FlagEndHeaders)
			}
			return raw(http2.FrameData, 0, 1, "")
		}, "too many empty frames (ENHANCE_YOUR_CALM)"},
		"table": {func(*framer, uint32) string { return raw(http2.FrameHeaders, whole, 1, "\x3f\xe1\xff\x03\x82\x84\x87") }, "(COMPRESSION_ERROR)"},
	}
}

// While others abuse their connections, each of which ends with one line in
// the log, a client that behaves gets every reply.
func TestHTTP2AbuseBesideOthers(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, "ok") })
	b := startH2(t, `location / { return 200 "text"; } location /up { proxy_pass http://`+be.Addr()+`; }`)
	var attackers sync.WaitGroup
	for name, a := range abuses() {
		for range 2 {
			f := speak(t, b.Dial(front))
			attackers.Go(func() { attack(t, f, name, a.piece) })
		}
	}
	done := make(chan struct{})
	go func() {
		attackers.Wait()
		close(done)
	}()
	client := &pager{t: t, client: browser(t, b, front), origin: "http://a"}
	for pending(done) || client.n < 100 {
		client.ask("GET /", "", "200 text")
		client.ask("GET /up", "", "200 ok")
		client.ask("POST /up", "body", "200 ok")
	}
	for name, a := range abuses() { // a client may see the end before it is logged
		lbtest.Await(t, func() bool { return strings.Count(b.Errors.String(), a.said) >= 2 },
			func() string { return name + ": fewer than 2 lines say " + a.said })
	}
	log := b.Errors.String()
	ended := 0
	for line := range strings.Lines(log) {
		if strings.Contains(line, "[warn]") || strings.Contains(line, "COMPRESSION") {
			ended++
		}
	}
	if ended != 2*len(abuses()) {
		t.Errorf("%d lines for %d connections\n%s", ended, 2*len(abuses()), log[max(0, len(log)-2000):])
	}
}

// attack sends until the connection is ended, which must be soon.
func attack(t *testing.T, f *framer, name string, piece func(f *framer, i uint32) string) {
	ended := make(chan struct{})
	go func() { // answers are read, so that nothing else than the abuse ends it
		defer close(ended)
		buf := make([]byte, 4096)
		for {
			if _, err := f.Read(buf); err != nil {
				return
			}
		}
	}()
	for i := uint32(0); i < 200_000 && pending(ended); i++ {
		if err := f.SetWriteDeadline(time.Now().Add(lbtest.Patience)); err != nil {
			return
		}
		if _, err := f.Write([]byte(piece(f, i))); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
	}
	if pending(ended) {
		t.Errorf("%s: it never ended", name)
	}
}

// A client that reads nothing of what it asked for holds up nobody else, and
// is ended by send_timeout.
func TestHTTP2SlowReader(t *testing.T) {
	t.Parallel()
	b := startH2(t, `send_timeout 300ms; proxy_buffers 4 8k; root html; location /small { return 200 "small"; }`)
	b.Write("html/big", strings.Repeat("x", 8<<20))
	f := speak(t, b.Dial(front), http2.Setting{ID: http2.SettingInitialWindowSize, Value: 1 << 30})
	f.together(func() {
		f.Send(string(http2.AppendWindowUpdate(nil, 0, 1<<30)))
		for i := range uint32(20) {
			f.head(2*i+1, true, "GET /big")
		}
	})
	client := &pager{t: t, client: browser(t, b, front), origin: "http://a"}
	for range 50 {
		client.ask("GET /small", "", "200 small")
	}
	lines := b.Access.AwaitLines(t, 70)
	cut := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "GET /big HTTP/2.0|200|") {
			cut++
		}
	}
	if cut != 20 {
		t.Errorf("%d of 20 requests of the slow reader were ended: %s", cut, fmt.Sprint(lines))
	}
}
