package proxy

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// pauseAfter is how long a reply is awaited before the client is watched and
// what was held back for it is sent.
const pauseAfter = 200 * time.Millisecond

// attempt sends the request to a peer and waits for the head of its reply.
func (x *exchange) attempt(peer *upstream.Peer) *failure {
	x.r.Attempts = append(x.r.Attempts, request.Attempt{
		Addr: peer.Text, ServerName: peer.Server, Connect: -1, Header: -1, Response: -1,
		Redirected: x.base > 0 && len(x.r.Attempts) == x.base,
	})
	x.line = http1.ReplyLine{}
	x.doing = connecting
	fresh := false
	for {
		if f := x.reach(peer, fresh); f != nil {
			return f
		}
		if x.attemptNow().Connect = 0; !x.conn.Reused {
			x.attemptNow().Connect = x.since()
		}
		f := x.send()
		if f == nil {
			f = x.awaitHead()
		}
		// A connection that had died while idle costs nothing: the peer never
		// saw the request, so it gets it once more over a new connection.
		if f != nil && f.stale && x.conn.Reused && (!x.sent || x.repeatable()) {
			x.drop()
			x.now = wire.Now()
			fresh = true
			continue
		}
		return f
	}
}

// reach gets a connection to the peer: an idle one, or with fresh a new one.
func (x *exchange) reach(peer *upstream.Peer, fresh bool) *failure {
	if !fresh {
		for {
			c := x.target.Idle.Take(peer, x.profile())
			if c == nil {
				break
			}
			if x.r.Verb.Repeatable() || c.Idle() == nil {
				x.conn = c
				return nil
			}
			x.target.Idle.Drop(c)
		}
	} else {
		x.target.Idle.Enter()
	}
	c, err := x.dial(peer)
	if err != nil {
		x.target.Idle.Drop(nil)
		if _, ok := errors.AsType[*connect.HandshakeError](err); ok {
			x.doing = handshaking
		}
		return x.failed(err)
	}
	x.conn = c
	return nil
}

// dial makes a new connection under proxy_connect_timeout.
func (x *exchange) dial(peer *upstream.Peer) (*connect.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), x.h.ConnectTimeout)
	defer cancel()
	x.cancel = cancel
	x.watch()
	c, err := connect.Dial(ctx, peer, x.profile(), x.h.ReadTimeout)
	x.unwatch()
	x.cancel = nil
	return c, err
}

// send writes the request. A small one goes out with the first wait for the
// reply; a larger body is written beside that wait.
func (x *exchange) send() *failure {
	c := x.conn
	c.WriteWithin(x.h.SendTimeout)
	c.OnPause(x.now, pauseAfter, x.onPause)
	x.writeHead()
	whole := x.body.whole()
	x.sent = true
	if x.body.none() || whole != nil && len(whole) <= smallBody {
		x.doing = readingHeader
		x.out = append(x.out, whole...)
		x.attemptNow().Sent = int64(len(x.out))
		c.ReadWithin(x.now, x.h.ReadTimeout)
		if err := c.Exchange(x.out); err != nil {
			return x.waitFailed(err)
		}
		return nil
	}
	x.doing = sending
	x.attemptNow().Sent = int64(len(x.out))
	c.Begin()
	if _, err := c.Write(x.out); err != nil {
		return x.waitFailed(err)
	}
	c.ReadWithin(x.now, 0) // the time to answer begins when the body has gone, see uploading
	x.body.start(c)
	if err := c.Fill(); err != nil {
		return x.waitFailed(err)
	}
	return nil
}

// smallBody is the size up to which a body leaves in one write with its head.
const smallBody = 64 << 10

