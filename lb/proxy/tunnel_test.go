package proxy_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const upgradeConf = `proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; `

const upgradeRequest = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Accel-Buffering: no\r\nX-A: 1\r\n\r\n"

// tunnelled returns a client behind whose request the peer runs script.
func tunnelled(t *testing.T, conf, early string, script func(c *wireClient)) (*front, *wireClient) {
	t.Helper()
	p := newPeer(t, func(c *wireClient) {
		c.head()
		script(c)
	})
	f := proxied(t, p, upgradeConf+conf)
	c := f.dial()
	c.send(upgradeRequest + early)
	return f, c
}

func TestTunnel(t *testing.T) {
	t.Parallel()
	t.Run("both ways, with what came along", func(t *testing.T) {
		t.Parallel()
		_, c := tunnelled(t, "", "early", func(p *wireClient) {
			p.send(switching + "hello")
			b := make([]byte, 5)
			_, _ = io.ReadFull(p.r, b)
			p.send("<" + string(b) + ">")
			line, _ := p.r.ReadString('\n')
			p.send(line)
		})
		if got := visible(c.head()); got != "101 Switching Protocols|Upgrade: websocket|X-A: 1||" {
			t.Errorf("%q", got)
		}
		b := make([]byte, len("hello<early>"))
		if _, err := io.ReadFull(c.r, b); err != nil || string(b) != "hello<early>" {
			t.Errorf("%q %v", b, err)
		}
		c.send("line\n")
		if rest := c.rest(); rest != "line\n" {
			t.Errorf("%q", rest)
		}
	})
	t.Run("the client closes", func(t *testing.T) {
		t.Parallel()
		ended := make(chan bool, 1)
		_, c := tunnelled(t, "", "", func(p *wireClient) {
			p.send(switching)
			ended <- p.gone()
		})
		c.head()
		_ = c.Close()
		if !<-ended {
			t.Error("the peer was not told")
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		f, c := tunnelled(t, "proxy_read_timeout 1s;", "", func(p *wireClient) {
			p.send(switching)
			p.gone()
		})
		c.head()
		if rest := c.rest(); rest != "" {
			t.Errorf("%q", rest)
		}
		_ = f
	})
	t.Run("kept up by either side", func(t *testing.T) {
		t.Parallel()
		_, c := tunnelled(t, "proxy_read_timeout 3s;", "", func(p *wireClient) {
			p.send(switching)
			line, _ := p.r.ReadString('.')
			p.send(line)
		})
		c.head()
		for range 8 {
			<-time.After(450 * time.Millisecond)
			c.send("x")
		}
		c.send(".")
		if rest := c.rest(); rest != "xxxxxxxx." {
			t.Errorf("%q", rest)
		}
	})
	t.Run("much both ways at once", func(t *testing.T) {
		t.Parallel()
		const size = 8 << 20
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		sum := make(chan int64, 1)
		_, c := tunnelled(t, "", "", func(p *wireClient) {
			p.send(switching)
			go func() { _, _ = p.Conn.Write(data) }()
			n, _ := io.CopyN(io.Discard, p.r, size)
			sum <- n
			p.gone()
		})
		c.head()
		go func() { _, _ = c.Conn.Write(data) }()
		got := make([]byte, size)
		if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("broken stream: %v", err)
		}
		if n := <-sum; n != size {
			t.Errorf("the peer got %d bytes", n)
		}
	})
	t.Run("a peer that does not read holds the client back", func(t *testing.T) {
		t.Parallel()
		seen := make(chan struct{})
		_, c := tunnelled(t, "", "", func(p *wireClient) {
			p.send(switching)
			<-seen
		})
		defer close(seen)
		c.head()
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Conn.Write(make([]byte, 64<<20))
		if ne, isNet := err.(net.Error); !isNet || !ne.Timeout() {
			t.Errorf("%d bytes were taken, %v", n, err)
		}
	})
	t.Run("an ordinary answer", func(t *testing.T) {
		t.Parallel()
		_, c := tunnelled(t, "", "", func(p *wireClient) { p.send("HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n") })
		if h, _ := c.message(); !strings.HasPrefix(h, "HTTP/1.1 426 No") {
			t.Errorf("%q", h)
		}
	})
}
