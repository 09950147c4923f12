package connect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// TestTCP: a connection knows its ends, carries bytes both ways, and can end
// one of them.
func TestTCP(t *testing.T) {
	t.Parallel()
	hosts := []string{"127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"}
	for i := range 2 * len(hosts) {
		host, patient := hosts[i/2], i%2 == 1
		t.Run(fmt.Sprint(host, " patient ", patient), func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", host)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			at := netip.MustParseAddrPort(ln.Addr().String())
			written := netip.AddrPortFrom(netip.MustParseAddrPort(host).Addr(), at.Port())
			_, peer := poolOf(t, upstream.Addr{AddrPort: written})
			c, err := connect.Dial(t.Context(), peer, &connect.Profile{Patient: patient}, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			end, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer end.Close()
			if got, want := c.Conn().LocalAddr().String(), end.RemoteAddr().String(); got != want {
				t.Errorf("local address %s, the other end says %s", got, want)
			}
			if got := c.Conn().RemoteAddr().(*net.TCPAddr).AddrPort(); got.Addr().Unmap() != at.Addr() || got.Port() != at.Port() {
				t.Errorf("remote address %s, want %s", got, at)
			}
			if _, err := c.Write([]byte("one")); err != nil {
				t.Error(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
			if got, err := io.ReadAll(end); string(got) != "one" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if _, err := end.Write([]byte("two")); err != nil {
				t.Error(err)
			}
			p := make([]byte, 9)
			if n, err := c.Read(p); string(p[:n]) != "two" || err != nil {
				t.Errorf("%q, %v", p[:n], err)
			}
		})
	}
}

// fullListener listens and takes no more connections: an attempt to connect
// hangs.
func fullListener(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port))
	for range 20 {
		c, err := net.DialTimeout("tcp", at.String(), time.Second)
		if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
			return at
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("connections are taken without end")
	return at
}

// TestTCPWaits: the wait for a connection ends with the context.
func TestTCPWaits(t *testing.T) {
	t.Parallel()
	_, peer := poolOf(t, upstream.Addr{AddrPort: fullListener(t)})
	for _, profile := range []*connect.Profile{{}, {Patient: true}} {
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := connect.Dial(short, peer, profile, 0); err != wire.ErrTimeout {
			t.Errorf("%v", err)
		}
		ended, end := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, end)
		if _, err := connect.Dial(ended, peer, profile, 0); err != wire.ErrInterrupted {
			t.Errorf("%v", err)
		}
	}
}
