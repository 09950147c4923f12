// Package epoll waits for many descriptors with one goroutine: an epoll
// instance of its own, for which Go's poller waits like for any descriptor.
// It is for descriptors that Go's poller does not know, or of which something
// is to be known that it does not tell.
package epoll

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// The events of epoll(7) that matter here.
const (
	Readable = syscall.EPOLLIN      // there are bytes, or the end
	HungUp   = syscall.EPOLLRDHUP   // the peer has ended its side, or all of the connection
	Once     = syscall.EPOLLONESHOT // nothing more is told after the first event
)

// Instance is an epoll instance. Add and Remove may be called from any
// goroutine, but not after Close.
type Instance struct {
	file *os.File // of which Go's poller knows
	raw  syscall.RawConn
	fd   int
}

// Open makes an instance. It holds one descriptor until Close.
func Open() (*Instance, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that package os makes Go's poller know it
		return nil, errors.Join(err, syscall.Close(fd))
	}
	i := &Instance{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	if i.raw, err = i.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, i.file.Close())
	}
	return i, nil
}

// Add begins to watch a descriptor. Closing the descriptor ends that, too.
func (i *Instance) Add(fd int, events uint32) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(i.fd, syscall.EPOLL_CTL_ADD, fd, &event))
}

// Remove ends the watching of a descriptor. Events of it that Wait has been
// given already may still come.
func (i *Instance) Remove(fd int) error {
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(i.fd, syscall.EPOLL_CTL_DEL, fd, nil))
}

// Wait gives what happens to take, until Close or the deadline (which is
// os.ErrDeadlineExceeded). One goroutine at a time may wait. The list is void
// when take returns.
func (i *Instance) Wait(take func(fds []int32)) error {
	var events [64]syscall.EpollEvent
	var fds [64]int32
	var failed error
	err := i.raw.Read(func(fd uintptr) bool {
		for {
			n, errno := ready(fd, &events)
			if errno != 0 {
				failed = os.NewSyscallError("epoll_wait", errno)
				return true
			}
			for k := range n {
				fds[k] = events[k].Fd
			}
			if n > 0 {
				take(fds[:n])
			}
			if n < len(events) { // that was all; what comes from now on causes an event of the instance
				return false
			}
		}
	})
	return errors.Join(err, failed)
}

// ready is epoll_wait(2) without waiting, so that the scheduler need not know.
func ready(fd uintptr, events *[64]syscall.EpollEvent) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(events)), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// SetDeadline ends a Wait, this one or the next, at a time; none for the zero
// time. It may be called from any goroutine.
func (i *Instance) SetDeadline(t time.Time) error { return i.file.SetReadDeadline(t) }

// Close ends Wait and all watching.
func (i *Instance) Close() error { return i.file.Close() }
