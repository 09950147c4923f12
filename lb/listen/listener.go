package listen

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// listener is a listening descriptor. It does what those of package net do at less cost: the calls that cannot block are not
// announced to the scheduler, the client's address is taken from accept4 itself, and the local one is asked for only where the
// socket is bound to a wildcard. One goroutine at a time may accept.
type listener struct {
	addr     net.Addr
	local    endpoint // bound to; invalid where each connection has its own, and for unix sockets
	wildcard bool
	file     *os.File
	raw      syscall.RawConn
	reaper   *reaper
	opened   time.Time
	closed   atomic.Bool

	drained func() // called before Accept waits; nil: nothing is

	take func(fd uintptr) bool // l.takeOne, bound once
	fd   int                   // what it found
	err  error
	from syscall.RawSockaddrAny
}

// adopt turns a listener of package net into one of ours. The given one is closed in any case.
func adopt(ln net.Listener, r *reaper) (*listener, error) {
	l := &listener{addr: ln.Addr(), reaper: r, opened: time.Now()}
	if unix, ok := ln.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // the set decides, since a successor process may go on using the path
	}
	if tcp, ok := l.addr.(*net.TCPAddr); ok {
		l.local = endpoint(unmapped(tcp.AddrPort()))
		l.wildcard = l.local.AddrPort().Addr().IsUnspecified()
	}
	file, err := ln.(interface{ File() (*os.File, error) }).File() // a duplicate
	if err := errors.Join(err, ln.Close()); err != nil {
		return nil, err
	}
	l.file, l.take = file, l.takeOne
	if l.raw, err = file.SyscallConn(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// Close implements net.Listener.
func (l *listener) Close() error {
	l.closed.Store(true)
	return l.file.Close()
}

// SetDeadline ends a wait for connections at t.
func (l *listener) SetDeadline(t time.Time) error { return l.file.SetDeadline(t) }

// SyscallConn implements syscall.Conn.
func (l *listener) SyscallConn() (syscall.RawConn, error) { return l.raw, nil }

// File returns a duplicate. Unlike those of package net it can be handed to a process without becoming blocking, which would
// hold for this process, too.
func (l *listener) File() (*os.File, error) {
	fd, errno := uintptr(0), syscall.Errno(0)
	err := l.raw.Control(func(own uintptr) {
		fd, _, errno = syscall.RawSyscall(syscall.SYS_FCNTL, own, syscall.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil && errno != 0 {
		err = os.NewSyscallError("fcntl", errno)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(fd, "listener"), nil
}

// Accept implements net.Listener; the connection is a *Conn.
func (l *listener) Accept() (net.Conn, error) {
	l.err = nil
	if err := l.raw.Read(l.take); err != nil {
		if l.closed.Load() {
			err = net.ErrClosed
		}
		return nil, err
	}
	if l.err != nil { // perhaps for want of descriptors
		return nil, errors.Join(l.err, l.reaper.reap())
	}
	return l.newConn()
}

// takeOne is the callback of Accept. The descriptor is non-blocking, see lane.run.
func (l *listener) takeOne(fd uintptr) bool {
	for {
		size := uint32(unsafe.Sizeof(l.from))
		got, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, fd, uintptr(unsafe.Pointer(&l.from)), uintptr(unsafe.Pointer(&size)),
			syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			l.fd = int(got)
			return true
		case syscall.EAGAIN:
			if l.drained != nil {
				l.drained()
			}
			return false
		case syscall.EINTR, syscall.ECONNABORTED: // the client left while it was queued
		default:
			l.err = os.NewSyscallError("accept4", errno)
			return true
		}
	}
}

func (l *listener) newConn() (*Conn, error) {
	c := &Conn{fd: int32(l.fd), of: l, local: &l.local}
	if l.local.AddrPort().IsValid() {
		c.remote = endpoint(addrPortOf(&l.from))
	}
	if l.wildcard {
		size := uint32(unsafe.Sizeof(l.from))
		if _, _, errno := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, uintptr(l.fd), uintptr(unsafe.Pointer(&l.from)),
			uintptr(unsafe.Pointer(&size))); errno != 0 {
			return nil, errors.Join(os.NewSyscallError("getsockname", errno), syscall.Close(l.fd))
		}
		reached := endpoint(addrPortOf(&l.from))
		c.local = &reached
	}
	return c, nil
}

// setNonblock makes sure of what takeOne relies on, which another owner of the same socket could have changed.
func setNonblock(ln net.Listener) error {
	conn, ok := ln.(*listener)
	if !ok {
		return nil // a listener without a descriptor, as tests use
	}
	var set error
	err := conn.raw.Control(func(fd uintptr) { set = syscall.SetNonblock(int(fd), true) })
	return errors.Join(err, set)
}

// addrPortOf reads an internet address as the kernel writes it; IPv4 in the form of IPv6 is read as IPv4.
func addrPortOf(sa *syscall.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case syscall.AF_INET:
		in := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), portOf(&in.Port))
	case syscall.AF_INET6:
		in := (*syscall.RawSockaddrInet6)(unsafe.Pointer(sa))
		addr := netip.AddrFrom16(in.Addr).Unmap()
		if in.Scope_id != 0 {
			addr = addr.WithZone(zoneName(int(in.Scope_id)))
		}
		return netip.AddrPortFrom(addr, portOf(&in.Port))
	}
	return netip.AddrPort{}
}

// portOf reads a port, which lies in network order.
func portOf(port *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(port))
	return uint16(b[0])<<8 | uint16(b[1])
}

// zoneName is the name of an interface, or its number where it is gone.
func zoneName(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
