package proxy_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/http2"
)

// frames is a connection of HTTP/2 that a test answers frame by frame.
type frames struct {
	net.Conn
	reader  http2.FrameReader
	encoder http2.Encoder
	in      []byte
	buf     [32 << 10]byte
}

// newFramePeer accepts connections of HTTP/2; script gets the number of each,
// from 0, and the streams on which a request has come whole.
func newFramePeer(t *testing.T, script func(c *frames, n int, stream uint32)) *peer {
	t.Helper()
	numbers := make(chan int, 100)
	for i := range 100 {
		numbers <- i
	}
	return newPeer(t, func(w *wireClient) {
		n := <-numbers
		c := &frames{Conn: w.Conn}
		preface := make([]byte, len(http2.Preface))
		if _, err := io.ReadFull(c, preface); err != nil {
			return
		}
		c.say(http2.AppendSettings(nil))
		for {
			stream, ok := c.request()
			if !ok {
				return
			}
			script(c, n, stream)
		}
	})
}

// request reads up to the end of a request.
func (c *frames) request() (stream uint32, ok bool) {
	for {
		h, _, rest, whole, err := c.reader.Next(c.in)
		if err != nil {
			return 0, false
		}
		if c.in = rest; whole {
			if h.Has(http2.FlagEndStream) && (h.Type == http2.FrameHeaders || h.Type == http2.FrameData) {
				return h.Stream, true
			}
			continue
		}
		n, err := c.Read(c.buf[:])
		if err != nil {
			return 0, false
		}
		c.in = c.buf[:n]
	}
}

func (c *frames) say(p []byte) { _, _ = c.Write(p) }

// answer sends a head, which ends the reply.
func (c *frames) answer(stream uint32, status int, fields ...string) {
	block := c.encoder.AppendStatus(c.encoder.Begin(nil), status)
	for i := 0; i < len(fields); i += 2 {
		block = c.encoder.Append(block, []byte(fields[i]), []byte(fields[i+1]))
	}
	c.say(append(http2.AppendFrameHead(nil, http2.FrameHead{
		Length: len(block), Type: http2.FrameHeaders, Flags: http2.FlagEndHeaders | http2.FlagEndStream, Stream: stream,
	}), block...))
}

// TestHTTP2Retries: what becomes of a request that a peer does not answer. The
// second peer of the upstream answers 201.
func TestHTTP2Retries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, conf, method string
		script             func(c *frames, n int, stream uint32)
		want, log          string // status and $upstream_status
	}{
		{"goes away before it looked", "", "POST", func(c *frames, n int, stream uint32) {
			if n > 0 {
				c.answer(stream, 200)
				return
			}
			c.say(http2.AppendGoAway(nil, 0, http2.NoError))
			_ = c.Close()
		}, "200 200", ""},
		{"refuses once", "", "POST", func(c *frames, _ int, stream uint32) {
			if stream > 1 {
				c.answer(stream, 200)
				return
			}
			c.say(http2.AppendRSTStream(nil, stream, http2.RefusedStream))
		}, "200 200", ""},
		{"refuses always", "", "POST", func(c *frames, _ int, stream uint32) {
			c.say(http2.AppendRSTStream(nil, stream, http2.RefusedStream))
		}, "201 502, 201", "upstream rejected request with error 7 (REFUSED_STREAM) while reading response header from upstream"},
		{"goes away while it works", "", "GET", func(c *frames, _ int, stream uint32) {
			c.say(http2.AppendGoAway(nil, stream, http2.NoError))
			c.answer(stream, 200)
		}, "200 200", ""},
		{"closes", "", "GET", func(c *frames, _ int, _ uint32) { _ = c.Close() },
			"201 502, 201", "upstream prematurely closed connection while reading response header from upstream"},
		{"closes on a POST", "", "POST", func(c *frames, _ int, _ uint32) { _ = c.Close() },
			"502 502", "upstream prematurely closed connection while reading response header from upstream"},
		{"closes on a POST, non_idempotent", "non_idempotent error", "POST", func(c *frames, _ int, _ uint32) { _ = c.Close() }, "201 502, 201", ""},
		{"internal error", "", "GET", func(c *frames, _ int, stream uint32) {
			c.say(http2.AppendRSTStream(nil, stream, http2.InternalError))
		}, "201 502, 201", "upstream rejected request with error 2 (INTERNAL_ERROR)"},
		{"invalid", "", "GET", func(c *frames, _ int, stream uint32) { c.answer(stream, 200, "connection", "close") },
			"502 502", "upstream sent a connection-specific header while reading response header from upstream"},
		{"invalid, listed", "invalid_header", "GET", func(c *frames, _ int, stream uint32) { c.answer(stream, 200, "x", "a\r\nb") },
			"201 502, 201", "upstream sent invalid header value while reading response header from upstream"},
		{"invalid frames", "invalid_header", "GET", func(c *frames, _ int, _ uint32) {
			c.say(http2.AppendFrameHead(nil, http2.FrameHead{Type: http2.FramePushPromise, Stream: 1}))
		}, "201 502, 201", "upstream sent invalid HTTP/2: PUSH_PROMISE frame though push is off (PROTOCOL_ERROR)"},
		{"503, listed", "http_503", "GET", func(c *frames, _ int, stream uint32) { c.answer(stream, 503) }, "201 503, 201", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := newFramePeer(t, c.script)
			second := newFramePeer(t, func(c *frames, _ int, stream uint32) { c.answer(stream, 201) })
			next := ""
			if c.conf != "" {
				next = "grpc_next_upstream " + c.conf + ";"
			}
			f := start(t, "upstream u { server "+first.String()+" weight=100 max_fails=0; server "+second.String()+"; } "+
				"server { listen LISTEN; location / { grpc_pass u; add_header X-US $upstream_status always; "+next+" } }")
			reply := f.ask(request(c.method+" /", "Content-Length: 4") + "body")
			code, _, _ := strings.Cut(status(reply), " ")
			if got := code + " " + field(reply, "X-US"); got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, f.log)
			}
			if c.log != "" {
				f.log.await(t, c.log)
			}
		})
	}
}

// TestHTTP2ConnectionDies: exchanges on a connection that ends go over another
// one where they may be repeated.
func TestHTTP2ConnectionDies(t *testing.T) {
	t.Parallel()
	p := newFramePeer(t, func(c *frames, n int, stream uint32) {
		if n == 0 && stream > 1 {
			_ = c.Close()
			return
		}
		c.answer(stream, 200)
	})
	f := start(t, "server { listen LISTEN; location / { grpc_pass "+p.String()+"; } }")
	for _, c := range []struct{ method, want string }{{"GET", "200 OK"}, {"GET", "200 OK"}, {"POST", "200 OK"}} {
		if reply := f.ask(request(c.method + " /")); status(reply) != c.want {
			t.Errorf("%s: %s\n%s", c.method, reply, f.log)
		}
	}
	if n := p.dialed.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}
