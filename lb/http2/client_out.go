package http2

import (
	"errors"
	"runtime"

	"github.com/weir-lb/weir/lb/wire"
)

const (
	// outputRoom is how many bytes may wait to be written before bodies have
	// to wait for room.
	outputRoom = 256 << 10
	// outputMost is where a peer that takes nothing but makes us answer is
	// given up.
	outputMost = 4 * outputRoom
)

// errNotTaken ends a connection whose peer makes weir answer but reads no
// answers.
var errNotTaken = errors.New("too many answers that the peer does not read")

// flush writes what waits unless another goroutine is at it, which then sees
// to it. c.mu is held, and given up while bytes are written.
func (c *Client) flush() {
	if c.idleOutput() {
		return
	}
	c.writing = true
	if c.active > 1 { // let others who are about to send come along: one write for all
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
	}
	// More may have been added in the meantime. That is written as well, but not
	// for ever: an exchange has other things to do.
	for range 3 {
		if !c.writeOnce() {
			return
		}
		if len(c.out) == 0 {
			c.written()
			return
		}
	}
	go c.writeRest(nil)
}

// flushAside is flush for the goroutine that reads, which must never wait for
// the peer to read.
func (c *Client) flushAside() {
	if c.idleOutput() {
		return
	}
	c.writing = true
	go c.writeRest(nil)
}

// idleOutput tells that there is nothing to write, or that it is being done.
func (c *Client) idleOutput() bool {
	if c.broken != nil || c.ended != nil {
		c.out = c.out[:0]
	}
	return c.writing || len(c.out) == 0
}

// swap takes the bytes that wait, and puts the other buffer in their place.
func (c *Client) swap() []byte {
	buf := c.out
	c.out, c.spare = c.spare[:0], nil
	return buf
}

// writeOnce offers the peer what waits. False: it did not take it all at once,
// or is gone; another goroutine goes on with what is left.
func (c *Client) writeOnce() bool {
	buf := c.swap()
	c.mu.Unlock()
	n, err := c.transport.Offer(buf)
	behind := err == nil && (n < len(buf) || c.transport.Pending())
	c.mu.Lock()
	switch {
	case err != nil:
		c.writeFailed(err)
		return false
	case behind:
		go c.writeRest(buf[n:])
		return false
	}
	c.spare = buf
	return true
}

// writeRest runs on a goroutine of its own and writes until nothing waits.
func (c *Client) writeRest(rest []byte) {
	for {
		if _, err := c.transport.Write(rest); err != nil {
			c.mu.Lock()
			c.writeFailed(err)
			c.mu.Unlock()
			return
		}
		c.mu.Lock()
		if cap(rest) > cap(c.spare) {
			c.spare = rest[:0]
		}
		if len(c.out) == 0 {
			c.written()
			c.mu.Unlock()
			return
		}
		rest = c.swap()
		c.mu.Unlock()
	}
}

// written ends the writing when all has gone.
func (c *Client) written() {
	c.writing = false
	c.wakeBlocked()
	c.finish()
}

// writeFailed gives a connection up that takes no more bytes. Replies that are
// on their way are still read; the reader then sees the end.
func (c *Client) writeFailed(err error) {
	c.writing, c.closing = false, true
	c.out = nil
	c.broken = err
	c.wakeBlocked()
	if c.active == 0 || errors.Is(err, errNotTaken) || errors.Is(err, wire.ErrTimeout) {
		c.transport.Shutdown()
	}
}

// wakeBlocked wakes those that wait for room to send.
func (c *Client) wakeBlocked() {
	for s := c.first; s != nil; s = s.next {
		if s.blocked {
			s.blocked = false
			s.sending.wake()
		}
	}
}
