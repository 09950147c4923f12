package listen

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is an accepted connection, of TCP or a unix socket. It costs the process less than those of package net, see listener.
//
// The runtime's poller hears of it when something on it may have to wait, which is all but Try, Retire and Close: a connection
// whose only request is there when it is looked at ends without the poller's having known it.
type Conn struct {
	of     *listener
	remote endpoint  // invalid for unix sockets, as is local
	local  *endpoint // the listener's, unless that is a wildcard's
	fd     int32
	closed atomic.Bool

	mu   sync.Mutex              // of the two that must not meet: the poller hears of it, it is closed
	file atomic.Pointer[os.File] // nil until the poller knows of it
	raw  syscall.RawConn         // of the file

	deferral *deferral     // that held it back; nil: none did
	since    time.Duration // when that began, by the listener's age
}

var _ net.Conn = (*Conn)(nil)

// Try calls f with the descriptor and returns what f returns, if the poller has not heard of the connection; else it returns
// false, and f is not called. f must not wait. Nobody may close the connection meanwhile; all else may be done to it.
func (c *Conn) Try(f func(fd uintptr) bool) bool {
	if c.file.Load() != nil || c.closed.Load() {
		return false
	}
	return f(uintptr(c.fd))
}

// poll makes the poller know of the connection, if it does not yet, and returns its file.
func (c *Conn) poll() (*os.File, error) {
	if file := c.file.Load(); file != nil {
		return file, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	file := c.file.Load()
	if file != nil {
		return file, nil
	}
	if c.closed.Load() {
		return nil, net.ErrClosed
	}
	if c.deferral != nil {
		c.deferral.forget(c.fd)
	}
	file = os.NewFile(uintptr(c.fd), "connection")
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	c.raw = raw
	c.file.Store(file)
	return file, nil
}

// Remote returns the client's address, invalid for a unix socket. IPv4 addresses are in their own form also on a socket of IPv6.
func (c *Conn) Remote() netip.AddrPort { return netip.AddrPort(c.remote) }

// Local returns the address that the client reached, in the form of Remote.
func (c *Conn) Local() netip.AddrPort { return netip.AddrPort(*c.local) }

// Waited tells how long ago the connection was accepted, if it was held back since; else 0.
func (c *Conn) Waited() time.Duration {
	if c.deferral == nil {
		return 0
	}
	return time.Since(c.of.opened) - c.since
}

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
	return c.local
}

// SyscallConn implements syscall.Conn. It allocates nothing.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return (*rawConn)(c), nil }

// rawConn is a Conn as a syscall.RawConn.
type rawConn Conn

// Control implements syscall.RawConn.
func (c *rawConn) Control(f func(fd uintptr)) error {
	if _, err := (*Conn)(c).poll(); err != nil {
		return err
	}
	return c.raw.Control(f)
}

// Read implements syscall.RawConn.
func (c *rawConn) Read(f func(fd uintptr) bool) error {
	if _, err := (*Conn)(c).poll(); err != nil {
		return err
	}
	return c.raw.Read(f)
}

// Write implements syscall.RawConn.
func (c *rawConn) Write(f func(fd uintptr) bool) error {
	if _, err := (*Conn)(c).poll(); err != nil {
		return err
	}
	return c.raw.Write(f)
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	file, err := c.poll()
	if err != nil {
		return 0, err
	}
	n, err := file.Read(p)
	return n, c.failed(err)
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	file, err := c.poll()
	if err != nil {
		return 0, err
	}
	n, err := file.Write(p)
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
	file, err := c.end()
	if file == nil {
		return err
	}
	return file.Close()
}

// Retire closes a connection that no goroutine waits for, at less cost than Close: the runtime's part of it is put off and done
// for many connections at once. To the client there is no difference. Nothing may be called but Close afterwards.
func (c *Conn) Retire() error {
	file, err := c.end()
	if file == nil {
		return err
	}
	return c.of.reaper.take(int(c.fd), file)
}

// end makes c closed. It closes a descriptor of which the poller does not know; else it returns the file, to be closed.
func (c *Conn) end() (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Swap(true) {
		return nil, net.ErrClosed
	}
	if file := c.file.Load(); file != nil {
		return file, nil
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(c.fd), 0, 0)
	if errno != 0 && errno != syscall.EINTR { // after which it is closed as well
		return nil, os.NewSyscallError("close", errno)
	}
	return nil, nil
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
	var failed error
	if err := (*rawConn)(c).Control(func(fd uintptr) { failed = call(fd) }); err != nil {
		return c.failed(err)
	}
	return os.NewSyscallError(name, failed)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.limit((*os.File).SetDeadline, t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.limit((*os.File).SetReadDeadline, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.limit((*os.File).SetWriteDeadline, t) }

func (c *Conn) limit(set func(*os.File, time.Time) error, t time.Time) error {
	file, err := c.poll()
	if err != nil {
		return err
	}
	return c.failed(set(file, t))
}

// endpoint is one side's address as a net.Addr.
type endpoint netip.AddrPort

// Network implements net.Addr.
func (*endpoint) Network() string { return "tcp" }

// String implements net.Addr.
func (e *endpoint) String() string { return netip.AddrPort(*e).String() }

// AddrPort gives the address as net.TCPAddr does.
func (e *endpoint) AddrPort() netip.AddrPort { return netip.AddrPort(*e) }
