package lb

import (
	"errors"
	"syscall"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/wire"
)

// multiplex is a client's connection that speaks HTTP/2. Its goroutine reads
// inside one callback, as with HTTP/1; the streams run on the balancer's
// workers, which also write.
type multiplex struct {
	*conn
	core *http2.ServerConn

	ready  func(fd uintptr) bool // m.readable and m.quiet, bound once
	silent func()
	rested bool   // memory was given back since the last stream and the last bytes
	began  int64  // wire.Now at the start
	since  int64  // wire.Now when what has not come whole began; 0: nothing
	taken  uint64 // frames that had come then
	leave  int64  // wire.Now when the client was asked to leave; 0: it was not
	over   bool
	failed error // why it ended; nil: the client left, or was asked to
}

// leaveAfter is how long a client may still open streams after it was asked
// to open none: its answer may take that long.
const leaveAfter = time.Second

// agreedHTTP2 tells whether the handshake has led to HTTP/2 (RFC 7301).
func (c *conn) agreedHTTP2() bool {
	info, ok := c.Conn.TLS.(tlsInfo)
	return ok && info.ALPN() == "h2"
}

// startsHTTP2 tells whether the first bytes of a plain connection are the
// preface of HTTP/2, which a client may send that knows that it is understood.
// part: they could become it.
func (c *conn) startsHTTP2(p []byte) (whole, part bool) {
	if !c.mayPreface() {
		return false, false
	}
	n := min(len(p), len(http2.Preface))
	part = string(p[:n]) == http2.Preface[:n]
	return part && n == len(http2.Preface), part
}

// mayPreface tells whether the first bytes may be those of HTTP/2. Where they
// are, what is no request line is taken for a bad preface, which gets no answer
// (RFC 9113, 3.4).
func (c *conn) mayPreface() bool {
	return !c.secured && (c.site.http2 || c.site.def.conf.HTTP2.On)
}

// serveHTTP2 is the rest of a connection's life; first is what was read of it.
func (c *conn) serveHTTP2(first []byte) {
	m := newMultiplex(c)
	m.serve(first)
	m.end()
}

// newMultiplex begins to speak HTTP/2 on a connection.
func newMultiplex(c *conn) *multiplex {
	m := &multiplex{conn: c, began: wire.Now()}
	m.silent, m.ready = m.quiet, m.readable
	c.PartWrites()
	c.strayed = true // other goroutines use it
	m.core = http2.NewServerConn(m, m, &c.b.workers, m.server().http2, c.Number)
	return m
}

// server is the one of the name that led here, in the generation that the
// connection was found a place in last.
func (m *multiplex) server() *server {
	if m.sni != nil {
		return m.sni
	}
	return m.site.def
}

// serve is the life of the connection, from first on, what was read of it.
func (m *multiplex) serve(first []byte) {
	if m.b.draining.Load() {
		m.core.Drain()
	}
	m.pause() // it may be woken whenever its goroutine waits
	m.receive(first)
	if m.job != nil {
		m.b.putJob(m.job)
		m.job = nil
	}
	m.core.Flush()
	m.limit(wire.Now())
	for !m.over {
		m.waited(m.conn.Serve(m.ready))
	}
	m.core.Fail(m.failed)
	m.core.Wait()
}

// readable is the Serve callback.
func (m *multiplex) readable(fd uintptr) bool {
	m.inside, m.fd = true, fd
	input := m.server().input // what is received may bring a later one
	buf := input.Get().(*[]byte)
	for !m.over {
		n, err := m.ReadNow(fd, *buf)
		if err == syscall.EAGAIN {
			break
		}
		if err != nil {
			m.over = true
			break
		}
		m.receive((*buf)[:n])
		if m.Drained(n, len(*buf)) {
			break
		}
	}
	input.Put(buf)
	if m.over {
		return true
	}
	m.core.Flush()
	m.limit(wire.Now())
	if err := m.Rearm(); err != nil {
		m.over = true
	}
	return m.over
}

// receive hands bytes to the protocol.
func (m *multiplex) receive(p []byte) {
	m.rested = false
	if err := m.core.Receive(p); err != nil {
		m.failed, m.over = err, true
	}
}

// limit sets how long the next wait may last.
func (m *multiplex) limit(now int64) {
	st := m.core.State()
	if m.over = m.over || st.Over; m.over {
		return
	}
	switch {
	case !st.Partial:
		m.since = 0
	case m.since == 0 || m.taken != st.Taken:
		m.since, m.taken = now, st.Taken
	}
	m.ReadWithin(now, m.patience(now, &st))
	if st.Active {
		m.rested = false
	}
	if !m.rested {
		m.OnPause(now, probeAfter, m.silent)
	}
}

