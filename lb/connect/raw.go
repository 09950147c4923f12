package connect

import (
	"net/netip"
	"syscall"
	"unsafe"
)

// The system calls here do not block, and are not announced to the scheduler as
// those of package syscall are: that wakes the runtime's monitor thread, which
// then costs more than the calls.

// sockaddr is an address as the system takes it.
type sockaddr struct {
	family int
	v4     syscall.RawSockaddrInet4
	v6     syscall.RawSockaddrInet6
}

// sockaddrOf makes one of an address without a zone.
func sockaddrOf(to netip.AddrPort) *sockaddr {
	port := to.Port()<<8 | to.Port()>>8 // in network order
	if addr := to.Addr().Unmap(); addr.Is4() {
		return &sockaddr{family: syscall.AF_INET, v4: syscall.RawSockaddrInet4{Family: syscall.AF_INET, Port: port, Addr: addr.As4()}}
	}
	return &sockaddr{family: syscall.AF_INET6, v6: syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Port: port, Addr: to.Addr().As16()}}
}

// connect begins to connect a non-blocking socket, or asks what has come of it:
// EINPROGRESS while nothing has.
func (sa *sockaddr) connect(fd int) error {
	p, size := unsafe.Pointer(&sa.v4), unsafe.Sizeof(sa.v4)
	if sa.family == syscall.AF_INET6 {
		p, size = unsafe.Pointer(&sa.v6), unsafe.Sizeof(sa.v6)
	}
	switch _, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(p), size); errno {
	case 0, syscall.EISCONN:
		return nil
	case syscall.EALREADY, syscall.EINTR:
		return syscall.EINPROGRESS
	default:
		return errno
	}
}

// setNoDelay lets small writes leave at once.
func setNoDelay(fd int) error {
	on := int32(1)
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY,
		uintptr(unsafe.Pointer(&on)), unsafe.Sizeof(on), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// closeNow closes a descriptor that the runtime does not know.
func closeNow(fd int) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 && errno != syscall.EINTR {
		return errno
	}
	return nil
}
