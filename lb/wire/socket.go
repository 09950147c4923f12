package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// The ways in which waiting ends without bytes.
var (
	// ErrTimeout: the time that ReadWithin or WriteWithin allows has passed.
	ErrTimeout = errors.New("timed out")
	// ErrInterrupted: another goroutine called Interrupt.
	ErrInterrupted = errors.New("interrupted")

	errUnexpected = errors.New("unexpected bytes")
)

// Socket is one connected stream socket.
type Socket struct {
	conn net.Conn
	raw  syscall.RawConn

	read        limit
	patience    time.Duration // of a write that waits for room, 0: endless
	interrupted atomic.Bool
	closed      atomic.Bool
	untried     bool // no wait has begun, and the connection is a trier

	// onPause is called when a wait for bytes has lasted for pauseAfter.
	onPause func()
	pause   int64 // when it is due, 0: it is not

	// What Exchange, Read and Idle work on, and what Write does, so that one
	// goroutine may write while another reads. They are made when they are needed
	// first: connections that wait in Serve for all their lives do without.
	reading *reading
	writing *writing
}

// reading is one Exchange, Read or Idle.
type reading struct {
	step     func(fd uintptr) bool // r.advance, bound once
	look     func(fd uintptr)      // r.lookOnce, bound once
	out, in  []byte
	lender   Lender // where in comes from, if not from the caller
	wrote, n int
	phase    phase
	err      error
}

// writing is one Write.
type writing struct {
	push  func(fd uintptr) bool // w.writeOnce, bound once
	out   []byte
	wrote int
	err   error
}

// limit is one lazy deadline.
type limit struct {
	want  int64 // when the wait is to end, 0: never
	armed int64 // what the runtime's timer is set to, 0: not set
}

type phase uint8

const (
	phaseWrite phase = iota // write, then wait
	phaseRead               // try to read, then wait
)

// Init makes s wrap a connection of the net package, which must be backed by
// a socket of its own.
func (s *Socket) Init(conn net.Conn) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return errors.New("connection without a socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	_, tries := conn.(trier)
	*s = Socket{conn: conn, raw: raw, untried: tries}
	return nil
}

// trier is a connection of which the runtime's poller hears when it is waited
// for only. Try calls f, which does not wait, as long as the poller does not
// know of it, and returns what f returns.
type trier interface {
	Try(f func(fd uintptr) bool) bool
}

// Conn returns the connection s wraps.
func (s *Socket) Conn() net.Conn { return s.conn }

// Close closes the connection; it may be called from any goroutine.
func (s *Socket) Close() error {
	s.closed.Store(true)
	return s.conn.Close()
}

// Retire is Close for a connection on which nobody waits, at less cost where
// the connection knows how.
func (s *Socket) Retire() error {
	if r, ok := s.conn.(interface{ Retire() error }); ok {
		s.closed.Store(true)
		return r.Retire()
	}
	return s.Close()
}

// failed tells what an error of the raw connection is: on a closed one always
// net.ErrClosed, which not all kinds of connections say by themselves.
func (s *Socket) failed(err error) error {
	if s.closed.Load() {
		return net.ErrClosed
	}
	return err
}

// Shutdown ends both sides of the connection: reads end and writes fail. The
// descriptor stays. It may be called from any goroutine.
func (s *Socket) Shutdown() {
	_ = s.raw.Control(func(fd uintptr) { // fails only on a closed connection
		_ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) // fails only where the peer has gone already
	})
}

// ReadWithin sets the time in which each following wait for bytes has to end,
// counted from now; 0 is no limit.
func (s *Socket) ReadWithin(now int64, d time.Duration) { s.read.want = wantAt(now, d) }

// WriteWithin sets how long a write may wait for the peer to take bytes,
// between two bytes taken; 0 is no limit.
func (s *Socket) WriteWithin(d time.Duration) { s.patience = d }

func wantAt(now int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return now + int64(d)
}

// OnPause asks for one call of f when the wait for bytes that comes next
// lasts longer than after. f runs on the waiting goroutine, which then calls
// what it gave Serve once more; nil asks for that alone.
func (s *Socket) OnPause(now int64, after time.Duration, f func()) {
	s.onPause, s.pause = f, now+int64(after)
}

