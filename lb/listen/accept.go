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
			if l.inherited {
				s.restoreKeepAlive(conn, report)
			}
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

// restoreKeepAlive undoes what package net does to connections of a listener that was made from a file: it turns on keepalive
// with its own times, where sockets opened by this package let connections inherit the listener's setting.
func (s *Socket) restoreKeepAlive(conn net.Conn, report func(error)) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	k := s.keepAlive.Load()
	config := net.KeepAliveConfig{Enable: k.Mode == KeepAliveOn, Idle: k.Idle, Interval: k.Interval, Count: k.Count}
	if err := tcp.SetKeepAliveConfig(config); err != nil {
		report(&OptionError{Option: "SO_KEEPALIVE", Name: s.Name(), Err: err})
	}
}
