package wire

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// Watcher notices peers that hang up while nobody reads from them. One serves
// a whole process part; it costs one descriptor, one goroutine, and nothing
// for connections that are not watched.
type Watcher struct {
	file  *os.File // the epoll descriptor, itself polled by the runtime
	epoll int

	mu      sync.Mutex
	watched map[int32]func()
}

// NewWatcher starts a watcher; Close ends it.
func NewWatcher() (*Watcher, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	w := &Watcher{file: os.NewFile(uintptr(fd), "epoll"), epoll: fd, watched: map[int32]func(){}}
	raw, err := w.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	go w.run(raw)
	return w, nil
}

// Close ends the watcher; nothing is called after it has returned.
func (w *Watcher) Close() error {
	w.mu.Lock()
	clear(w.watched)
	w.mu.Unlock()
	return w.file.Close()
}

// Watch calls gone, once, when the peer of s ends its side or resets the
// connection, at once if it has done so already. gone must not block; it never
// runs after Unwatch has returned.
func (w *Watcher) Watch(s *Socket, gone func()) error {
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.watched[int32(fd)] = gone
		event := syscall.EpollEvent{Events: syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(fd)}
		if failed = syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_ADD, int(fd), &event); failed != nil {
			delete(w.watched, int32(fd))
		}
	})
	return errors.Join(err, failed)
}

// Unwatch ends a Watch.
func (w *Watcher) Unwatch(s *Socket) {
	_ = s.raw.Control(func(fd uintptr) { // fails only when s is closed, which ended the watch
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.watched, int32(fd))
		_ = syscall.EpollCtl(w.epoll, syscall.EPOLL_CTL_DEL, int(fd), nil)
	})
}

func (w *Watcher) run(raw syscall.RawConn) {
	events := make([]syscall.EpollEvent, 64)
	_ = raw.Read(func(fd uintptr) bool { // ends when Close does
		for {
			n, err := syscall.EpollWait(int(fd), events, 0)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || n <= 0 {
				return err != nil
			}
			w.call(events[:n])
		}
	})
}

// call runs the callbacks under the lock, so that Unwatch can promise that
// none runs later.
func (w *Watcher) call(events []syscall.EpollEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range events {
		if gone := w.watched[events[i].Fd]; gone != nil {
			delete(w.watched, events[i].Fd)
			gone()
		}
	}
}
