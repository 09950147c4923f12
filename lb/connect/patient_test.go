package connect

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience: a patient connection looks after growing pauses, for the last
// time when its time is over, and no more once it is closed.
func TestPatience(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		limit   time.Duration // 0: none
		change  func(c *patientConn)
		comes   int // the look that finds what it waits for
		want    []int
		wantErr error
	}{
		{"at once", 0, nil, 1, []int{0}, nil},
		{"late", 0, nil, 5, []int{0, 4, 12, 28, 60}, nil},
		{"with time left", time.Second, nil, 4, []int{0, 4, 12, 28}, nil},
		{"in time", 10 * time.Millisecond, nil, 3, []int{0, 4, 10}, nil},
		{"too late", 10 * time.Millisecond, nil, 9, []int{0, 4, 10}, os.ErrDeadlineExceeded},
		{"without time", -1, nil, 1, nil, os.ErrDeadlineExceeded},
		{"interrupted", time.Second, func(c *patientConn) { _ = c.SetDeadline(time.Unix(1, 0)) }, 9, []int{0, 4, 12}, os.ErrDeadlineExceeded},
		{"given time", 10 * time.Millisecond, func(c *patientConn) { _ = c.SetReadDeadline(time.Time{}) }, 4, []int{0, 4, 10, 26}, nil},
		{"closed", 0, func(c *patientConn) { _ = c.Close() }, 9, []int{0, 4}, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, _ := patientPair(t)
				start := time.Now()
				if c.limit != 0 {
					p.read = start.Add(c.limit)
				}
				if c.change != nil {
					time.AfterFunc(5*time.Millisecond, func() { c.change(p) })
				}
				var looks []int
				err := patientRaw{p}.Read(func(uintptr) bool {
					looks = append(looks, int(time.Since(start).Milliseconds()))
					return len(looks) == c.comes
				})
				if !slices.Equal(looks, c.want) || err != c.wantErr {
					t.Errorf("looks after %v ms, %v; want %v, %v", looks, err, c.want, c.wantErr)
				}
			})
		})
	}
}

// patientPair returns a patient connection and the descriptor of its other end.
func patientPair(t *testing.T) (c *patientConn, other int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = &patientConn{fd: fds[0]}
	t.Cleanup(func() {
		_ = c.Close() // the test may have done so
		if err := syscall.Close(fds[1]); err != nil {
			t.Error(err)
		}
	})
	return c, fds[1]
}

// TestPatientClose: a descriptor that a call has in hand is closed when the call
// is over, and in any case once.
func TestPatientClose(t *testing.T) {
	t.Parallel()
	c, other := patientPair(t)
	open := func() bool {
		_, err := syscall.Write(other, []byte("x"))
		return err == nil
	}
	err := patientRaw{c}.Control(func(uintptr) {
		if err := c.Close(); err != nil || !open() {
			t.Errorf("closed while it is in use: %v", err)
		}
	})
	if err != nil || open() {
		t.Errorf("still open: %v", err)
	}
	_, writeErr := c.Write([]byte("x"))
	_, readErr := c.Read(make([]byte, 1))
	for _, err := range []error{c.Close(), c.CloseWrite(), c.SetDeadline(time.Time{}), writeErr, readErr, patientRaw{c}.Write(nil)} {
		if err != net.ErrClosed {
			t.Errorf("after it was closed: %v", err)
		}
	}
}

// TestPatienceEnds: after looks in vain the runtime waits, with the limits that
// were set before and those that come.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	c, other := patientPair(t)
	if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var got int
	ready := func(fd uintptr) bool {
		p := make([]byte, 9)
		var err error
		got, err = syscall.Read(int(fd), p)
		return err != syscall.EAGAIN
	}
	var sent sync.WaitGroup
	sent.Go(func() {
		for !c.introduced() {
			runtime.Gosched()
		}
		_, _ = syscall.Write(other, []byte("late"))
	})
	if err := (patientRaw{c}).Read(ready); err != nil || got != 4 {
		t.Errorf("%d bytes, %v", got, err)
	}
	sent.Wait()
	if n, err := c.Write([]byte("more")); n != 4 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Error(err)
	}
	if err := (patientRaw{c}).Read(ready); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("without time: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func (c *patientConn) introduced() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known != nil
}
