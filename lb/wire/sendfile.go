package wire

import (
	"io"
	"os"
	"runtime"
	"syscall"
)

// SendFile moves n bytes of a file to the peer without copying them through
// the process; moved is how many went.
func (s *Socket) SendFile(f *os.File, offset, n int64) (moved int64, err error) {
	const piece = 1 << 20 // between two looks at the clock
	for moved < n && err == nil {
		if err := s.armWrite(); err != nil {
			return moved, err
		}
		var m int
		var failed error
		err = s.raw.Write(func(fd uintptr) bool {
			m, failed = sendFile(int(fd), f, offset+moved, int(min(n-moved, piece)))
			return failed != syscall.EAGAIN
		})
		moved += int64(m)
		switch {
		case err != nil:
			err = timedOut(s.failed(err))
		case failed != nil:
			err = os.NewSyscallError("sendfile", failed)
		case m == 0:
			err = io.ErrUnexpectedEOF
		}
	}
	return moved, err
}

// sendFile makes one system call, which may wait for the disk and therefore
// is announced to the scheduler.
func sendFile(socket int, f *os.File, offset int64, n int) (int, error) {
	defer runtime.KeepAlive(f)
	for {
		m, err := syscall.Sendfile(socket, int(f.Fd()), &offset, n)
		if err != syscall.EINTR {
			return max(m, 0), err
		}
	}
}
