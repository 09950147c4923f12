package connect

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// tcpSocket is a connection on its way from dialTCP.
type tcpSocket interface {
	net.Conn
	syscall.Conn
}

// tcpConn is a connection made by dialTCP. It costs half of what one of package
// net does, which asks for both addresses and guards each wait by a goroutine.
type tcpConn struct {
	*os.File
	peer netip.AddrPort
}

var _ tcpSocket = (*tcpConn)(nil)

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
func dialTCP(ctx context.Context, to netip.AddrPort, patient bool) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sa := sockaddrOf(to)
	fd, err := syscall.Socket(sa.family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = sa.connect(fd)
	if err != nil && err != syscall.EINPROGRESS {
		_ = closeNow(fd) // never used
		return nil, err
	}
	var c tcpSocket
	if patient {
		by, _ := ctx.Deadline() // for await, since its guard is noticed late
		c = &patientConn{fd: fd, peer: to, write: by}
	} else {
		c = newTCPConn(fd, to)
	}
	if err == syscall.EINPROGRESS {
		err = await(ctx, c, sa)
	}
	if err == nil {
		err = setNoDelay(fd)
	}
	if err == nil && to.Addr().IsLoopback() && localAddr(fd) == to {
		err = syscall.ECONNREFUSED // nobody listens: by chance it has connected to itself
	}
	if err == nil && patient {
		err = c.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		_ = c.Close() // the first error tells more
		return nil, err
	}
	return c, nil
}

// newTCPConn hands a descriptor over to the runtime's poller.
func newTCPConn(fd int, peer netip.AddrPort) *tcpConn {
	return &tcpConn{File: os.NewFile(uintptr(fd), "connection"), peer: peer}
}

// await waits until the connection is there. Often it is at once, and then
// there is nothing to guard.
func await(ctx context.Context, c tcpSocket, sa *sockaddr) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var state error
	var end func() bool // of the guard
	waiting := raw.Write(func(fd uintptr) bool {
		if state = sa.connect(int(fd)); state != syscall.EINPROGRESS {
			return true
		}
		if end == nil {
			end = context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) }) // fails only on a closed connection
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
