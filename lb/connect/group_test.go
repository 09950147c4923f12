package connect_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// far is the other end of all connections of a test.
type far struct {
	addr netip.AddrPort
	mu   sync.Mutex
	ends []net.Conn
	come chan net.Conn
}

func listen(t *testing.T) *far {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{addr: l.Addr().(*net.TCPAddr).AddrPort(), come: make(chan net.Conn, 64)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.ends = append(f.ends, c)
			f.mu.Unlock()
			f.come <- c
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range f.ends {
			_ = c.Close()
		}
	})
	return f
}

// poolOf returns a pool of one server and its peer.
func poolOf(t *testing.T, addr upstream.Addr) (*upstream.Pool, *upstream.Peer) {
	t.Helper()
	p, err := upstream.NewPool(upstream.Config{Name: "u", Servers: []upstream.Server{{
		Name: addr.String(), Addrs: []upstream.Addr{addr}, Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second,
	}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var args upstream.PickArgs
	peer, err := p.Pick(&args)
	if err != nil {
		t.Fatal(err)
	}
	return p, peer
}

func dial(t *testing.T, g *connect.Group, p *upstream.Peer, f *connect.Profile) *connect.Conn {
	t.Helper()
	g.Enter()
	c, err := connect.Dial(t.Context(), p, f, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exchanged does what an exchange does to a connection.
func exchanged(t *testing.T, c *connect.Conn, end net.Conn) {
	t.Helper()
	go func() {
		b := make([]byte, 1)
		_, _ = io.ReadFull(end, b)
		_, _ = end.Write(b)
	}()
	c.ReadWithin(wire.Now(), 30*time.Second)
	if err := c.Exchange([]byte("x")); err != nil || string(c.Buffered()) != "x" {
		t.Fatalf("%q %v", c.Buffered(), err)
	}
	c.Consume(1)
}

func TestGroupLendsTheNewest(t *testing.T) {
	t.Parallel()
	f := listen(t)
	_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{Connections: 8, Requests: 100})
	profile := &connect.Profile{}
	a, b, c := dial(t, g, peer, profile), dial(t, g, peer, profile), dial(t, g, peer, profile)
	for _, x := range []*connect.Conn{a, b, c} {
		g.Put(x, wire.Now())
	}
	for i, want := range []*connect.Conn{c, b, a, nil} {
		if got := g.Take(peer, profile); got != want {
			t.Errorf("take %d gave another one", i)
		} else if got != nil && !got.Reused {
			t.Errorf("take %d is not marked", i)
		}
	}
}

func TestGroupLimits(t *testing.T) {
	t.Parallel()
	hour := int64(time.Hour)
	for _, c := range []struct {
		name   string
		limits connect.Keepalive
		put    int
		later  int64 // between dialling and putting back
		idle   int
	}{
		{"none", connect.Keepalive{Requests: 100}, 3, 0, 0},
		{"two", connect.Keepalive{Connections: 2, Requests: 100}, 3, 0, 2},
		{"auto has a floor", connect.Keepalive{Connections: connect.Auto, Requests: 100}, 3, 0, 3},
		{"time", connect.Keepalive{Connections: 8, Requests: 100, Time: time.Minute}, 3, hour, 0},
		{"no limit of time", connect.Keepalive{Connections: 8, Requests: 100}, 3, hour, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := listen(t)
			_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
			g := connect.NewGroup(c.limits)
			var conns []*connect.Conn
			for range c.put {
				conns = append(conns, dial(t, g, peer, &connect.Profile{}))
			}
			for _, x := range conns {
				g.Put(x, wire.Now()+c.later)
			}
			if n := g.Idle(); n != c.idle {
				t.Errorf("%d idle, want %d", n, c.idle)
			}
			if g.Close(); g.Idle() != 0 {
				t.Error("idle ones are left")
			}
		})
	}
}

func TestGroupRequests(t *testing.T) {
	t.Parallel()
	f := listen(t)
	_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{Connections: 8, Requests: 2})
	c := dial(t, g, peer, &connect.Profile{})
	end := <-f.come
	exchanged(t, c, end)
	if g.Put(c, wire.Now()); g.Idle() != 1 {
		t.Fatal("closed after the first request")
	}
	if g.Take(peer, &connect.Profile{}) != c {
		t.Fatal("not lent")
	}
	exchanged(t, c, end)
	if g.Put(c, wire.Now()); g.Idle() != 0 {
		t.Error("kept after the second request")
	}
}

func TestGroupTellsProfilesApart(t *testing.T) {
	t.Parallel()
	f := listen(t)
	_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{Connections: 8, Requests: 100})
	g.Put(dial(t, g, peer, &connect.Profile{Key: "a"}), wire.Now())
	if g.Take(peer, &connect.Profile{Key: "b"}) != nil {
		t.Error("a connection of another profile was lent")
	}
	if g.Take(peer, &connect.Profile{Key: "a"}) == nil {
		t.Error("that of an equal profile was not")
	}
}

func TestGroupDropsWhatIsNotClean(t *testing.T) {
	t.Parallel()
	f := listen(t)
	_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{Connections: 8, Requests: 100})
	c := dial(t, g, peer, &connect.Profile{})
	end := <-f.come
	exchanged(t, c, end)
	_, _ = end.Write([]byte("more"))
	if err := c.Fill(); err != nil {
		t.Fatal(err)
	}
	if g.Put(c, wire.Now()); g.Idle() != 0 {
		t.Error("a connection with unread bytes was kept")
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	f := listen(t)
	pool, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{Connections: 8, Requests: 100, Timeout: time.Minute})
	old, fresh := dial(t, g, peer, &connect.Profile{}), dial(t, g, peer, &connect.Profile{})
	g.Put(old, wire.Now()-int64(time.Hour))
	g.Put(fresh, wire.Now())
	if g.Sweep(); g.Idle() != 1 {
		t.Errorf("%d idle", g.Idle())
	}
	pool.Retire()
	if g.Sweep(); g.Idle() != 0 {
		t.Error("connections of a peer that is gone are left")
	}
}

