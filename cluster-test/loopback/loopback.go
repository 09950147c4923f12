// Package loopback gives tests addresses of loopback that stay theirs: to listen on, or to be refused at. Ports which
// the kernel hands out for connections cannot do that: between two binds of a test it gives them to anybody.
package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// Where Free looks: below what Linux takes for outgoing connections and for port 0 (ip_local_port_range, from 32768).
const (
	lowest  = 12000
	highest = 32000
)

var host = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Free returns an address that nobody listens on by TCP or UDP, for the test to listen on as often as it likes until it
// ends. No other test has it meanwhile, of any process that asks here.
func Free(t testing.TB) netip.AddrPort {
	t.Helper()
	return FreeRun(t, 1)
}

// FreeRun is Free for as many ports in a row; it returns the first one's address.
func FreeRun(t testing.TB, ports int) netip.AddrPort {
	t.Helper()
	var err error
	for range 1000 {
		first := lowest + rand.IntN(highest-lowest-ports)
		var release func()
		if release, err = take(first, ports); err == nil {
			t.Cleanup(release)
			return netip.AddrPortFrom(host, uint16(first))
		}
	}
	t.Fatalf("no free port on %s: %v", host, err)
	return netip.AddrPort{}
}

// Refusing returns an address at which every TCP connection is refused until the test ends: its port is taken on every
// address of IPv4, and nobody listens.
func Refusing(t testing.TB) netip.AddrPort {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(host, uint16(name.(*syscall.SockaddrInet4).Port))
}

// Network returns the first three numbers of addresses 127.x.y.1 to 127.x.y.254, with a point behind each, which no other
// test has that asks here, of any process, until the test ends. All their ports are the test's own, but for what listens on
// all addresses of the host.
func Network(t testing.TB) string {
	t.Helper()
	var err error
	for range 1000 {
		net := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(250), rand.IntN(250))
		var release func()
		if release, err = mark("net-" + net); err == nil {
			t.Cleanup(release)
			return net
		}
	}
	t.Fatalf("no network is free: %v", err)
	return ""
}

// mark takes a name for this process, by a socket with an abstract name, which the kernel frees if the process dies.
func mark(name string) (release func(), err error) {
	taken, err := net.Listen("unix", "@weir-test-"+name)
	if err != nil {
		return nil, err
	}
	return func() { taken.Close() }, nil
}

// take marks ports as ours for all processes, and tells whether they are free.
func take(first, ports int) (release func(), err error) {
	var marks []func()
	release = func() {
		for _, unmark := range marks {
			unmark()
		}
	}
	for port := first; port < first+ports; port++ {
		unmark, err := mark(fmt.Sprint("port-", port))
		if err == nil {
			marks = append(marks, unmark)
			err = idle(netip.AddrPortFrom(host, uint16(port)))
		}
		if err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

// idle tells, by an error, that somebody uses an address. It asks for all addresses of the host, as tests may.
func idle(addr netip.AddrPort) error {
	tcp, err := net.Listen("tcp", fmt.Sprintf(":%d", addr.Port()))
	if err != nil {
		return err
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", addr.Port()))
	if err != nil {
		return err
	}
	return udp.Close()
}
