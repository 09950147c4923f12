package http2

import (
	"runtime"
	"sync"
	"time"
)

const (
	// outputFull is how many bytes a connection holds back for its client;
	// streams that have more wait.
	outputFull = 64 << 10
	// controlFull is how many answers to frames may wait for a client that
	// reads none of them.
	controlFull = 1000
)

// buffer is a piece of output.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, outputFull+DefaultFrameSize)} }}

// output is what a connection has to send. Whoever appends to it leaves the
// sending to one who is at it, or does it himself; so what many streams have
// ready leaves in one write. It belongs to the connection's lock, but for the
// bytes being sent.
type output struct {
	now      *buffer // appended to; nil: nothing is there
	rest     *buffer // what the client did not take at once, from restAt on
	restAt   int
	sending  bool // somebody does
	late     bool // somebody is about to, when all that can run has run
	controls int  // answers in now
	pieces   int  // of DATA, since the reader last asked
	crumbs   int  // of them such that only a tiny window made them small
}

// open returns what to append to.
func (o *output) open() []byte {
	if o.now == nil {
		o.now = buffers.Get().(*buffer)
	}
	return o.now.b
}

// close puts back what open returned, with more behind it.
func (o *output) close(dst []byte) { o.now.b = dst }

// control is close for an answer to the client's frames, of which only so many
// may wait.
func (o *output) control(dst []byte) error {
	o.now.b = dst
	if o.controls++; o.controls > controlFull {
		return connError(EnhanceYourCalm, "client does not read the answers to its frames")
	}
	return nil
}

// size is how many bytes wait to be sent.
func (o *output) size() int {
	if o.now == nil {
		return 0
	}
	return len(o.now.b)
}

// full tells whether streams have to wait.
func (o *output) full() bool { return o.size() >= outputFull }

// free gives a buffer back.
func (b *buffer) free() {
	if cap(b.b) > 2*outputFull {
		return // one odd reply must not pin a large buffer
	}
	b.b = b.b[:0]
	buffers.Put(b)
}

// flush sends what is there, unless somebody is at it or about to. The lock is
// held, and let go meanwhile.
func (c *ServerConn) flush() {
	if !c.output.late {
		c.flushNow()
	}
}

// flushNow sends what is there, unless somebody is at it. It never waits: what
// the client does not take at once is left to a worker. The lock is held, and
// let go meanwhile.
func (c *ServerConn) flushNow() {
	o := &c.output
	if o.sending {
		return
	}
	for o.now != nil && c.err == nil {
		b := o.now
		o.now, o.controls, o.sending = nil, 0, true
		c.mu.Unlock()
		n, err := c.wire.Offer(b.b)
		left := err == nil && (n < len(b.b) || c.wire.Pending())
		c.mu.Lock()
		if left {
			o.rest, o.restAt = b, n
			c.running++
			c.workers.run(task{c, nil})
			return
		}
		o.sending = false
		b.free()
		if err != nil {
			c.broken()
			return
		}
		c.wakeNext()
	}
}

// flushLate ends a worker's task: what it has appended is sent when all that
// can run has run, so that as much as possible leaves together.
func (c *ServerConn) flushLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := &c.output; c.running > 1 && o.now != nil && !o.sending && !o.late {
		o.late = true
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		o.late = false
	}
	c.flush()
	c.rundown()
}

// sendRest waits for the client to take what it did not take at once.
func (c *ServerConn) sendRest() {
	o := &c.output
	err := c.wire.Write(o.rest.b[o.restAt:]) // nobody else touches it now
	c.mu.Lock()
	defer c.mu.Unlock()
	o.rest.free()
	o.rest, o.sending = nil, false
	if err != nil {
		c.broken()
	} else {
		c.wakeNext()
		c.flush()
	}
	c.rundown()
}

// rundown counts a task off; the lock is held.
func (c *ServerConn) rundown() {
	if c.running--; c.running > 0 {
		return
	}
	c.idle = time.Now()
	c.ended.Broadcast()
	if c.leaving == departed || c.err != nil {
		c.host.Wake()
	}
}

// broken ends the connection because the client cannot be written to; the lock
// is held.
func (c *ServerConn) broken() {
	c.kill(ErrConnGone)
	c.host.Wake()
}

// kill ends all streams; the lock is held.
func (c *ServerConn) kill(reason error) {
	if c.err == nil {
		c.err = reason
	}
	for len(c.streams) > 0 {
		c.close(c.streams[0], ErrConnGone)
	}
}

// wakeNext lets the streams whose turn it is go on, as long as there is room.
// The lock is held.
func (c *ServerConn) wakeNext() {
	for c.queue.n > 0 && !c.output.full() {
		s := c.queue.next(c.send.Size() > 0)
		switch {
		case s == nil:
			return
		case s.heading:
			s.cond.Broadcast() // it will append a head itself
			return
		}
		s.sendHeld()
	}
}
