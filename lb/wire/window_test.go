package wire_test

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/wire"
)

// After OpenWindow there is room for more, and single bytes still wake the
// reader.
func TestOpenWindow(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *wire.Stream, far net.Conn) {
		const window = 1 << 20
		before := option(t, s, syscall.SO_RCVBUF)
		s.OpenWindow(window)
		if after := option(t, s, syscall.SO_RCVBUF); after < window && after <= before {
			t.Errorf("room for %d bytes, before %d", after, before)
		}
		if mark := option(t, s, syscall.SO_RCVLOWAT); mark != 1 {
			t.Errorf("the reader wakes from %d bytes on", mark)
		}
		go func() { _, _ = io.WriteString(far, "x") }()
		s.ReadWithin(wire.Now(), time.Minute)
		if n, err := s.Read(make([]byte, 10)); n != 1 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// option asks for an option of a socket.
func option(t *testing.T, s *wire.Stream, name int) (value int) {
	t.Helper()
	raw, err := s.Conn().(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { value, failed = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, name) })
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return value
}
