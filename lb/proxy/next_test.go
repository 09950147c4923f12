package proxy_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// refusing is an address that nothing listens on.
func refusing(t *testing.T) string {
	t.Helper()
	return loopback.Refusing(t).String()
}

func answer(status int) string {
	return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 3\r\n\r\n%d", status, status)
}

// TestNext: which failures lead to another peer. The first peer fails as told
// and the second answers 200, unless "second" says otherwise.
func TestNext(t *testing.T) {
	t.Parallel()
	const refused = "refuse"
	for _, c := range []struct {
		name, first, second, conf string
		request                   string
		want                      string // status, $upstream_status, tries at the second
	}{
		{"refused", refused, ok, "", "", "200 OK [502, 200] 1"},
		{"refused, POST", refused, ok, "", "POST", "200 OK [502, 200] 1"},
		{"refused, off", refused, ok, "proxy_next_upstream off;", "", "502 Bad Gateway [502] 0"},
		{"closed", "", ok, "", "", "200 OK [502, 200] 1"},
		{"closed, POST", "", ok, "", "POST", "502 Bad Gateway [502] 0"},
		{"closed, POST, non_idempotent", "", ok, "proxy_next_upstream error non_idempotent;", "POST", "200 OK [502, 200] 1"},
		{"closed, PUT", "", ok, "", "PUT", "200 OK [502, 200] 1"},
		{"closed, LOCK", "", ok, "", "LOCK", "502 Bad Gateway [502] 0"},
		{"closed, PATCH", "", ok, "", "PATCH", "502 Bad Gateway [502] 0"},
		{"invalid", "rubbish\r\n\r\n", ok, "", "", "502 Bad Gateway [502] 0"},
		{"invalid, listed", "rubbish\r\n\r\n", ok, "proxy_next_upstream invalid_header;", "", "200 OK [502, 200] 1"},
		{"500", answer(500), ok, "", "", "500 X [500] 0"},
		{"500, listed", answer(500), ok, "proxy_next_upstream http_500;", "", "200 OK [500, 200] 1"},
		{"502, listed", answer(502), ok, "proxy_next_upstream http_502;", "", "200 OK [502, 200] 1"},
		{"503, listed", answer(503), ok, "proxy_next_upstream http_503;", "", "200 OK [503, 200] 1"},
		{"504, listed", answer(504), ok, "proxy_next_upstream http_504;", "", "200 OK [504, 200] 1"},
		{"403, listed", answer(403), ok, "proxy_next_upstream http_403;", "", "200 OK [403, 200] 1"},
		{"404, listed", answer(404), ok, "proxy_next_upstream http_404;", "", "200 OK [404, 200] 1"},
		{"429, listed", answer(429), ok, "proxy_next_upstream http_429;", "", "200 OK [429, 200] 1"},
		{"503, listed, POST", answer(503), ok, "proxy_next_upstream http_503;", "POST", "503 X [503] 0"},
		{"the last reply passes as it is", answer(503), answer(503), "proxy_next_upstream http_503;", "", "503 X [503, 503] 1"},
		{"refused after 503", answer(503), refused, "proxy_next_upstream http_503 error;", "", "502 Bad Gateway [503, 502] 0"},
		{"one try", refused, ok, "proxy_next_upstream_tries 1;", "", "502 Bad Gateway [502] 0"},
		{"time is up", "slow", ok, "proxy_read_timeout 60ms; proxy_next_upstream_timeout 30ms;", "", "504 Gateway Time-out [504] 0"},
		{"timeout", "slow", ok, "proxy_read_timeout 2s;", "", "200 OK [504, 200] 1"},
		{"timeout, POST", "slow", ok, "proxy_read_timeout 60ms;", "POST", "504 Gateway Time-out [504] 0"},
		{"unbuffered body", "", ok, "proxy_request_buffering off;", "PUT", "502 Bad Gateway [502] 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			make := func(script string) (addr string, p *peer) {
				switch script {
				case refused:
					return refusing(t), nil
				case "slow":
					p = newPeer(t, func(cl *wireClient) { cl.message(); cl.gone() })
				default:
					p = answering(t, script)
				}
				return p.String(), p
			}
			first, _ := make(c.first)
			addr, second := make(c.second)
			f := start(t, "upstream u { server "+first+" weight=100; server "+addr+"; }"+
				"server { listen LISTEN; location / { proxy_pass http://u; add_header X-US $upstream_status always; "+c.conf+" } }")
			raw := request("GET /")
			if c.request != "" {
				raw = request(c.request+" /", "Content-Length: 4") + "body"
			}
			reply := f.ask(raw)
			tries := int32(0)
			if second != nil {
				tries = int32(len(second.heads))
			}
			if got := fmt.Sprintf("%s [%s] %d", status(reply), field(reply, "X-US"), tries); got != c.want {
				t.Errorf("got %s, want %s\n%s", got, c.want, f.log)
			}
			if second != nil && tries > 0 && c.request != "" && !strings.HasSuffix(second.received(t), "\r\n\r\nbody") {
				t.Error("the body did not reach the second peer")
			}
		})
	}
}