// Interrupt ends a wait for bytes, now or the next one, with ErrInterrupted.
// It may be called from any goroutine.
func (s *Socket) Interrupt() {
	s.interrupted.Store(true)
	_ = s.conn.SetReadDeadline(longAgo()) // fails only on a closed connection, whose waits end anyway
}

// ClearInterrupt forgets an Interrupt that came too late to end anything.
func (s *Socket) ClearInterrupt() {
	if s.interrupted.Swap(false) {
		s.read.armed = 1 // the timer is in the past: set it anew before the next wait
	}
}

// DeadlineLost says that others have set the read deadline of the connection,
// or taken it away, so that the next wait must set it.
func (s *Socket) DeadlineLost() { s.read.armed = 0 }

// arm moves the runtime's timer if it would fire too late.
func (s *Socket) arm() error {
	due := s.read.want
	if s.pause != 0 && (due == 0 || s.pause < due) {
		due = s.pause
	}
	if due == 0 || s.read.armed != 0 && s.read.armed <= due {
		return nil
	}
	return s.setRead(due)
}

func (s *Socket) setRead(due int64) error {
	s.read.armed = due
	var at time.Time
	if due != 0 {
		at = started.Add(time.Duration(due))
	}
	err := s.conn.SetReadDeadline(at)
	if s.interrupted.Load() { // its deadline may just have been overwritten
		err = s.conn.SetReadDeadline(longAgo())
	}
	return err
}

// longAgo is a deadline that ends a wait at once.
func longAgo() time.Time { return time.Unix(1, 0) }

// expired decides what a timer that fired means: nil to wait on.
func (s *Socket) expired() error {
	if s.interrupted.Load() {
		return ErrInterrupted
	}
	now := Now()
	if s.read.want != 0 && now >= s.read.want {
		return ErrTimeout
	}
	if s.pause != 0 && now >= s.pause {
		s.pause = 0
		if s.onPause != nil {
			s.onPause()
		}
		if s.interrupted.Load() {
			return ErrInterrupted
		}
	}
	due := s.read.want
	if s.pause != 0 && (due == 0 || s.pause < due) {
		due = s.pause
	}
	return s.setRead(due)
}

// wait runs a raw read callback until it is content, over as many timers as
// fire too early. The first wait of a new connection is no wait if its bytes are
// there already.
func (s *Socket) wait(f func(fd uintptr) bool) error {
	if s.untried {
		s.untried = false
		if s.conn.(trier).Try(f) {
			return nil
		}
	}
	if err := s.arm(); err != nil {
		return err
	}
	for {
		err := s.raw.Read(f)
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return s.failed(err)
		}
		if err := s.expired(); err != nil {
			return err
		}
	}
}

// Serve calls ready whenever bytes may be there, first at once, until it
// returns true. In between the goroutine waits at no cost. ready must read
// (ReadNow) until a read comes back short or with EAGAIN before it returns
// false. While Serve runs no other method may read from s.
func (s *Socket) Serve(ready func(fd uintptr) bool) error {
	return s.wait(ready)
}

// Rearm moves the timer from inside a Serve callback after a limit has become
// shorter; without it a shorter limit holds only from the next wake-up on.
func (s *Socket) Rearm() error { return s.arm() }

// Lender has the buffers of reads, so that none lies about while the peer
// works: the next one to be lent is the one given back last, which is still in
// the processor's cache.
type Lender interface {
	// Lend returns a buffer when something may be there to be read.
	Lend() []byte
	// Reclaim takes it back: nothing was.
	Reclaim()
}

// Exchange writes out and then waits for the first bytes of the answer, which
// it reads into what the lender has then. A write that the socket does not take
// at once goes on under the write limit.
func (s *Socket) Exchange(out []byte, from Lender) (int, error) {
	r := s.reader()
	r.out, r.in, r.lender, r.wrote, r.n, r.err, r.phase = out, nil, from, 0, 0, nil, phaseWrite
	err := s.wait(r.step)
	r.out, r.in, r.lender = nil, nil, nil
	if err != nil {
		return 0, err
	}
	if r.err == syscall.EAGAIN { // the write stopped half-way
		if _, err := s.Write(out[r.wrote:]); err != nil {
			return 0, err
		}
		return s.ReadLent(from)
	}
	return r.n, r.err
}

// ReadLent is Read into what the lender has when the bytes are there.
func (s *Socket) ReadLent(from Lender) (int, error) {
	r := s.reader()
	r.lender = from
	n, err := s.Read(nil)
	r.lender = nil
	return n, err
}

