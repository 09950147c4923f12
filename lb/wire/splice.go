package wire

import (
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// pipe is a kernel buffer between two sockets: bytes pass through it without
// entering the process.
type pipe struct {
	r, w int
	held int // bytes inside
}

// pipeSize is what a pipe can hold: large enough that a body of usual size
// takes few turns.
const pipeSize = 256 << 10

var pipes = sync.Pool{New: func() any { return openPipe() }}

// openPipe returns nil where the process has no descriptors left.
func openPipe() *pipe {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil
	}
	// An unprivileged process may be over its quota; the default size works too.
	_, _, _ = syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fds[0]), syscall.F_SETPIPE_SZ, pipeSize)
	p := &pipe{r: fds[0], w: fds[1]}
	runtime.SetFinalizer(p, (*pipe).close)
	return p
}

func (p *pipe) close() {
	_ = syscall.Close(p.r) // nothing is held in a pipe that nobody uses
	_ = syscall.Close(p.w)
}

// Flags of splice(2).
const (
	spliceMove     = 1
	spliceNonblock = 2
	spliceMore     = 4
)

// splice moves up to n bytes between two descriptors, one of them a pipe's.
func splice(from, to uintptr, n int, flags uintptr) (int, error) {
	for {
		m, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, from, 0, to, 0, uintptr(n), flags)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return 0, errno
		}
		return int(m), nil
	}
}

// Splicing is how SpliceFrom ended.
type Splicing struct {
	Moved int64 // bytes that reached the peer
	// Rest are bytes that src has delivered and the peer did not take at once;
	// the splicing stopped there. Void at the next use of the socket.
	Rest []byte
	// Source and Peer tell which side failed, if one did.
	Source, Peer error
}

// SpliceFrom moves n bytes that src receives to the peer of s without copying
// them through the process, as long as the peer takes what comes. Between two
// arrivals as much time may pass as patience allows (0: any). Where the kernel
// gives no pipe, nothing is moved and nothing has failed. In a Serve callback
// of s, fd is its descriptor; otherwise it is 0.
func (s *Socket) SpliceFrom(src *Socket, n int64, patience time.Duration, fd uintptr) (done Splicing) {
	p, _ := pipes.Get().(*pipe)
	if p == nil {
		return done
	}
	defer func() {
		if p.held == 0 {
			pipes.Put(p)
		} // else its finalizer closes it with the bytes in it
	}()
	for done.Moved < n {
		src.ReadWithin(Now(), patience)
		if done.Source = src.fillPipe(p, int(min(n-done.Moved, pipeSize))); done.Source != nil {
			return done
		}
		flags := uintptr(spliceMove | spliceNonblock)
		if done.Moved+int64(p.held) < n {
			flags |= spliceMore
		}
		m, err := s.drainPipe(p, fd, flags)
		done.Moved += int64(m)
		if err != nil {
			done.Peer = err
			return done
		}
		if p.held > 0 {
			done.Rest, done.Peer = p.take()
			return done
		}
	}
	return done
}

// take reads what the pipe holds.
func (p *pipe) take() ([]byte, error) {
	buf := make([]byte, p.held)
	n, err := syscall.Read(p.r, buf)
	p.held -= n
	if err == nil && p.held > 0 {
		err = io.ErrUnexpectedEOF
	}
	return buf[:n], err
}

// fillPipe waits for bytes and takes what is there.
func (s *Socket) fillPipe(p *pipe, n int) error {
	var failed error
	err := s.wait(func(fd uintptr) bool {
		m, err := splice(fd, uintptr(p.w), n, spliceMove|spliceNonblock)
		if err == syscall.EAGAIN {
			return false
		}
		p.held += m
		if failed = err; err == nil && m == 0 {
			failed = io.ErrUnexpectedEOF
		}
		return true
	})
	return errors.Join(err, failed)
}

// drainPipe moves into the socket what it takes at once.
func (s *Socket) drainPipe(p *pipe, fd, flags uintptr) (moved int, err error) {
	step := func(fd uintptr) bool {
		for p.held > 0 && err == nil {
			var m int
			m, err = splice(uintptr(p.r), fd, p.held, flags)
			moved, p.held = moved+m, p.held-m
		}
		return true
	}
	if fd != 0 {
		step(fd)
	} else if err := s.raw.Write(step); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return moved, err
	}
	if err == syscall.EAGAIN {
		err = nil
	}
	return moved, err
}
