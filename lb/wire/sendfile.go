package wire

import (
	"io"
	"os"
	"runtime"
	"syscall"
)

// SendFile sends a head and n bytes of a file behind it, which the kernel moves
// without copying them through the process; sent and moved tell how much of
// each went. In a Serve callback of s, fd is its descriptor; otherwise it is 0.
func (s *Socket) SendFile(fd uintptr, head []byte, f *os.File, offset, n int64) (sent int, moved int64, err error) {
	if fd == 0 {
		if sent, err = s.Write(head); err == nil {
			moved, err = s.sendFileSlowly(f, offset, n)
		}
		return sent, moved, err
	}
	if sent, err = writeNow(fd, head, syscall.MSG_NOSIGNAL|syscall.MSG_MORE); sent < len(head) {
		if err != nil && err != syscall.EAGAIN {
			return sent, 0, err
		}
		if sent, err = s.writeSlowly(head, sent); err != nil {
			return sent, 0, err
		}
	}
	for moved < n {
		m, err := sendFile(int(fd), f, offset+moved, int(min(n-moved, sendPiece)))
		moved += int64(m)
		switch {
		case err == syscall.EAGAIN:
			m, err := s.sendFileSlowly(f, offset+moved, n-moved)
			return sent, moved + m, err
		case err != nil:
			return sent, moved, os.NewSyscallError("sendfile", err)
		case m == 0:
			return sent, moved, io.ErrUnexpectedEOF
		}
	}
	return sent, moved, nil
}

// sendPiece is sent between two looks at the clock.
const sendPiece = 1 << 20

// sendFileSlowly waits for the peer to take the bytes.
func (s *Socket) sendFileSlowly(f *os.File, offset, n int64) (moved int64, err error) {
	for moved < n && err == nil {
		if err := s.armWrite(); err != nil {
			return moved, err
		}
		var m int
		var failed error
		err = s.raw.Write(func(fd uintptr) bool {
			m, failed = sendFile(int(fd), f, offset+moved, int(min(n-moved, sendPiece)))
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
