package listen

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// connect opens the specs and returns one accepted connection with its socket.
func connect(t *testing.T, spec Spec) (net.Conn, *Set) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	s := New(Config{Accept: func(c net.Conn, _ *Socket) { accepted <- c }, Report: func(err error) { t.Error(err) }, Lanes: 3})
	t.Cleanup(func() { s.Close() })
	apply(t, s, spec)
	client, err := net.Dial("tcp", s.Sockets()[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if spec.Options.Deferred > 0 {
		client.Write([]byte("x"))
	}
	c := <-accepted
	t.Cleanup(func() { c.Close() })
	return c, s
}

func sockoptOf(t *testing.T, c any, level, option int) int {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	value := -1
	raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, option) })
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestAcceptedConnectionsInheritOptions(t *testing.T) {
	t.Parallel()
	loopback := netip.MustParseAddrPort("127.0.0.1:0")
	plain, _ := connect(t, Spec{Addr: loopback})
	tuned, _ := connect(t, Spec{Addr: loopback, Options: Options{
		KeepAlive: KeepAlive{Mode: KeepAliveOn, Idle: 30 * time.Minute, Interval: 7 * time.Second, Count: 10},
		RcvBuf:    32 << 10, SndBuf: 48 << 10, Deferred: time.Second, FastOpen: 5, Backlog: 7,
	}})
	off, _ := connect(t, Spec{Addr: loopback, Options: Options{KeepAlive: KeepAlive{Mode: KeepAliveOff}}})
	tests := []struct {
		name          string
		conn          net.Conn
		level, option int
		want          int
	}{
		{"default keepalive", plain, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0},
		{"default nodelay", plain, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1},
		{"keepalive off", off, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 0},
		{"keepalive on", tuned, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		{"idle", tuned, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 1800},
		{"interval", tuned, syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 7},
		{"count", tuned, syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 10},
		{"rcvbuf, doubled by the kernel", tuned, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 64 << 10},
		{"sndbuf, doubled by the kernel", tuned, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 96 << 10},
	}
	for _, tt := range tests {
		if got := sockoptOf(t, tt.conn, tt.level, tt.option); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestReusePort(t *testing.T) {
	t.Parallel()
	spec := Spec{Addr: netip.MustParseAddrPort("127.0.0.1:0")}
	spec.Options.ReusePort = true
	_, s := connect(t, spec)
	lanes := s.Sockets()[0].lanes
	if len(lanes) != 3 {
		t.Fatalf("%d lanes, want 3", len(lanes))
	}
	for _, l := range lanes {
		if l.ln.Addr().String() != lanes[0].ln.Addr().String() {
			t.Errorf("lanes on %v and %v", l.ln.Addr(), lanes[0].ln.Addr())
		}
	}
}

func TestReusePortOnReload(t *testing.T) {
	t.Parallel()
	spec := Spec{Addr: freePort(t)}
	_, s := connect(t, spec)
	before := s.Sockets()[0]
	spec.Options.ReusePort = true
	after := apply(t, s, spec)[0].Socket
	if before != after || len(after.lanes) != 3 {
		t.Errorf("same socket: %v, %d lanes, want true and 3", before == after, len(after.lanes))
	}
}

func TestDualStack(t *testing.T) {
	t.Parallel()
	any6 := netip.MustParseAddrPort("[::]:0")
	for _, dual := range []bool{false, true} {
		s := echoName(t)
		apply(t, s, Spec{Addr: any6, Options: Options{DualStack: dual}})
		socket := s.Sockets()[0]
		if got := sockoptOf(t, socket.lanes[0].ln, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY); got != flag(!dual) {
			t.Errorf("DualStack %v: IPV6_V6ONLY is %d", dual, got)
		}
	}
}
