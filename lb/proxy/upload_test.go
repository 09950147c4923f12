package proxy_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestRequestBody: bodies reach the peer whole, however they come and wherever
// they are kept meanwhile.
func TestRequestBody(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 20<<10) // 320 KB
	for _, c := range []struct{ name, conf, head, body, framing string }{
		{"small", "", "Content-Length: 4\r\n", "body", "Content-Length: 4"},
		{"chunked, small", "", "Transfer-Encoding: chunked\r\n", "chunked", "Content-Length: 7"},
		{"in memory", "client_body_buffer_size 1m;", "Content-Length: 327680\r\n", large, "Content-Length: 327680"},
		{"in a file", "client_body_buffer_size 8k;", "Content-Length: 327680\r\n", large, "Content-Length: 327680"},
		{"chunked, in a file", "client_body_buffer_size 8k;", "Transfer-Encoding: chunked\r\n", large, "Content-Length: 327680"},
		{"unbuffered", "proxy_request_buffering off;", "Content-Length: 327680\r\n", large, "Content-Length: 327680"},
		{"unbuffered, small", "proxy_request_buffering off;", "Content-Length: 4\r\n", "body", "Content-Length: 4"},
		{"unbuffered, chunked", "proxy_request_buffering off;", "Transfer-Encoding: chunked\r\n", large, "Transfer-Encoding: chunked"},
		{"unbuffered, chunked, HTTP/1.0", "proxy_request_buffering off; proxy_http_version 1.0;", "Transfer-Encoding: chunked\r\n", large, "Content-Length: 327680"},
		{"not passed", "proxy_pass_request_body off;", "Content-Length: 327680\r\n", large, "Content-Length: 0"},
		{"replaced", "proxy_set_body other;", "Content-Length: 4\r\n", "body", "Content-Length: 5"},
		{"expected", "", "Expect: 100-continue\r\nContent-Length: 4\r\n", "body", "Content-Length: 4"},
		{"unbuffered, expected", "proxy_request_buffering off;", "Expect: 100-continue\r\nContent-Length: 4\r\n", "body", "Content-Length: 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, ok)
			f := proxied(t, p, "client_max_body_size 10m; "+c.conf)
			cl := f.dial()
			cl.send("POST / HTTP/1.1\r\nHost: h\r\n" + c.head + "\r\n")
			if strings.Contains(c.head, "Expect") {
				if h := cl.head(); status(h) != "100 Continue" {
					t.Fatalf("%q instead of 100", h)
				}
			}
			body := c.body
			if strings.Contains(c.head, "chunked") {
				body = chunk(c.body)
			}
			cl.send(body)
			if head, body := cl.message(); status(head) != "200 OK" || body != "ok" {
				t.Fatalf("%q %q\n%s", head, body, f.log)
			}
			got, gotBody, _ := strings.Cut(p.received(t), "\r\n\r\n")
			if !strings.Contains(got, c.framing) {
				t.Errorf("peer got %q, want %s", got, c.framing)
			}
			want := c.body
			switch {
			case c.name == "not passed":
				want = ""
			case c.name == "replaced":
				want = "other"
			}
			if gotBody != want {
				t.Errorf("peer got %d bytes: %s", len(gotBody), clip(gotBody))
			}
			// Both connections serve on.
			cl.send("GET /again HTTP/1.1\r\nHost: h\r\n\r\n")
			if head, _ := cl.message(); status(head) != "200 OK" {
				t.Errorf("afterwards: %q", head)
			}
		})
	}
}