// TestFailureWords: the log line and status of an attempt that failed.
func TestFailureWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, conf, status, log string
		script                  func(c *wireClient)
	}{
		{"reset", "", "502 Bad Gateway", "recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 127.0.0.1", func(c *wireClient) {
			c.message()
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
		}},
		{"read timeout", "proxy_read_timeout 60ms;", "504 Gateway Time-out", "upstream timed out (110: Connection timed out) while reading response header from upstream", func(c *wireClient) { c.message(); c.gone() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := proxied(t, newPeer(t, c.script), c.conf)
			if s := status(f.get("/")); s != c.status {
				t.Errorf("status %q, want %q", s, c.status)
			}
			f.log.await(t, c.log)
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		f := start(t, "server { listen LISTEN; location / { proxy_pass http://"+refusing(t)+"; } }")
		f.get("/x?y")
		f.log.await(t, `connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, server: , request: "GET /x?y HTTP/1.1", upstream: "http://127.0.0.1:`)
	})
	t.Run("connect timeout", func(t *testing.T) {
		t.Parallel()
		// A listener whose queue is full lets a further client wait.
		f := start(t, "server { listen LISTEN; location / { proxy_connect_timeout 60ms; proxy_pass http://"+crowded(t)+"; } }")
		if s := status(f.get("/")); s != "504 Gateway Time-out" {
			t.Error(s)
		}
		f.log.await(t, "upstream timed out (110: Connection timed out) while connecting to upstream")
	})
	t.Run("no live upstreams", func(t *testing.T) {
		t.Parallel()
		f := start(t, "upstream u { server "+refusing(t)+"; server "+refusing(t)+"; }"+
			"server { listen LISTEN; location / { proxy_pass http://u; add_header X-U \"$upstream_addr $upstream_status\" always; } }")
		f.get("/")
		f.log.await(t, "upstream server temporarily disabled while connecting to upstream")
		if reply := f.get("/"); status(reply) != "502 Bad Gateway" || field(reply, "X-U") != "u 502" {
			t.Errorf("%s %s", status(reply), field(reply, "X-U"))
		}
		f.log.await(t, `no live upstreams while connecting to upstream, client: 127.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "http://u/"`)
	})
}

// TestStaleConnection: an idle connection that died costs nobody a reply.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			closed := make(chan struct{})
			p := newPeer(t, func(c *wireClient) {
				c.message()
				c.send(ok)
				if head, _ := c.message(); strings.HasPrefix(head, "GET /die") {
					_ = c.Close()
					close(closed)
				} else if head != "" {
					c.send(ok)
				}
			})
			f := proxied(t, p, "")
			for _, path := range []string{"/a", "/die", "/b"} {
				verb := method
				if path == "/die" {
					verb = "GET"
				}
				if s := status(f.ask(request(verb+" "+path, "Content-Length: 0"))); s != "200 OK" {
					t.Errorf("%s: %s\n%s", path, s, f.log)
				}
			}
			<-closed
			if text := f.log.String(); text != "" {
				t.Errorf("logged: %s", text)
			}
		})
	}
}

// TestStaleConnectionOfADeadPeer: what cannot be sent again is told as what it
// is, a connection that could not be made.
func TestStaleConnectionOfADeadPeer(t *testing.T) {
	t.Parallel()
	var p *peer
	ready := make(chan struct{})
	p = newPeer(t, func(c *wireClient) {
		<-ready
		c.message()
		c.send(ok)
		c.message()
		_ = p.Close()
		_ = c.Close()
	})
	close(ready)
	f := proxied(t, p, "")
	if s := status(f.get("/")); s != "200 OK" {
		t.Fatal(s)
	}
	if s := status(f.get("/")); s != "502 Bad Gateway" {
		t.Error(s)
	}
	f.log.await(t, "connect() failed (111: Connection refused) while connecting to upstream")
}

// TestPassiveFailures: max_fails failures take a peer out for fail_timeout,
// and a reply in time brings it back.
func TestPassiveFailures(t *testing.T) {
	t.Parallel()
	bad := answering(t, "")
	good := answering(t, ok)
	f := start(t, "upstream u { server "+bad.String()+" max_fails=2 fail_timeout=1h; server "+good.String()+"; }"+
		"server { listen LISTEN; location / { proxy_pass http://u; } }")
	for range 10 {
		if s := status(f.get("/")); s != "200 OK" {
			t.Error(s)
		}
	}
	if n := len(bad.heads); n != 2 {
		t.Errorf("%d requests went to the bad peer", n)
	}
}

// crowded is the address of a listener that accepts nothing and whose queue
// is full.
func crowded(t *testing.T) string {
	t.Helper()
	addr, fill := fullListener(t)
	for range fill {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			break // full
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return addr
}
