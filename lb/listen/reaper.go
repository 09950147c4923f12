package listen

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// reapAt is how many closed connections wait for their descriptors to be freed.
const reapAt = 64

// reaper closes connections in two steps. The first is a raw system call that puts the null device in the place of the socket:
// the socket is closed by it, at once. The second frees the descriptor and the runtime's record of it, and is done for many at
// a time. Closing through package os tells the scheduler each time, which wakes the runtime's monitor thread; on a machine that
// serves short connections and is not fully loaded that thread then costs a tenth of the process's time.
type reaper struct {
	null *os.File // nil: there is none, and closing is done in one step

	mu    sync.Mutex
	dead  []*os.File
	spare []*os.File // the room of dead while it is emptied
	ended bool       // nothing is put off any more
}

func newReaper() *reaper {
	null, err := os.Open(os.DevNull)
	if err != nil {
		null = nil // a process without devices closes at the usual cost
	}
	return &reaper{null: null}
}

// take closes the socket of a file whose descriptor is fd.
func (r *reaper) take(fd int, file *os.File) error {
	if r == nil || r.null == nil || !silence(int(r.null.Fd()), fd) {
		return file.Close()
	}
	r.mu.Lock()
	r.dead = append(r.dead, file)
	full := len(r.dead) >= reapAt || r.ended
	r.mu.Unlock()
	if full {
		return r.reap()
	}
	return nil
}

// silence puts the null device in the place of a socket.
func silence(null, fd int) bool {
	for {
		_, _, errno := syscall.RawSyscall(syscall.SYS_DUP3, uintptr(null), uintptr(fd), syscall.O_CLOEXEC)
		if errno != syscall.EINTR && errno != syscall.EBUSY {
			return errno == 0
		}
	}
}

// reap frees the descriptors of connections that are closed.
func (r *reaper) reap() error {
	r.mu.Lock()
	batch := r.dead
	r.dead, r.spare = r.spare, nil
	r.mu.Unlock()
	var errs []error
	for i, file := range batch {
		if err := file.Close(); err != nil {
			errs = append(errs, err)
		}
		batch[i] = nil
	}
	r.mu.Lock()
	r.spare = batch[:0]
	r.mu.Unlock()
	return errors.Join(errs...)
}

// end reaps what there is; connections that are closed later are freed at once.
func (r *reaper) end() error {
	r.mu.Lock()
	r.ended = true
	r.mu.Unlock()
	return r.reap()
}