// Read waits for bytes and reads them; io.EOF is the end of the peer's side.
func (s *Socket) Read(in []byte) (int, error) {
	r := s.reader()
	r.in, r.n, r.err, r.phase = in, 0, nil, phaseRead
	err := s.wait(r.step)
	r.in = nil
	if err != nil {
		return 0, err
	}
	return r.n, r.err
}

func (s *Socket) reader() *reading {
	if s.reading == nil {
		s.reading = &reading{}
		s.reading.step, s.reading.look = s.reading.advance, s.reading.lookOnce
	}
	return s.reading
}

func (s *Socket) writer() *writing {
	if s.writing == nil {
		s.writing = &writing{}
		s.writing.push = s.writing.writeOnce
	}
	return s.writing
}

// advance is the callback of Exchange and Read.
func (r *reading) advance(fd uintptr) bool {
	if r.phase == phaseWrite {
		r.wrote, r.err = WriteNow(fd, r.out)
		if r.err == nil && r.wrote < len(r.out) {
			r.err = syscall.EAGAIN
		}
		r.phase = phaseRead
		return r.err != nil
	}
	if r.lender != nil {
		r.in = r.lender.Lend()
	}
	r.n, r.err = ReadNow(fd, r.in)
	if r.err != syscall.EAGAIN {
		return true
	}
	if r.lender != nil {
		r.lender.Reclaim()
	}
	return false
}

// Write writes all of p, at once where the socket takes it.
func (s *Socket) Write(p []byte) (int, error) {
	w := s.writer()
	err := w.once(s.raw, p)
	switch {
	case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
		return 0, s.failed(err)
	case w.err != nil && w.err != syscall.EAGAIN:
		return w.wrote, w.err
	case w.wrote == len(p):
		return len(p), nil
	}
	return s.writeSlowly(p, w.wrote)
}

// once writes what a connection takes of p. What it returns tells why it could
// not be tried; w.err tells how it went.
func (w *writing) once(raw syscall.RawConn, p []byte) error {
	w.out, w.wrote, w.err = p, 0, nil
	err := raw.Write(w.push)
	w.out = nil
	return err
}

// writeOnce is the callback of once.
func (w *writing) writeOnce(fd uintptr) bool {
	w.wrote, w.err = WriteNow(fd, w.out)
	return true
}

// WriteFrom is Write from inside a Serve callback, which knows the descriptor.
func (s *Socket) WriteFrom(fd uintptr, p []byte) (int, error) {
	n, err := WriteNow(fd, p)
	if n == len(p) || err != nil && err != syscall.EAGAIN {
		return n, err
	}
	return s.writeSlowly(p, n)
}

// writeSlowly waits for the peer to take the rest of p.
func (s *Socket) writeSlowly(p []byte, n int) (int, error) {
	const piece = 256 << 10
	for n < len(p) {
		if err := s.armWrite(); err != nil {
			return n, err
		}
		m, err := s.conn.Write(p[n:min(len(p), n+piece)])
		n += m
		if err = timedOut(err); err != nil && !(m > 0 && err == ErrTimeout) {
			return n, err
		}
	}
	return n, nil
}

// armWrite gives the next blocking write its time.
func (s *Socket) armWrite() error {
	var by time.Time
	if s.patience > 0 {
		by = time.Now().Add(s.patience)
	}
	return s.conn.SetWriteDeadline(by)
}

// timedOut turns an expired deadline of the net package into ErrTimeout.
func timedOut(err error) error {
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// Idle tells whether an unused connection is silent and open: nil if it is,
// else why it must not be used. It costs one system call.
func (s *Socket) Idle() error {
	r := s.reader()
	if err := s.raw.Control(r.look); err != nil {
		return err
	}
	return r.err
}

// lookOnce is the callback of Idle.
func (r *reading) lookOnce(fd uintptr) { r.err = peekNow(fd) }

// PeekByte waits for the first byte and leaves it where it is.
func (s *Socket) PeekByte() (byte, error) {
	var one [1]byte
	var state error
	err := s.wait(func(fd uintptr) bool {
		state = peekInto(fd, &one)
		return state != nil
	})
	switch {
	case err != nil:
		return 0, err
	case state != errUnexpected:
		return 0, state
	}
	return one[0], nil
}

var _ io.ReadWriteCloser = (*Socket)(nil)
