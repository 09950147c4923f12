package connect

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// tcpConn is a connection made by dialTCP. It costs half of what one of package
// net does, which asks for both addresses and guards each wait by a goroutine.
type tcpConn struct {
	*os.File
	peer netip.AddrPort
}

var _ net.Conn = (*tcpConn)(nil)

// RemoteAddr implements net.Conn.
func (c *tcpConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

// LocalAddr implements net.Conn.
func (c *tcpConn) LocalAddr() net.Addr {
	var at netip.AddrPort
	_ = c.control(func(fd int) error { // fails only on a closed connection
		at = localAddr(fd)
		return nil
	})
	return net.TCPAddrFromAddrPort(at)
}

// CloseWrite ends the sending side.
func (c *tcpConn) CloseWrite() error {
	return c.control(func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) })
}

// control makes a system call on the descriptor while it cannot be closed.
func (c *tcpConn) control(call func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// dialTCP connects to an address without a zone before ctx ends. Errors are
// those of the system, os.ErrDeadlineExceeded, or that of ctx.
func dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	family, sa := sockaddr(to)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = connectOnce(fd, sa)
	if err != nil && err != syscall.EINPROGRESS {
		_ = syscall.Close(fd) // never used
		return nil, err
	}
	c := &tcpConn{File: os.NewFile(uintptr(fd), "connection"), peer: to}
	if err == syscall.EINPROGRESS {
		err = c.await(ctx, sa)
	}
	if err == nil {
		err = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	if err == nil && to.Addr().IsLoopback() && localAddr(fd) == to {
		err = syscall.ECONNREFUSED // nobody listens: by chance it has connected to itself
	}
	if err != nil {
		_ = c.Close() // the first error tells more
		return nil, err
	}
	return c, nil
}

// connectOnce begins to connect, or asks what has come of it: EINPROGRESS while
// nothing has.
func connectOnce(fd int, sa syscall.Sockaddr) error {
	switch err := syscall.Connect(fd, sa); err {
	case syscall.EISCONN:
		return nil
	case syscall.EALREADY, syscall.EINTR:
		return syscall.EINPROGRESS
	default:
		return err
	}
}

// await waits until the connection is there. Often it is at once, and then
// there is nothing to guard.
func (c *tcpConn) await(ctx context.Context, sa syscall.Sockaddr) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var state error
	var end func() bool // of the guard
	waiting := raw.Write(func(fd uintptr) bool {
		if state = connectOnce(int(fd), sa); state != syscall.EINPROGRESS {
			return true
		}
		if end == nil {
			end = context.AfterFunc(ctx, c.expire)
		}
		return false
	})
	if end != nil && !end() { // time is over, even if the socket came first
		return ctx.Err()
	}
	if waiting != nil {
		return waiting
	}
	return state
}

// expire ends a wait for the connection.
func (c *tcpConn) expire() {
	_ = c.SetWriteDeadline(time.Unix(1, 0)) // fails only on a closed connection
}

// sockaddr is an address as the system takes it.
func sockaddr(to netip.AddrPort) (family int, sa syscall.Sockaddr) {
	if addr := to.Addr().Unmap(); addr.Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: addr.As4()}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// localAddr is this side's address; invalid where there is none.
func localAddr(fd int) netip.AddrPort {
	sa, _ := syscall.Getsockname(fd) // nil on an error
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
