package proxy_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSlowClient: with proxy_buffering on, a client that does not read holds
// no upstream, and gets everything in the end.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	const size = 32 << 20 // more than the sockets between us take
	data := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	length := "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n"
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	untilClose := "HTTP/1.1 200 OK\r\n\r\n"
	for _, c := range []struct {
		name, conf, listen, head string
		free                     bool // the upstream, before the client reads
		log                      string
	}{
		{"length", "", "", length, true, "an upstream response is buffered to a temporary file"},
		{"chunked", "", "", chunked, true, "buffered to a temporary file"},
		{"until close", "", "", untilClose, true, "buffered to a temporary file"},
		{"TLS", "", "ssl", chunked, true, "buffered to a temporary file"},
		{"in memory", "proxy_max_temp_file_size 0; proxy_buffers 4096 8k; proxy_buffer_size 8k;", "", chunked, true, ""},
		{"no file allowed", "proxy_max_temp_file_size 0;", "", length, false, ""},
		{"small file", "proxy_max_temp_file_size 1m; proxy_temp_file_write_size 16k;", "", chunked, false, "buffered to a temporary file"},
		{"no folder", "proxy_temp_path DIR/weir.conf/x;", "", chunked, false, `open() "`},
		{"unbuffered", "proxy_buffering off;", "", length, false, ""},
		{"limit_rate", "limit_rate 100m;", "", length, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			written := make(chan struct{})
			p := newPeer(t, func(cl *wireClient) {
				cl.head()
				_ = cl.SetDeadline(time.Now().Add(3 * patience))
				cl.send(c.head)
				if c.head == chunked {
					cl.send(strconv.FormatInt(size, 16) + "\r\n")
				}
				if _, err := cl.Conn.Write(data); err != nil {
					t.Errorf("peer: %v", err)
				}
				if c.head == chunked {
					cl.send("\r\n0\r\n\r\n")
				}
				close(written)
			})
			f, cl := slowClient(t, p.String(), c.conf, c.listen)
			cl.send(request("GET /"))
			wait := patience
			if !c.free {
				wait = 300 * time.Millisecond
			}
			select {
			case <-written:
				if !c.free {
					t.Error("the upstream was read to the end")
				}
			case <-time.After(wait):
				if c.free {
					t.Error("the upstream waits for the client")
				}
			}
			_ = cl.SetDeadline(time.Now().Add(3 * patience))
			if h := cl.head(); status(h) != "200 OK" {
				t.Fatalf("%q\n%s", h, f.log)
			}
			body, err := io.ReadAll(cl.r)
			if err != nil {
				t.Errorf("read: %v", err)
			}
			if c.head != length {
				body = []byte(unchunk(t, body))
			}
			if !bytes.Equal(body, data) {
				t.Errorf("%d bytes came, which are not those sent", len(body))
			}
			if c.log != "" {
				f.log.await(t, c.log)
			}
		})
	}
}

// slowClient starts a front and a client that may read late.
func slowClient(t *testing.T, to, conf, listen string) (*front, *wireClient) {
	t.Helper()
	conf = "location / { proxy_pass http://" + to + "; " + conf + " }"
	if listen == "" {
		f := start(t, "server { listen LISTEN; "+conf+" }")
		c := f.dial()
		if err := c.Conn.(*net.TCPConn).SetReadBuffer(256 << 10); err != nil { // else the kernel may take all of a reply
			t.Fatal(err)
		}
		return f, c
	}
	pair := newPair(t, "front")
	f := start(t, "server { listen LISTEN ssl; ssl_certificate "+pair.cert+"; ssl_certificate_key "+pair.key+"; "+conf+" }")
	c := f.dial()
	secure := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	c.Conn = secure
	c.r.Reset(secure)
	return f, c
}

func unchunk(t *testing.T, body []byte) string {
	t.Helper()
	var out strings.Builder
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		n, err := strconv.ParseInt(string(line), 16, 64)
		if !ok || err != nil || len(rest) < int(n)+2 {
			t.Errorf("bad chunk %q", clip(string(line)))
			return out.String()
		}
		if n == 0 {
			return out.String()
		}
		out.Write(rest[:n])
		body = rest[n+2:]
	}
}

// TestSlowClientLeaves: a client that leaves while a spool holds its reply
// leaves nothing behind.
func TestSlowClientLeaves(t *testing.T) {
	t.Parallel()
	spooling := make(chan struct{})
	p := newPeer(t, func(c *wireClient) {
		c.head()
		c.send("HTTP/1.1 200 OK\r\n\r\n")
		_, _ = c.Conn.Write(make([]byte, 8<<20))
		close(spooling)
		c.gone()
	})
	f, c := slowClient(t, p.String(), "", "")
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-spooling
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	if n := p.dialed.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			inside, _ := os.ReadDir(f.dir + "/" + e.Name())
			if len(inside) > 0 {
				t.Errorf("left in %s: %v", e.Name(), inside)
			}
		}
	}
}

// TestBrokenOffSpool: what an upstream sent before it broke off reaches a slow
// client, and looks unfinished.
func TestBrokenOffSpool(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	sent := make(chan struct{})
	p := newPeer(t, func(c *wireClient) {
		c.head()
		c.send("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(2*size) + "\r\n\r\n")
		_, _ = c.Conn.Write(make([]byte, size))
		close(sent)
	})
	f, c := slowClient(t, p.String(), "", "")
	c.send(request("GET /"))
	<-sent
	f.log.await(t, "upstream prematurely closed connection while reading upstream")
	c.head()
	if n, _ := io.Copy(io.Discard, c.r); n != size {
		t.Errorf("%d bytes of %d", n, size)
	}
}

// TestLimitRate: proxy_limit_rate slows the reading from the upstream.
func TestLimitRate(t *testing.T) {
	t.Parallel()
	p := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 100000))
	f := proxied(t, p, "proxy_limit_rate 200k;")
	begun := time.Now()
	_, body, _ := strings.Cut(f.get("/"), "\r\n\r\n")
	if took := time.Since(begun); len(body) != 100000 || took < 200*time.Millisecond {
		t.Errorf("%d bytes in %v", len(body), took)
	}
}