// chunk frames a body in chunks of odd sizes.
func chunk(body string) string {
	var b strings.Builder
	for n := 1; len(body) > 0; n = n*3 + 1 {
		n = min(n, len(body), 60000)
		b.WriteString(strings.ToUpper(hexOf(n)) + "\r\n" + body[:n] + "\r\n")
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

func hexOf(n int) string {
	const digits = "0123456789abcdef"
	if n < 16 {
		return digits[n : n+1]
	}
	return hexOf(n/16) + digits[n%16:n%16+1]
}

// TestEarlyReply: a reply that comes before the body's end arrives whole, and
// nothing hangs.
func TestEarlyReply(t *testing.T) {
	t.Parallel()
	reply := "HTTP/1.1 413 Too much\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much"
	for _, c := range []struct {
		name, conf string
		length     int
		sent       int // of the client's body
		close      bool
	}{
		{"unbuffered, the rest never comes", "proxy_request_buffering off;", 1 << 20, 100, false},
		{"unbuffered, closed", "proxy_request_buffering off;", 1 << 20, 100, true},
		{"unbuffered, all sent", "proxy_request_buffering off;", 1 << 20, 1 << 20, true},
		{"buffered", "", 4 << 20, 4 << 20, true},
		{"buffered, peer does not read", "", 4 << 20, 4 << 20, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(cl *wireClient) {
				cl.head()
				cl.send(reply)
				if !c.close {
					cl.gone()
					_, _ = io.Copy(io.Discard, cl.r)
				}
			})
			f := proxied(t, p, "client_max_body_size 10m; lingering_timeout 1s; "+c.conf)
			cl := f.dial()
			go func() {
				head := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + itoa(c.length) + "\r\n\r\n"
				_, _ = io.WriteString(cl.Conn, head+strings.Repeat("x", c.sent))
			}()
			head, body := cl.message()
			if status(head) != "413 Too much" || body != "too much" {
				t.Errorf("%q %q\n%s", head, body, f.log)
			}
		})
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// TestUploadFailures: what ends an upload.
func TestUploadFailures(t *testing.T) {
	t.Parallel()
	t.Run("client leaves, unbuffered", func(t *testing.T) {
		t.Parallel()
		gone := make(chan string, 1)
		p := newPeer(t, func(c *wireClient) {
			head := c.head()
			_, _ = c.r.ReadString('!')
			c.gone()
			gone <- head
		})
		f := proxied(t, p, "proxy_request_buffering off;")
		c := f.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\npart!")
		_ = c.Close()
		select {
		case <-gone:
		case <-time.After(patience):
			t.Error("the peer still waits")
		}
	})
	t.Run("client leaves, buffered", func(t *testing.T) {
		t.Parallel()
		p := answering(t, ok)
		f := proxied(t, p, "")
		c := f.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\npart")
		_ = c.Close()
		f.log.await(t, "client prematurely closed connection")
		if n := p.dialed.Load(); n != 0 {
			t.Errorf("%d connections to the peer", n)
		}
	})
	t.Run("bad chunk, unbuffered", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, func(c *wireClient) { c.head(); c.chunks(); c.gone() })
		f := proxied(t, p, "proxy_request_buffering off;")
		c := f.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nx\r\n")
		_ = c.rest()
		f.log.await(t, "client sent an invalid body")
	})
	t.Run("the client breaks the rules amid the reply", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, func(c *wireClient) {
			c.head()
			c.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin")
			_, _ = io.Copy(io.Discard, c.r) // and then it closes its side, too
		})
		f := proxied(t, p, "proxy_request_buffering off; proxy_buffering off;")
		c := f.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
		if head := c.head(); status(head) != "200 OK" {
			t.Error(head)
		}
		c.send("x\r\n")
		_ = c.rest()
		f.log.await(t, "client sent an invalid body")
		if log := f.log.String(); strings.Contains(log, "upstream prematurely") {
			t.Error(log)
		}
	})
	t.Run("send timeout", func(t *testing.T) {
		t.Parallel()
		p := newPeer(t, func(c *wireClient) {
			_ = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			c.head()
			<-t.Context().Done() // it reads nothing until the test ends
		})
		f := proxied(t, p, "proxy_send_timeout 80ms; client_max_body_size 64m; client_body_buffer_size 64m;")
		c := f.dial()
		size := 32 << 20
		go func() {
			_, _ = io.WriteString(c.Conn, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: "+itoa(size)+"\r\nConnection: close\r\n\r\n"+strings.Repeat("x", size))
		}()
		if head, _ := c.message(); status(head) != "504 Gateway Time-out" {
			t.Errorf("%q", head)
		}
		f.log.await(t, "upstream timed out (110: Connection timed out) while sending request to upstream")
	})
	t.Run("the wait for the reply begins with the body's end", func(t *testing.T) {
		t.Parallel()
		p := answering(t, ok)
		f := proxied(t, p, "proxy_request_buffering off; proxy_read_timeout 2s;")
		c := f.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\n")
		for _, b := range "body!" {
			<-time.After(500 * time.Millisecond)
			c.send(string(b))
		}
		if head, _ := c.message(); status(head) != "200 OK" {
			t.Errorf("%q\n%s", head, f.log)
		}
	})
}

// TestClientAbort: a client that leaves ends its upstream request, unless
// proxy_ignore_client_abort says otherwise.
func TestClientAbort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, conf string
		ends       bool
	}{
		{"default", "", true},
		{"ignored", "proxy_ignore_client_abort on;", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			arrived, ended := make(chan struct{}), make(chan bool, 1)
			p := newPeer(t, func(cl *wireClient) {
				cl.head()
				close(arrived)
				wait := patience
				if !c.ends {
					wait = 300 * time.Millisecond
				}
				_ = cl.SetReadDeadline(time.Now().Add(wait))
				ended <- cl.gone()
			})
			f := proxied(t, p, c.conf)
			cl := f.dial()
			cl.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			<-arrived
			_ = cl.Close()
			if got := <-ended; got != c.ends {
				t.Errorf("ended: %v", got)
			}
			if c.ends {
				f.log.await(t, "client prematurely closed connection, so upstream connection is closed too while reading response header from upstream")
			}
		})
	}
}
