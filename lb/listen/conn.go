package listen

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is an accepted connection, of TCP or a unix socket. It costs the process less than those of package net, see listener.
type Conn struct {
	file          *os.File
	fd            int
	of            *listener
	remote, local endpoint // invalid for unix sockets
	closed        atomic.Bool
}

var _ net.Conn = (*Conn)(nil)

// Remote returns the client's address, invalid for a unix socket. IPv4 addresses are in their own form also on a socket of IPv6.
func (c *Conn) Remote() netip.AddrPort { return netip.AddrPort(c.remote) }

// Local returns the address that the client reached, in the form of Remote.
func (c *Conn) Local() netip.AddrPort { return netip.AddrPort(c.local) }

// RemoteAddr implements net.Conn. It allocates nothing, nor does LocalAddr.
func (c *Conn) RemoteAddr() net.Addr {
	if !c.Remote().IsValid() {
		return &net.UnixAddr{Net: "unix"}
	}
	return &c.remote
}

// LocalAddr implements net.Conn; for a unix socket it tells its path.
func (c *Conn) LocalAddr() net.Addr {
	if !c.Local().IsValid() {
		return c.of.addr
	}
	return &c.local
}

// SyscallConn implements syscall.Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.file.SyscallConn() }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	return n, c.failed(err)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	return n, c.failed(err)
}

// failed gives the errors of closed connections the identity that callers of package net look for.
func (c *Conn) failed(err error) error {
	if err != nil && (c.closed.Load() || errors.Is(err, os.ErrClosed)) {
		return net.ErrClosed
	}
	return err
}

// Close implements net.Conn. It may be called from any goroutine and ends waits of others.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return c.file.Close()
}

// Retire closes a connection that no goroutine waits for, at less cost than Close: the runtime's part of it is put off and done
// for many connections at once. To the client there is no difference. Nothing may be called but Close afterwards.
func (c *Conn) Retire() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	return c.of.reaper.take(c.fd, c.file)
}

// CloseWrite ends the sending side.
func (c *Conn) CloseWrite() error {
	return c.control("shutdown", func(fd uintptr) error {
		return syscall.Shutdown(int(fd), syscall.SHUT_WR)
	})
}

// ResetOnClose makes closing the connection reset it, so that the kernel forgets it at once.
func (c *Conn) ResetOnClose() error {
	l := syscall.Linger{Onoff: 1}
	return c.control("setsockopt", func(fd uintptr) error {
		return syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &l)
	})
}

// control makes a system call on the descriptor while it cannot be closed.
func (c *Conn) control(name string, call func(fd uintptr) error) error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = call(fd) }); err != nil {
		return c.failed(err)
	}
	return os.NewSyscallError(name, failed)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.failed(c.file.SetDeadline(t)) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.failed(c.file.SetReadDeadline(t)) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.failed(c.file.SetWriteDeadline(t)) }

// endpoint is one side's address as a net.Addr.
type endpoint netip.AddrPort

// Network implements net.Addr.
func (*endpoint) Network() string { return "tcp" }

// String implements net.Addr.
func (e *endpoint) String() string { return netip.AddrPort(*e).String() }

// AddrPort gives the address as net.TCPAddr does.
func (e *endpoint) AddrPort() netip.AddrPort { return netip.AddrPort(*e) }
