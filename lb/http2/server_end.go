package http2

import (
	"errors"
	"time"
)

// Fail ends the connection: the client is told why if err is a *ConnError, and
// everybody who waits for it learns of the end. It is the reader's; what is to
// be sent still has been offered when it returns.
func (c *ServerConn) Fail(err error) {
	if s := c.block.s; s != nil && c.block.stream != 0 && !c.block.trailers {
		c.host.Release(s)
		c.block.s = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := errors.AsType[*ConnError](err); ok && c.err == nil {
		c.output.close(AppendGoAway(c.output.open(), c.last, e.Code))
		c.flushNow()
	}
	c.kill(err)
}

// Wait returns when nothing of the connection is in work any more; no bytes
// may be received after it.
func (c *ServerConn) Wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.running > 0 {
		c.ended.Wait()
	}
	if o := &c.output; o.now != nil {
		o.now.free()
		o.now = nil
	}
	c.encoder.Rest()
}

// Flush sends what Receive has made the connection answer. It never waits.
func (c *ServerConn) Flush() {
	c.mu.Lock()
	c.flush()
	c.mu.Unlock()
}

// Drain begins the graceful end (RFC 9113, 6.8): the client is asked to open
// no more streams, and Depart follows when it has seen that, or is called after
// a second.
func (c *ServerConn) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving != staying || c.err != nil {
		return
	}
	c.leaving = warned
	dst := AppendGoAway(c.output.open(), maxStream, NoError)
	c.output.close(AppendPing(dst, c.drained, false))
	c.flush()
}

// Depart takes no more streams from here on. It is the reader's.
func (c *ServerConn) Depart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.depart()
}

func (c *ServerConn) depart() {
	if c.leaving == departed || c.err != nil {
		return
	}
	c.leaving = departed
	c.output.close(AppendGoAway(c.output.open(), c.last, NoError))
	c.flush()
}

// State is what the reader decides by how long it waits.
type State struct {
	Active   bool          // something is in work
	Idle     time.Duration // since nothing is
	Partial  bool          // a frame or a header block has not come whole
	Taken    uint64        // frames and header blocks that have
	Opened   bool          // there was a request
	Draining bool          // Depart has to follow
	Over     bool          // the connection can be closed
}

// State tells how the connection is. It is the reader's.
func (c *ServerConn) State() State {
	partial := c.frames.Partial() || c.block.stream != 0 || c.preface < len(Preface)
	c.mu.Lock()
	defer c.mu.Unlock()
	st := State{Active: c.running > 0, Partial: partial, Taken: c.taken, Opened: c.last > 0, Draining: c.leaving == warned}
	if !st.Active {
		st.Idle = time.Since(c.idle)
	}
	st.Over = c.err != nil || c.leaving == departed && !st.Active
	return st
}

// Rest gives back the memory that a connection without a stream does not need.
// It is the reader's.
func (c *ServerConn) Rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running > 0 {
		return
	}
	c.frames.Rest()
	c.encoder.Rest()
	c.block.cookies, c.block.own, c.block.head = nil, nil, nil
	c.name, c.value, c.ids, c.streams = nil, nil, nil, nil
	for u := range c.queue.lines {
		c.queue.lines[u] = nil
	}
}
