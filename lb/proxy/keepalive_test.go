package proxy_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKeepalive: how many connections six requests in a row take.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	const closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
	for _, c := range []struct {
		name, upstream, location, reply string
		dialed                          int32
	}{
		{"by default", "", "", ok, 1},
		{"chunked", "", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1},
		{"204", "", "", "HTTP/1.1 204 No\r\n\r\n", 1},
		{"off", "keepalive 0;", "", ok, 6},
		{"requests", "keepalive 4; keepalive_requests 2;", "", ok, 3},
		{"time", "keepalive 4; keepalive_time 1ms;", "", ok, 6},
		{"the peer closes", "", "", closing, 6},
		{"HTTP/1.0", "", "proxy_http_version 1.0;", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 6},
		{"HTTP/1.0, kept", "", `proxy_http_version 1.0; proxy_set_header Connection "keep-alive";`, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 1},
		{"bytes behind the reply", "", "", ok + "x", 6},
		{"a body where none may be", "", "", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(cl *wireClient) {
				for head, _ := cl.message(); head != ""; head, _ = cl.message() {
					if c.name == "time" {
						<-time.After(2 * time.Millisecond)
					}
					cl.send(c.reply)
				}
			})
			f := start(t, "upstream u { server "+p.String()+"; "+c.upstream+" } server { listen LISTEN; location / { proxy_pass http://u; "+c.location+" } }")
			for range 6 {
				if s := status(f.get("/")); !strings.HasPrefix(s, "20") {
					t.Fatalf("%s\n%s", s, f.log)
				}
			}
			if n := p.dialed.Load(); n != c.dialed {
				t.Errorf("%d connections, want %d", n, c.dialed)
			}
		})
	}
}

// TestKeepaliveTimeout: a connection that was idle for too long is closed.
func TestKeepaliveTimeout(t *testing.T) {
	t.Parallel()
	ended := make(chan bool, 1)
	p := newPeer(t, func(c *wireClient) {
		c.message()
		c.send(ok)
		ended <- c.gone()
	})
	f := start(t, "upstream u { server "+p.String()+"; keepalive 2; keepalive_timeout 10ms; } server { listen LISTEN; location / { proxy_pass http://u; } }")
	f.get("/")
	if !<-ended {
		t.Error("it stays open")
	}
}

// TestKeepaliveReload: idle connections outlive a reload, those of servers
// that are gone are closed.
func TestKeepaliveReload(t *testing.T) {
	t.Parallel()
	p, other := answering(t, ok), answering(t, ok)
	conf := func(to *peer) string {
		return "upstream u { server " + to.String() + "; } server { listen LISTEN; location / { proxy_pass http://u; } }"
	}
	f := start(t, conf(p))
	f.get("/")
	f.reload(conf(p))
	f.get("/")
	if n := p.dialed.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	f.reload(conf(other))
	f.get("/")
	if n := len(other.heads); n != 1 {
		t.Errorf("%d requests to the new server", n)
	}
}

// TestUnixPeer: upstreams on unix sockets, named directly, in a group and by
// variables.
func TestUnixPeer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "peer.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	heads := make(chan string, 8)
	listenPeer(t, l, path, func(c *wireClient) {
		for head, _ := c.message(); head != ""; head, _ = c.message() {
			heads <- head
			c.send(ok)
		}
	})
	f := start(t, strings.ReplaceAll(`upstream u { server unix:PATH; }
		server { listen LISTEN;
			add_header X-U $upstream_addr;
			location /direct/ { proxy_pass http://unix:PATH; }
			location /uri/ { proxy_pass http://unix:PATH:/new/; }
			location /group/ { proxy_pass http://u; }
			location /var/ { set $p PATH; proxy_pass http://unix:$p:/v$request_uri; }
		}`, "PATH", path))
	for _, c := range []struct{ in, line, host string }{
		{"/direct/a", "GET /direct/a HTTP/1.1", "localhost"},
		{"/uri/a", "GET /new/a HTTP/1.1", "localhost"},
		{"/group/a", "GET /group/a HTTP/1.1", "u"},
		{"/var/a", "GET /v/var/a HTTP/1.1", "localhost"},
	} {
		reply := f.get(c.in)
		if status(reply) != "200 OK" || field(reply, "X-U") != "unix:"+path {
			t.Errorf("%s: %s %s\n%s", c.in, status(reply), field(reply, "X-U"), f.log)
			continue
		}
		head := <-heads
		if line, _, _ := strings.Cut(head, "\r\n"); line != c.line || field(head, "Host") != c.host {
			t.Errorf("%s: %q, Host %q", c.in, line, field(head, "Host"))
		}
	}
}