// patience is how long the next wait may last.
func (m *multiplex) patience(now int64, st *http2.State) time.Duration {
	wait := m.site.def.own.keepaliveTimeout
	switch {
	case m.since != 0:
		wait = m.server().conf.ClientHeaderTimeout - time.Duration(now-m.since)
	case !st.Opened: // from the start, however often the wait is set anew
		wait = m.server().conf.ClientHeaderTimeout - time.Duration(now-m.began)
	case !st.Active:
		wait -= st.Idle
	}
	if st.Draining {
		if m.leave == 0 {
			m.leave = now
		}
		wait = min(wait, leaveAfter-time.Duration(now-m.leave))
	}
	return max(wait, time.Millisecond)
}

// waited decides what the end of a wait means.
func (m *multiplex) waited(err error) {
	now := wire.Now()
	switch {
	case err == nil:
	case err == wire.ErrInterrupted:
		m.woken()
	case err == wire.ErrTimeout:
		m.timedOut(now)
	default:
		m.over = true
	}
	if !m.over {
		m.limit(now)
	}
}

// woken looks why the wait was interrupted.
func (m *multiplex) woken() {
	m.b.mu.Lock() // behind the Interrupt that belongs to the waking
	m.ClearInterrupt()
	m.state.Store(idle)
	m.b.mu.Unlock()
	if !m.stays() {
		m.core.Drain()
	}
}

// timedOut looks what has lasted for too long.
func (m *multiplex) timedOut(now int64) {
	st := m.core.State()
	switch {
	case st.Draining && m.leave != 0 && now-m.leave >= int64(leaveAfter):
		m.core.Depart()
	case m.since != 0 && now-m.since >= int64(m.server().conf.ClientHeaderTimeout):
		m.complain(errorlog.Info, "client timed out (110: Connection timed out) while processing HTTP/2 connection")
		m.dismiss()
	case !st.Opened:
		m.complain(errorlog.Info, "client timed out (110: Connection timed out) while waiting for request")
		m.dismiss()
	case !st.Active && st.Idle >= m.site.def.own.keepaliveTimeout:
		m.dismiss()
	}
}

// dismiss ends a connection on which nothing is in work.
func (m *multiplex) dismiss() { m.failed, m.over = &http2.ConnError{Code: http2.NoError}, true }

// quiet runs when a wait lasts: memory that an idle connection does not need
// is given back, and the end of a client that came together with its last
// bytes is found.
func (m *multiplex) quiet() {
	m.rested = true
	if err := m.Idle(); err != nil {
		m.Interrupt() // to read what there is
	}
	m.core.Rest()
	m.conn.Rest()
}

// farewell is how long what an abusive client still sends is read, so that it
// gets the GOAWAY before the connection is gone.
const farewell = 200 * time.Millisecond

// end closes the connection, after a line in the log where the client is at
// fault.
func (m *multiplex) end() {
	e, ok := errors.AsType[*http2.ConnError](m.failed)
	if !ok || e.Reason == "" {
		m.close(m.site.def.own)
		return
	}
	level := errorlog.Info
	if e.Code == http2.EnhanceYourCalm {
		level = errorlog.Warn
	}
	m.complain(level, "%v while processing HTTP/2 connection", e)
	if err := m.CloseWrite(); err == nil {
		m.discard(farewell, farewell)
	}
	m.close(nil)
}

// Offer implements http2.Wire.
func (m *multiplex) Offer(p []byte) (int, error) { return m.conn.Stream.Offer(0, p) }

// Write implements http2.Wire.
func (m *multiplex) Write(p []byte) error {
	_, err := m.conn.Stream.Write(p)
	return err
}

// Wake implements http2.Host.
func (m *multiplex) Wake() { m.Interrupt() }

// Refused implements http2.Host.
func (m *multiplex) Refused(reason string) {
	m.complain(errorlog.Info, "%s while processing HTTP/2 connection", reason)
}

// Open implements http2.Host.
func (m *multiplex) Open() *http2.ServerStream {
	c := m.conn
	g := c.b.acquire()
	if !c.locate(g) {
		g.release()
		m.core.Drain()
		return nil
	}
	c.Requests++
	j := c.b.streams.Get().(*streamJob)
	j.client = c.Conn
	j.begin(c, g)
	own := m.site.def.own
	if c.Requests >= uint64(own.conf.KeepaliveRequests) ||
		own.conf.KeepaliveTime > 0 && c.b.clock.mono.Load()-c.opened >= int64(own.conf.KeepaliveTime) {
		m.core.Drain()
	}
	return &j.stream
}

// Serve implements http2.Host.
func (m *multiplex) Serve(s *http2.ServerStream) { s.Job.(*streamJob).serve() }

// Release implements http2.Host.
func (m *multiplex) Release(s *http2.ServerStream) {
	j := s.Job.(*streamJob)
	j.leave()
	j.forget()
	s.Trim()
	m.b.streams.Put(j)
}
