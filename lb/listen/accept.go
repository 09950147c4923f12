package listen

import (
	"errors"
	"net"
	"os"
	"runtime"
	"time"
)

// acceptPause is how long accepting rests after a failure such as running out of file descriptors. It is nginx's
// accept_mutex_delay.
const acceptPause = 500 * time.Millisecond

// maxArrivals is how many connections are accepted before they are handed over.
const maxArrivals = 64

// arrivals are connections that have been accepted and not been handed over.
type arrivals struct {
	conns  []net.Conn
	socket *Socket
	handle func(net.Conn, *Socket)
}

// hand hands them over. Whatever else can run does so first: the first bytes of a connection are moments behind it, and one that
// has them need not wait for them.
func (a *arrivals) hand() {
	if len(a.conns) == 0 {
		return
	}
	runtime.Gosched()
	for i, conn := range a.conns {
		a.handle(conn, a.socket)
		a.conns[i] = nil
	}
	a.conns = a.conns[:0]
}

// accept hands over connections until the lane is stopped or closed. A failing accept(2) never ends it: it reports the condition
// once, rests, and tries again, since descriptors come back when connections end.
func (l *lane) accept(s *Socket, handle func(net.Conn, *Socket), report func(error)) {
	var condition string // the failure that lasts, so that it is reported once
	fresh := &arrivals{socket: s, handle: handle}
	limit := 1
	if ln, ok := l.ln.(*listener); ok {
		ln.drained, limit = fresh.hand, maxArrivals
	}
	for {
		conn, err := l.ln.Accept()
		if err == nil {
			condition = ""
			if fresh.conns = append(fresh.conns, conn); len(fresh.conns) >= limit {
				fresh.hand()
			}
			continue
		}
		fresh.hand()
		if errors.Is(err, net.ErrClosed) || (errors.Is(err, os.ErrDeadlineExceeded) && l.stopping()) {
			return
		}
		failure := &AcceptError{Name: s.Name(), Err: err}
		if text := failure.Error(); text != condition {
			condition = text
			report(failure)
		}
		if !l.rest(acceptPause) {
			return
		}
	}
}

func (l *lane) stopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// rest waits, and reports false if the lane was stopped meanwhile.
func (l *lane) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.stop:
		return false
	}
}