// TestIdleState: what a look at an unused connection tells.
func TestIdleState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(end net.Conn)
		ok   bool
	}{
		{"open", func(net.Conn) {}, true},
		{"closed", func(end net.Conn) { _ = end.Close() }, false},
		{"bytes", func(end net.Conn) { _, _ = end.Write([]byte("408")) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := listen(t)
			_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
			g := connect.NewGroup(connect.Keepalive{Connections: 8, Requests: 100})
			conn := dial(t, g, peer, &connect.Profile{})
			c.do(<-f.come)
			if !c.ok {
				_, _ = conn.PeekByte() // until it has come
			}
			if err := conn.Stream.Idle(); (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	silent := listen(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		addr upstream.Addr
		tls  *tls.Config
		want error
		text string
	}{
		{"refused", t.Context(), upstream.Addr{AddrPort: loopback.Refusing(t)}, nil, syscall.ECONNREFUSED, "connect() failed (111: Connection refused)"},
		{"no socket", t.Context(), upstream.Addr{Path: filepath.Join(t.TempDir(), "none")}, nil, syscall.ENOENT, "connect() failed (2: No such file or directory)"},
		{"cancelled", done, upstream.Addr{AddrPort: silent.addr}, nil, wire.ErrInterrupted, "interrupted"},
		{"handshake too slow", t.Context(), upstream.Addr{AddrPort: silent.addr}, &tls.Config{InsecureSkipVerify: true}, wire.ErrTimeout, "timed out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, peer := poolOf(t, c.addr)
			_, err := connect.Dial(c.ctx, peer, &connect.Profile{TLS: c.tls}, 50*time.Millisecond)
			if !errors.Is(err, c.want) || err.Error() != c.text {
				t.Errorf("%v, want %v", err, c.text)
			}
		})
	}
}

// TestBuffer: bytes stay in place while they are a message's beginning, and a
// full buffer says so.
func TestBuffer(t *testing.T) {
	t.Parallel()
	f := listen(t)
	_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{})
	c := dial(t, g, peer, &connect.Profile{})
	end := <-f.come
	data := make([]byte, 200<<10)
	for i := range data {
		data[i] = byte(i % 251)
	}
	go func() { _, _ = end.Write(data) }()
	var err error
	for c.ReadWithin(wire.Now(), 30*time.Second); err == nil; err = c.Fill() {
	}
	if !errors.Is(err, io.ErrShortBuffer) || len(c.Buffered()) != 128<<10 {
		t.Fatalf("%d bytes, %v", len(c.Buffered()), err)
	}
	var got []byte
	for len(got) < len(data) {
		got = append(got, c.Buffered()...)
		c.Consume(len(c.Buffered()))
		if len(got) < len(data) {
			if err := c.Fill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if string(got) != string(data) {
		t.Error("the bytes differ")
	}
}

// TestEnlarge: a connection reads a long reply in large pieces, but only the
// one that it was enlarged for, and holds no buffer between its pieces.
func TestEnlarge(t *testing.T) {
	t.Parallel()
	f := listen(t)
	_, peer := poolOf(t, upstream.Addr{AddrPort: f.addr})
	g := connect.NewGroup(connect.Keepalive{Connections: 1, Requests: 100})
	c := dial(t, g, peer, &connect.Profile{})
	end := <-f.come
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"at first", func() {}, 16 << 10},
		{"enlarged amid a reply", func() { exchanged(t, c, end); c.Enlarge() }, 128 << 10},
		{"before the next part", func() { exchanged(t, c, end) }, 128 << 10},
		{"kept", func() { g.Put(c, wire.Now()) }, 16 << 10},
	} {
		step.do()
		if n := len(c.Lend()); n != step.want {
			t.Errorf("%s: %d bytes", step.name, n)
		}
		c.Reclaim()
	}
}
