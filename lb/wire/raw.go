package wire

import (
	"io"
	"syscall"
	"time"
	"unsafe"
)

var started = time.Now()

// Now is a monotonic clock in nanoseconds; only differences mean anything.
func Now() int64 { return int64(time.Since(started)) }

// recvfrom and sendto take a shorter way through the kernel than read and
// write, which serve all kinds of files.

// ReadNow reads what is there without waiting. The error is syscall.EAGAIN
// when there is nothing and io.EOF when the peer has ended its side.
func ReadNow(fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		}
		return int(n), nil
	}
}

// WriteNow writes what the socket takes without waiting. The error is
// syscall.EAGAIN when it takes nothing.
func WriteNow(fd uintptr, p []byte) (int, error) { return writeNow(fd, p, syscall.MSG_NOSIGNAL) }

func writeNow(fd uintptr, p []byte, flags uintptr) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), flags, 0, 0)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return 0, errno
		}
		return int(n), nil
	}
}

// peekNow tells the state of a socket from which nothing is expected: nil
// when it is silent and open, io.EOF when the peer has ended its side, and
// errUnexpected when bytes are waiting.
func peekNow(fd uintptr) error {
	var one [1]byte
	return peekInto(fd, &one)
}

func peekInto(fd uintptr, one *[1]byte) error {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(one)), 1,
			syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return nil
		case errno != 0:
			return errno
		case n == 0:
			return io.EOF
		}
		return errUnexpected
	}
}
