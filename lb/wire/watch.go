package wire

import (
	"errors"
	"sync"

	"github.com/weir-lb/weir/lb/epoll"
)

// Watcher notices peers that hang up while nobody reads from them. One serves
// a whole process part; it costs one descriptor, one goroutine, and nothing
// for connections that are not watched.
type Watcher struct {
	epoll *epoll.Instance

	mu      sync.Mutex
	watched map[int32]func()
}

// NewWatcher starts a watcher; Close ends it.
func NewWatcher() (*Watcher, error) {
	instance, err := epoll.Open()
	if err != nil {
		return nil, err
	}
	w := &Watcher{epoll: instance, watched: map[int32]func(){}}
	go func() { _ = instance.Wait(w.call) }() // until Close
	return w, nil
}

// Close ends the watcher; nothing is called after it has returned.
func (w *Watcher) Close() error {
	w.mu.Lock()
	clear(w.watched)
	w.mu.Unlock()
	return w.epoll.Close()
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
		if failed = w.epoll.Add(int(fd), epoll.HungUp|epoll.Once); failed != nil {
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
		_ = w.epoll.Remove(int(fd)) // fails only where Watch has failed
	})
}

// call runs the callbacks under the lock, so that Unwatch can promise that
// none runs later.
func (w *Watcher) call(fds []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fd := range fds {
		if gone := w.watched[fd]; gone != nil {
			delete(w.watched, fd)
			gone()
		}
	}
}
