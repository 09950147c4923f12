package wire

import (
	"syscall"
	"unsafe"
)

// OpenWindow lets the peer send n bytes before any are read, so that a long
// message comes without a wait for news of room. For a socket that is to wake
// its reader only once so much is there (SO_RCVLOWAT) the kernel makes room for
// as much, and goes on to enlarge it by itself, which it does no more after
// SO_RCVBUF; then the mark is put back. Where the kernel does not do so,
// messages come as without it.
func (s *Socket) OpenWindow(n int) {
	_ = s.raw.Control(func(fd uintptr) { // fails only on a closed connection
		if setLowMark(fd, n) == nil {
			_ = setLowMark(fd, 1) // as it was, which cannot fail where the larger one did not
		}
	})
}

// setLowMark sets from how many bytes on a socket is readable. It does not
// block, and is not announced to the scheduler.
func setLowMark(fd uintptr, n int) error {
	mark := int32(n)
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT,
		uintptr(unsafe.Pointer(&mark)), unsafe.Sizeof(mark), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
