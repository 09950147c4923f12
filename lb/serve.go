package lb

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/listen"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// serve is the story of one connection: accept → handshake → requests.
//
// Requests that are here whole are served inside one read callback that lasts
// as long as the connection (see package wire). One whose body is still to
// come, or that may leave HTTP, is served outside of it, where its connection
// can be read; then the callback is entered anew.
func (b *Balancer) serve(nc net.Conn, socket *listen.Socket) {
	c, err := b.newConn(nc, socket)
	if err != nil {
		b.options.Log.Logf(errorlog.Alert, 0, "%v", err)
		_ = nc.Close() // it was never used
		return
	}
	if !b.enter(c) {
		_ = c.Close() // it was never used
		return
	}
	defer b.leave(c)
	defer c.survive()

	// The generation that accepts decides about TLS and the PROXY header.
	g := b.acquire()
	known := c.locate(g)
	proxied := known && c.site.proxyProtocol
	secure := known && c.site.secure()
	g.release()
	if !known {
		_ = c.Close() // its address was dropped while it was being accepted
		return
	}
	now := wire.Now()
	c.WriteWithin(c.site.def.own.conf.SendTimeout)
	if proxied {
		if err := c.proxyHeader(); err != nil {
			c.proxyHeaderFailed(err)
			c.close(nil)
			return
		}
	}
	if secure {
		if err := c.handshake(); err != nil {
			c.handshakeFailed(err)
			c.close(nil)
			return
		}
	}

	// Requests, one after the other.
	c.ReadWithin(now, c.site.def.conf.ClientHeaderTimeout)
	if c.agreedHTTP2() {
		c.serveHTTP2(nil)
		return
	}
	for !c.ended {
		err := c.Serve(c.ready)
		c.inside = false
		c.resume()
		if err != nil {
			c.interrupted(err)
			continue
		}
		if c.prefaced {
			c.serveHTTP2(c.job.in[:c.job.end])
			return
		}
		if c.aside {
			c.aside, c.strayed = false, true
			c.finishAside()
		}
	}
	var linger *location
	if c.job != nil {
		linger = c.job.lingering()
		b.putJob(c.job)
		c.job = nil
	}
	c.close(linger)
}

