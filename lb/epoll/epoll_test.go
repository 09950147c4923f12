package epoll_test

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/epoll"
)

// patience is more than a busy machine needs for anything here.
const patience = 20 * time.Second

// pipe returns the ends of a pipe, of which Go's poller does not know.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = syscall.Close(fds[0]), syscall.Close(fds[1]) })
	return fds[0], fds[1]
}

// waiting is an instance somebody waits for.
type waiting struct {
	*epoll.Instance
	seen  chan int32
	ended chan error
}

func open(t *testing.T) *waiting {
	t.Helper()
	i, err := epoll.Open()
	if err != nil {
		t.Fatal(err)
	}
	w := &waiting{Instance: i, seen: make(chan int32, 1000), ended: make(chan error, 1)}
	w.wait()
	return w
}

func (w *waiting) wait() {
	go func() {
		w.ended <- w.Wait(func(fds []int32) {
			for _, fd := range fds {
				w.seen <- fd
			}
		})
	}()
}

func (w *waiting) next(t *testing.T) int32 {
	t.Helper()
	select {
	case fd := <-w.seen:
		return fd
	case <-time.After(patience):
		t.Fatal("no event")
		return 0
	}
}

func (w *waiting) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-w.ended:
		return err
	case <-time.After(patience):
		t.Fatal("Wait goes on")
		return nil
	}
}

func put(t *testing.T, fd int) {
	t.Helper()
	if _, err := syscall.Write(fd, []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	w := open(t)
	defer w.Close()
	before, fillBefore := pipe(t)
	after, fillAfter := pipe(t)
	removed, fillRemoved := pipe(t)
	put(t, fillBefore)
	for _, fd := range []int{before, after, removed} {
		if err := w.Add(fd, epoll.Readable|epoll.Once); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.next(t); got != int32(before) {
		t.Errorf("first %d, want %d, which was readable before", got, before)
	}
	if err := w.Remove(removed); err != nil {
		t.Error(err)
	}
	put(t, fillRemoved)
	put(t, fillBefore) // which was told once
	put(t, fillAfter)
	if got := w.next(t); got != int32(after) {
		t.Errorf("second %d, want %d", got, after)
	}
	if err := w.Remove(removed); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("removed again: %v", err)
	}
	if len(w.seen) > 0 {
		t.Errorf("%d was told, too", <-w.seen)
	}
}

// TestManyAtOnce has more events than one look takes.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	defer w.Close()
	const n = 150
	var want, got []int32
	fill := make([]int, 0, n)
	for range n {
		r, f := pipe(t)
		if err := w.Add(r, epoll.Readable|epoll.Once); err != nil {
			t.Fatal(err)
		}
		want, fill = append(want, int32(r)), append(fill, f)
	}
	for _, f := range fill {
		put(t, f)
	}
	for range n {
		got = append(got, w.next(t))
	}
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

func TestWaitEnds(t *testing.T) {
	t.Parallel()
	w := open(t)
	r, fill := pipe(t)
	if err := errors.Join(w.Add(r, epoll.Readable|epoll.Once), w.SetDeadline(time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	if err := w.end(t); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	put(t, fill) // while nobody waits
	if err := w.SetDeadline(time.Time{}); err != nil {
		t.Error(err)
	}
	w.wait()
	if got := w.next(t); got != int32(r) {
		t.Errorf("told %d, want %d", got, r)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.end(t); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("closed: %v", err)
	}
}
