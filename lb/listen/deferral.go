package listen

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/weir-lb/weir/lb/epoll"
)

// deferFor is how long a connection waits for its first bytes before it is handed over without; it may be twice as long.
const deferFor = 100 * time.Millisecond

// deferral holds accepted connections back until their first bytes are here, as TCP_DEFER_ACCEPT does in the kernel, but without
// any difference to the client. The first request comes moments after its connection: who gets the connection then can serve it
// at once. Waiting here costs one epoll_ctl for each connection; in Go's poller it costs more than twice that, and memory.
type deferral struct {
	handle func(net.Conn, *Socket)
	epoll  *epoll.Instance

	handing sync.Mutex // held while connections are handed over, so that flush can promise that none is later

	mu    sync.Mutex         // never held while a connection is handed over
	young map[int32]deferred // by descriptor: those that came since the last look
	old   map[int32]deferred // those that came before it
	timed bool               // a look is due
	ended bool
}

// deferred is a connection that is held back.
type deferred struct {
	conn   *Conn
	socket *Socket
}

func newDeferral(handle func(net.Conn, *Socket)) (*deferral, error) {
	instance, err := epoll.Open()
	if err != nil {
		return nil, err
	}
	d := &deferral{handle: handle, epoll: instance, young: map[int32]deferred{}, old: map[int32]deferred{}}
	go d.run()
	return d, nil
}

// take hands a connection over, at once if its first bytes are here or cannot be waited for.
func (d *deferral) take(conn net.Conn, s *Socket) {
	if c, ok := conn.(*Conn); !ok || !c.silent() || !d.add(c, s) {
		d.handle(conn, s)
	}
}

// add holds a connection back; false: it cannot.
func (d *deferral) add(c *Conn, s *Socket) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || !d.setLook() || d.epoll.Add(int(c.fd), epoll.Readable|epoll.HungUp|epoll.Once) != nil { // for want of memory
		return false
	}
	c.deferral, c.since = d, time.Since(c.of.opened)
	d.young[c.fd] = deferred{c, s}
	return true
}

// setLook sets the time of the next look, if none is set.
func (d *deferral) setLook() bool {
	if !d.timed {
		d.timed = d.epoll.SetDeadline(time.Now().Add(deferFor)) == nil
	}
	return d.timed
}

func (d *deferral) run() {
	for {
		if err := d.epoll.Wait(d.arrived); !errors.Is(err, os.ErrDeadlineExceeded) {
			return // it was closed
		}
		d.look()
	}
}

// arrived hands connections over that have bytes.
func (d *deferral) arrived(fds []int32) {
	d.handing.Lock()
	defer d.handing.Unlock()
	for _, fd := range fds {
		if one, ok := d.remove(fd); ok { // else it was handed over meanwhile
			d.handle(one.conn, one.socket)
		}
	}
}

// remove takes a connection out of those that are held back; false if it is none of them.
func (d *deferral) remove(fd int32) (deferred, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := d.young
	one, ok := from[fd]
	if !ok {
		from = d.old
		one, ok = from[fd]
	}
	delete(from, fd)
	return one, ok
}

// look hands over those that were there at the last look already.
func (d *deferral) look() {
	d.handing.Lock()
	defer d.handing.Unlock()
	for _, one := range d.turn() {
		d.handle(one.conn, one.socket)
	}
}

// turn returns what is old and makes old what is young.
func (d *deferral) turn() map[int32]deferred {
	d.mu.Lock()
	defer d.mu.Unlock()
	late := d.old
	d.old, d.young, d.timed = d.young, map[int32]deferred{}, false
	if len(d.old) > 0 {
		d.setLook()
	} else {
		_ = d.epoll.SetDeadline(time.Time{}) // fails only when it is closed
	}
	return late
}

// flush hands over all that are held back. If nothing is accepted meanwhile, nothing is handed over later.
func (d *deferral) flush() {
	d.handing.Lock()
	defer d.handing.Unlock()
	for range 2 {
		for _, one := range d.turn() {
			d.handle(one.conn, one.socket)
		}
	}
}

// end is flush for good.
func (d *deferral) end() error {
	d.flush()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return nil
	}
	d.ended = true
	return d.epoll.Close()
}

// forget ends the watching of a connection that was held back, because Go's poller watches it from now on.
func (d *deferral) forget(fd int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ended {
		_ = d.epoll.Remove(int(fd)) // cannot fail: it was added
	}
}

// silent tells that a connection is open and nothing has been received on it.
func (c *Conn) silent() bool {
	var one byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&one)), 1,
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return errno == syscall.EAGAIN
}