// proxyHeaderFailed logs why it is not known for whom a connection stands.
func (c *conn) proxyHeaderFailed(err error) {
	switch {
	case errors.Is(err, wire.ErrInterrupted): // the connection was not needed any more
	case errors.Is(err, wire.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		c.complain(errorlog.Info, "client timed out (110: Connection timed out) while reading PROXY protocol")
	default:
		c.complain(errorlog.Error, "broken header: %v while reading PROXY protocol", err)
	}
}

// survive keeps a fault in weir itself from ending more than the connection
// that met it.
func (c *conn) survive() {
	if fault := recover(); fault != nil {
		c.b.options.Log.Logf(errorlog.Alert, c.Number, "connection given up after a fault in weir: %v\n%s", fault, debug.Stack())
		_ = c.Close() // whatever state it is in
		if c.job != nil {
			c.job.uncount()
			c.job.leave()
		}
	}
}

// readable is the Serve callback: it reads what has arrived and serves every
// request that is here whole. It returns true to leave the callback.
func (c *conn) readable(fd uintptr) bool {
	c.inside, c.fd = true, fd
	if c.job == nil {
		c.job = c.b.getJob()
	}
	j := c.job
	for {
		room := j.room(c.site.headLimit)
		if room == nil {
			return c.serveHead() // too large: parsing says how
		}
		n, err := c.ReadNow(fd, room)
		if err == syscall.EAGAIN {
			return c.await()
		}
		if err != nil {
			c.ended = true
			c.hungUp(err)
			return true
		}
		c.resume()
		c.resting = false
		drained := c.Drained(n, len(room))
		j.end += n
		if c.serveHead() {
			return true
		}
		if drained {
			return c.await()
		}
	}
}

// await prepares for the next wait, for the rest of a head or for the next
// request, and returns false for the callback to go on.
func (c *conn) await() bool {
	now := wire.Now()
	switch {
	case c.job.end > 0:
		if c.job.began == 0 {
			c.job.began = now
			c.ReadWithin(now, c.site.def.conf.ClientHeaderTimeout)
		}
	case c.Requests == 0: // still waiting for the first one
		c.b.putJob(c.job)
		c.job = nil
		c.pause()
	default:
		c.rest(now)
	}
	if err := c.Rearm(); err != nil {
		c.ended = true
		return true
	}
	return false
}

// serveHead serves the requests that lie in the input; true leaves the
// callback, since the connection ends or a request must be served aside.
func (c *conn) serveHead() bool {
	j := c.job
	if c.Requests == 0 {
		if whole, part := c.startsHTTP2(j.in[:j.end]); part {
			c.prefaced = whole
			return whole
		}
	}
	for j.end > 0 {
		g := c.b.acquire()
		if !c.locate(g) {
			g.release()
			c.ended = true
			return true
		}
		j.begin(c, g)
		n, bad := http1.ParseRequest(&j.r, j.in[:j.end], &c.site.def.limits)
		if n == 0 && bad == nil {
			c.Requests--
			g.release()
			return false
		}
		if bad != nil {
			j.accept(j.end) // what there is of it can be logged; nothing follows
			j.cutOff = c.Requests == 1 && bad.Status == 400 && len(j.r.Head.Fields) == 0 && c.mayPreface()
			j.refuse(bad)
			j.finish()
			c.ended = true
			return true
		}
		j.accept(n)
		if !j.whole() {
			c.aside = true
			return true
		}
		if !c.serveRequest() {
			return true
		}
	}
	return false
}

// finishAside serves the request that could not be served inside the
// callback, and those that came together with it.
func (c *conn) finishAside() {
	if c.serveRequest() && c.job.end > 0 {
		for c.serveHead() && c.aside && !c.ended {
			c.aside = false
			if !c.serveRequest() {
				return
			}
		}
	}
}

// serveRequest takes one request through the chain and to the log. It returns
// false when the connection ends.
func (c *conn) serveRequest() bool {
	j := c.job
	j.count()
	j.handle()
	j.uncount()
	c.ended = !j.finish()
	return !c.ended
}

// accept notes what of the input is the request's head, and readies its body.
func (j *job) accept(n int) {
	r := &j.r
	j.c.b.requests.Add(1)
	r.Head.Buf = j.in[:n:n]
	j.pos = n
	j.began = 0
	j.body.Reset(r.Body.Framing, r.Body.Length, &r.Body.Trailers, &j.c.site.def.limits)
	r.Body.Source = j
}

// whole tells whether the request can be served without reading further.
func (j *job) whole() bool {
	r := &j.r
	if r.Head.Has(request.FieldUpgrade) || r.Verb == request.VerbConnect {
		return false
	}
	switch r.Body.Framing {
	case request.FramingNone:
		return true
	case request.FramingLength:
		return r.Body.Length <= int64(j.end-j.pos)
	}
	return false
}

// finish ends a request: its body's rest is read or given up, the log written,
// the generation let go. It tells whether the connection can go on.
func (j *job) finish() bool {
	if j.left {
		j.r.LogError(errorlog.Info, errLeft.Error())
	}
	j.giveBack()
	j.uncancel()
	keep := j.keep && j.r.Reply.Completed && !j.r.Reply.Broken
	if keep && !j.body.Done() {
		keep = j.drain()
	}
	j.log()
	j.r.Body.Release()
	j.c.reset = j.c.reset || j.reset
	j.leave()
	if !keep {
		return false
	}
	j.advance()
	return true
}

// interrupted ends a connection whose wait was ended.
func (c *conn) interrupted(err error) {
	switch {
	case err == wire.ErrInterrupted && !c.ended && c.stays():
		return
	case err == wire.ErrTimeout && c.job != nil && c.job.end > 0:
		c.headCutOff(408, "client timed out (110: Connection timed out)")
	case err == wire.ErrTimeout && c.Requests == 0:
		c.complain(errorlog.Info, "client timed out (110: Connection timed out) while waiting for request")
	}
	c.ended = true
}

// hungUp ends a connection whose client has gone.
func (c *conn) hungUp(err error) {
	if c.job != nil && c.job.end > 0 && err == io.EOF {
		c.headCutOff(400, "client prematurely closed connection")
	}
}

// headCutOff logs a request of which only a part of the head came; there is
// nobody to answer.
func (c *conn) headCutOff(status int, reason string) {
	g := c.b.acquire()
	if !c.locate(g) {
		g.release() // the address was dropped, and its log with it
		return
	}
	j := c.job
	j.begin(c, g)
	j.srv, j.loc = c.site.def, c.site.def.own
	r := &j.r
	r.ServerName, r.Site = j.srv.name, j.loc
	// What there is of the head is for the logs; that it is not whole is known.
	_, _ = http1.ParseRequest(r, j.in[:j.end], &c.site.def.limits)
	doing := " while reading client request headers"
	if r.Line.Len() == 0 {
		r.Line.End = uint32(j.end)
		doing = " while reading client request line"
	}
	r.LogError(errorlog.Info, reason+doing)
	r.Reply.Status = status
	if status == 408 {
		c.reset = c.reset || j.loc.conf.ResetTimedoutConnection
	}
	j.log()
	g.release()
	j.gen = nil
}