// awaitHead reads until the head of the final reply is complete.
func (x *exchange) awaitHead() *failure {
	for {
		buf := x.conn.Buffered()
		x.r.Upstream.Reset(buf)
		n, bad := http1.ParseReply(&x.r.Upstream, &x.line, buf, &x.h.limits)
		if bad != nil {
			return x.invalid(bad)
		}
		if n == 0 {
			if err := x.conn.Fill(); err != nil {
				if short := errors.Is(err, io.ErrShortBuffer); short && len(buf) < x.h.limits.TotalSize {
					x.conn.Widen(x.h.limits.TotalSize)
					continue
				} else if short {
					return x.invalid(&request.Error{Reason: "upstream sent too big header"})
				}
				return x.waitFailed(err)
			}
			continue
		}
		// The log may ask for the head long after the buffer went on.
		x.r.Upstream.Buf = x.r.Arena().Copy(buf[:n])
		x.conn.Consume(n)
		if x.line.Status >= 200 || x.line.Status == 101 {
			x.attemptNow().Received += int64(n)
			break
		}
		if f := x.interim(); f != nil {
			return f
		}
	}
	if x.body.upload != nil {
		x.body.upload.answered.Store(true)
	}
	took := x.since()
	a := x.attemptNow()
	a.Status, a.Header = x.line.Status, took
	x.pool.HeaderReceived(&x.args, took, x.now)
	return x.frame()
}

// uploading is called every now and then while a body is being written: the
// time that the peer has for its answer begins when the body has gone.
func (x *exchange) uploading() {
	now := wire.Now()
	switch {
	case x.doing != sending:
	case x.body.upload.running():
		x.conn.OnPause(now, pauseAfter, x.onPause)
	default:
		x.doing = readingHeader
		x.conn.ReadWithin(now, x.h.ReadTimeout)
	}
}

// interim takes note of a 1xx reply and waits for what follows. 103 goes to
// the client where the location allows it.
func (x *exchange) interim() *failure {
	if x.line.Status == 103 && x.passHints() {
		http1.SkipHopByHop(&x.r.Upstream)
		if err := x.r.Out.Interim(103, &x.r.Upstream); err != nil {
			return x.clientGone()
		}
	}
	if len(x.conn.Buffered()) > 0 {
		return nil
	}
	if err := x.conn.Fill(); err != nil {
		return x.waitFailed(err)
	}
	return nil
}

// frame decides where the reply ends.
func (x *exchange) frame() *failure {
	if x.line.Status == 101 {
		x.reusing = false
		return x.checkUpgrade()
	}
	f, length, keep, bad := http1.ReplyFraming(x.verb(), &x.line, &x.r.Upstream)
	if bad != nil {
		return x.invalid(bad)
	}
	x.reusing = keep
	x.decoder.Reset(f, length, &x.r.Trailers, &x.h.limits)
	r := x.r
	r.Reply.Length = length
	r.Reply.NoBody = f == request.FramingNone && length > 0 || r.Verb == request.VerbHead
	if f == request.FramingNone && length < 0 && r.Verb != request.VerbHead {
		r.Reply.NoBody = x.line.Status == 204 || x.line.Status == 304
	}
	return nil
}

// waitFailed turns the error of a wait for the reply into a failure.
func (x *exchange) waitFailed(err error) *failure {
	if x.gone.Load() {
		return x.clientGone()
	}
	if fault := x.body.fault(); fault != nil && errors.Is(err, wire.ErrInterrupted) {
		if e, ok := errors.AsType[*request.Error](fault); ok {
			return &failure{status: e.Status, client: true, message: e.Error()}
		}
		err = fault
	}
	f := x.failed(err)
	nothing := len(x.conn.Buffered()) == 0 && x.line.Status == 0
	f.stale = nothing && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
	return f
}

// drop ends the use of the attempt's connection, which serves no other.
func (x *exchange) drop() {
	if x.conn == nil {
		return
	}
	x.unwatch()
	x.body.stop(x.conn)
	x.target.Idle.Drop(x.conn)
	x.conn = nil
}

// keep gives the attempt's connection back for further exchanges.
func (x *exchange) keep() {
	if !x.reusing || !x.body.settled() {
		x.drop()
		return
	}
	x.unwatch()
	x.target.Idle.Put(x.conn, x.now)
	x.conn = nil
}

// verb is the method of the request as the peer gets it.
func (x *exchange) verb() request.Verb {
	if x.h.Method != nil {
		return request.VerbOf(x.h.Method.Value(x.r))
	}
	return x.r.Verb
}
