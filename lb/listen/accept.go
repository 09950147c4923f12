package listen

import (
	"errors"
	"net"
	"os"
	"time"
)

// acceptPause is how long accepting rests after a failure such as running out of file descriptors. It is nginx's
// accept_mutex_delay.
const acceptPause = 500 * time.Millisecond

// accept hands over connections until the lane is stopped or closed. A failing accept(2) never ends it: it reports the condition
// once, rests, and tries again, since descriptors come back when connections end.
func (l *lane) accept(s *Socket, handle func(net.Conn, *Socket), report func(error)) {
	var condition string // the failure that lasts, so that it is reported once
	for {
		conn, err := l.ln.Accept()
		if err == nil {
			condition = ""
			handle(conn, s)
			continue
		}
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
