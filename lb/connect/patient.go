package connect

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// The pauses between the looks of a patient connection double from the first to
// the last, so that what it hears of is about twice as old as the exchange was
// long at most.
const (
	firstPause = 4 * time.Millisecond
	lastPause  = 64 * time.Millisecond
)

// patientConn is a TCP connection on which nobody is in a hurry. It looks by
// itself whether what it waits for has come, with growing pauses, and only after
// some looks in vain does it ask the runtime to wake it. Until then it costs no
// registration with the poller and no timers, and many that begin together wake
// the process together. That is a third of what a short exchange costs otherwise.
type patientConn struct {
	peer netip.AddrPort

	mu          sync.Mutex
	fd          int
	users       int  // calls that have fd in hand
	closed      bool // the last of them closes it
	read, write time.Time
	known       *tcpConn // to the runtime, which has fd from then on
}

var _ tcpSocket = (*patientConn)(nil)

// RemoteAddr implements net.Conn.
func (c *patientConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

// LocalAddr implements net.Conn.
func (c *patientConn) LocalAddr() net.Addr {
	var at netip.AddrPort
	_ = patientRaw{c}.Control(func(fd uintptr) { at = localAddr(int(fd)) }) // fails only on a closed connection
	return net.TCPAddrFromAddrPort(at)
}

// Read implements net.Conn, without patience.
func (c *patientConn) Read(p []byte) (int, error) {
	known, err := c.introduce()
	if err != nil {
		return 0, err
	}
	return known.Read(p)
}

// Write implements net.Conn, without patience.
func (c *patientConn) Write(p []byte) (int, error) {
	known, err := c.introduce()
	if err != nil {
		return 0, err
	}
	return known.Write(p)
}

// CloseWrite ends the sending side.
func (c *patientConn) CloseWrite() error {
	var failed error
	if err := (patientRaw{c}).Control(func(fd uintptr) { failed = syscall.Shutdown(int(fd), syscall.SHUT_WR) }); err != nil {
		return err
	}
	return failed
}

// Close implements net.Conn. A wait for the connection ends at its next look.
func (c *patientConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	return c.shut()
}

// shut closes what is closed and not in use. c.mu is held.
func (c *patientConn) shut() error {
	switch {
	case !c.closed || c.users > 0:
		return nil
	case c.known != nil:
		return c.known.Close()
	}
	return closeNow(c.fd)
}

// SetDeadline implements net.Conn.
func (c *patientConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *patientConn) SetReadDeadline(t time.Time) error {
	return c.limit(&c.read, t, (*os.File).SetReadDeadline)
}

// SetWriteDeadline implements net.Conn.
func (c *patientConn) SetWriteDeadline(t time.Time) error {
	return c.limit(&c.write, t, (*os.File).SetWriteDeadline)
}

// limit sets a deadline, once the runtime has it with its function set.
func (c *patientConn) limit(own *time.Time, t time.Time, set func(*os.File, time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	*own = t
	if c.known == nil {
		return nil
	}
	return set(c.known.File, t)
}

// introduce makes the connection known to the runtime.
func (c *patientConn) introduce() (*tcpConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	if c.known != nil {
		return c.known, nil
	}
	c.known = newTCPConn(c.fd, c.peer)
	if !c.read.IsZero() {
		if err := c.known.SetReadDeadline(c.read); err != nil {
			return nil, err
		}
	}
	if !c.write.IsZero() {
		if err := c.known.SetWriteDeadline(c.write); err != nil {
			return nil, err
		}
	}
	return c.known, nil
}

// SyscallConn implements syscall.Conn.
func (c *patientConn) SyscallConn() (syscall.RawConn, error) { return patientRaw{c}, nil }

// patientRaw is the raw connection of a patientConn.
type patientRaw struct{ *patientConn }

// Control implements syscall.RawConn.
func (r patientRaw) Control(f func(fd uintptr)) error {
	_, err := r.look(func(fd uintptr) bool { f(fd); return true })
	return err
}

// Read implements syscall.RawConn.
func (r patientRaw) Read(ready func(fd uintptr) bool) error {
	return r.wait(&r.read, ready, syscall.RawConn.Read)
}

// Write implements syscall.RawConn.
func (r patientRaw) Write(ready func(fd uintptr) bool) error {
	return r.wait(&r.write, ready, syscall.RawConn.Write)
}

// wait waits until ready is content, or for a limit, patiently at first. What
// came in the last pause before the limit has come in time.
func (c *patientConn) wait(limit *time.Time, ready func(fd uintptr) bool, woken func(syscall.RawConn, func(fd uintptr) bool) error) error {
	known, err := c.rest(limit, 0)
	for pause := firstPause; err == nil && !known && pause <= lastPause; pause *= 2 {
		if done, err := c.look(ready); done || err != nil {
			return err
		}
		known, err = c.rest(limit, pause)
	}
	if err != nil {
		return err
	}
	file, err := c.introduce()
	if err != nil {
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return woken(raw, ready)
}

// rest lets a pause pass, or what is left to a limit. It tells whether that has
// passed before, and whether the runtime is the one to wait.
func (c *patientConn) rest(limit *time.Time, pause time.Duration) (known bool, err error) {
	c.mu.Lock()
	by, known, closed := *limit, c.known != nil, c.closed
	c.mu.Unlock()
	if closed {
		return false, net.ErrClosed
	}
	if known { // it has the limits, too
		return true, nil
	}
	if !by.IsZero() {
		left := time.Until(by)
		if left <= 0 {
			return false, os.ErrDeadlineExceeded
		}
		pause = min(pause, left)
	}
	time.Sleep(pause)
	return false, nil
}

// look has f work on the descriptor, which stays open meanwhile.
func (c *patientConn) look(f func(fd uintptr) bool) (done bool, err error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false, net.ErrClosed
	}
	c.users++
	c.mu.Unlock()
	done = f(uintptr(c.fd))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	return done, c.shut()
}
