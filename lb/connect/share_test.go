package connect_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// server is an HTTP/2 server that tells over which connection a request came.
type server struct {
	*httptest.Server
	addr   upstream.Addr
	dialed atomic.Int32
}

func newServer(t *testing.T, secure bool) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Proto, r.RemoteAddr, body)
	}))
	var p http.Protocols
	p.SetUnencryptedHTTP2(!secure)
	p.SetHTTP2(secure)
	s.Config.Protocols = &p
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.dialed.Add(1)
		}
	}
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	s.addr.AddrPort = s.Listener.Addr().(*net.TCPAddr).AddrPort()
	return s
}

// ask makes one exchange over a client with room for it.
func ask(t *testing.T, c *http2.Client) string {
	t.Helper()
	s, _, err := c.Open(&http2.Opening{Head: []byte("POST / HTTP/1.1\r\nHost: h\r\n\r\n"), Body: []byte("hello"), End: true})
	if err != nil {
		t.Error(err)
		return ""
	}
	defer s.Close()
	s.ReadWithin(wire.Now(), 10*time.Second)
	var h request.Head
	var body strings.Builder
	for answered := false; ; {
		if !answered {
			status, err := s.Head(&h, nil)
			if err != nil {
				t.Error(err)
				return ""
			}
			answered = status >= 200
		}
		if answered {
			p, done, err := s.Next()
			body.Write(p)
			if done || err != nil {
				return body.String()
			}
		}
		if err := s.Wait(); err != nil {
			t.Error(err)
			return ""
		}
	}
}

func join(t *testing.T, g *connect.Group, p *upstream.Peer, f *connect.Profile) *http2.Client {
	t.Helper()
	c, _, err := g.Join(t.Context(), p, f, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

var many = connect.Keepalive{Connections: connect.Auto, Requests: 1000}

func TestSharedByAll(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := newServer(t, secure)
		_, peer := poolOf(t, s.addr)
		g := connect.NewGroup(many)
		t.Cleanup(g.Close)
		f := &connect.Profile{}
		if secure {
			f.TLS = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
		}
		if g.Reserve(peer, f, wire.Now()) != nil {
			t.Error("a connection out of nothing")
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				c, _, err := g.Join(t.Context(), peer, f, 10*time.Second)
				if err != nil {
					t.Error(err)
					return
				}
				if got := ask(t, c); !strings.HasPrefix(got, "HTTP/2.0 ") || !strings.HasSuffix(got, " hello") {
					t.Errorf("answer %q", got)
				}
			})
		}
		all.Wait()
		if n := s.dialed.Load(); n != 1 {
			t.Errorf("%d connections (TLS: %v)", n, secure)
		}
		c := g.Reserve(peer, f, wire.Now())
		if c == nil {
			t.Fatal("the connection is gone")
		}
		ask(t, c)
		if g.Reserve(peer, &connect.Profile{Key: "other"}, wire.Now()) != nil {
			t.Error("used for another profile")
		}
	}
}

// TestSharedRoom: what one connection does not hold goes over another.
func TestSharedRoom(t *testing.T) {
	t.Parallel()
	s := newServer(t, false)
	_, peer := poolOf(t, s.addr)
	g := connect.NewGroup(many)
	t.Cleanup(g.Close)
	f := &connect.Profile{}
	seen := map[*http2.Client]int{}
	for range 300 {
		seen[join(t, g, peer, f)]++
	}
	if len(seen) != 3 {
		t.Errorf("%d connections", len(seen))
	}
	for c, n := range seen {
		for range n {
			c.Unreserve()
		}
	}
}

func TestSharedLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits connect.Keepalive
		dialed int32
	}{
		{"none", many, 1},
		{"requests", connect.Keepalive{Connections: 8, Requests: 2}, 2},
		{"time", connect.Keepalive{Connections: 8, Requests: 100, Time: 1}, 4},
		{"nothing idle", connect.Keepalive{Requests: 100}, 4},
	} {
		s := newServer(t, false)
		_, peer := poolOf(t, s.addr)
		g := connect.NewGroup(c.limits)
		t.Cleanup(g.Close)
		for range 4 {
			ask(t, join(t, g, peer, &connect.Profile{}))
		}
		if n := s.dialed.Load(); n != c.dialed {
			t.Errorf("%s: %d connections, want %d", c.name, n, c.dialed)
		}
	}
}

func TestSharedSweep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		limits connect.Keepalive
		retire bool
		again  bool
	}{
		{"stays", connect.Keepalive{Connections: 8, Requests: 100, Timeout: time.Hour}, false, true},
		{"timeout", connect.Keepalive{Connections: 8, Requests: 100, Timeout: 1}, false, false},
		{"peer is gone", many, true, false},
	} {
		s := newServer(t, false)
		pool, peer := poolOf(t, s.addr)
		g := connect.NewGroup(c.limits)
		t.Cleanup(g.Close)
		f := &connect.Profile{}
		ask(t, join(t, g, peer, f))
		if c.retire {
			pool.Retire()
		}
		g.Sweep()
		client := g.Reserve(peer, f, wire.Now())
		if (client != nil) != c.again {
			t.Errorf("%s: used again: %v", c.name, client != nil)
		}
		if client != nil {
			client.Unreserve()
		}
	}
}

// TestSharedEnds: a connection that the peer closes is not used again.
func TestSharedEnds(t *testing.T) {
	t.Parallel()
	s := newServer(t, false)
	_, peer := poolOf(t, s.addr)
	g := connect.NewGroup(many)
	f := &connect.Profile{}
	ask(t, join(t, g, peer, f))
	s.CloseClientConnections()
	eventually(t, "the end is noticed", func() bool {
		c := g.Reserve(peer, f, wire.Now())
		if c != nil {
			c.Unreserve()
		}
		return c == nil
	})
	ask(t, join(t, g, peer, f))
	if n := s.dialed.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// tlsListener is a TLS server that knows nothing of ALPN.
func tlsListener(t *testing.T) netip.AddrPort {
	t.Helper()
	keys := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(keys.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: keys.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func TestSharedErrors(t *testing.T) {
	t.Parallel()
	silent := tlsListener(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	insecure := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	for _, c := range []struct {
		name string
		ctx  context.Context
		addr netip.AddrPort
		tls  *tls.Config
		want error
	}{
		{"refused", t.Context(), loopback.Refusing(t), nil, syscall.ECONNREFUSED},
		{"cancelled", done, loopback.Refusing(t), nil, wire.ErrInterrupted},
		{"HTTP/1 only", t.Context(), silent, insecure, connect.ErrNotHTTP2},
	} {
		_, peer := poolOf(t, upstream.Addr{AddrPort: c.addr})
		g := connect.NewGroup(many)
		if _, _, err := g.Join(c.ctx, peer, &connect.Profile{TLS: c.tls}, time.Second); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
