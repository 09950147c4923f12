package proxy

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// pauseAfter is how long a reply is awaited before the client is watched and
// what was held back for it is sent.
const pauseAfter = 200 * time.Millisecond

// freeRetries is how often a request is sent again over another connection to
// the same peer, because that peer tells that it has not looked at it.
const freeRetries = 2

// attempt sends the request to a peer and waits for the head of its reply.
func (x *exchange) attempt(peer *upstream.Peer) *failure {
	x.r.Attempts = append(x.r.Attempts, request.Attempt{
		Addr: peer.Text, ServerName: peer.Server, Queue: x.queued, Connect: -1, Header: -1, Response: -1,
		Redirected: x.base > 0 && len(x.r.Attempts) == x.base,
	})
	x.line = http1.ReplyLine{}
	x.doing = connecting
	fresh := false
	for round := 0; ; round++ {
		if f := x.via.reach(x, peer, fresh); f != nil {
			return f
		}
		if x.attemptNow().Connect = 0; !x.reused {
			x.attemptNow().Connect = x.since()
		}
		x.writeHead()
		f := x.via.send(x)
		if f == nil {
			f = x.awaitHead()
		}
		switch {
		case f == nil:
			return nil
		case f.unprocessed && x.body.intact():
			x.sent = false
			if round == freeRetries {
				return f
			}
		// A connection that had died while idle costs nothing: the peer never
		// saw the request, so it gets it once more over a new connection.
		case f.stale && x.reused && (!x.sent || x.repeatable()):
			fresh = true
		default:
			return f
		}
		x.drop()
		x.now = wire.Now()
		x.doing = connecting
	}
}

// dialing runs a dial under proxy_connect_timeout, while the client is watched.
func (x *exchange) dialing(dial func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), x.h.ConnectTimeout)
	defer cancel()
	x.cancel = cancel
	x.watch()
	err := dial(ctx)
	x.unwatch()
	x.cancel = nil
	return err
}

// awaitHead reads until the head of the final reply is complete.
func (x *exchange) awaitHead() *failure {
	for {
		if f := x.via.readHead(x); f != nil {
			return f
		}
		if x.line.Status >= 200 || x.line.Status == 101 {
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
	return x.via.frame(x)
}

// uploading is called every now and then while a body is being written: the
// time that the peer has for its answer begins when the body has gone.
func (x *exchange) uploading() {
	now := wire.Now()
	switch {
	case x.doing != sending:
	case x.body.upload.running():
		x.peer.OnPause(now, pauseAfter, x.onPause)
	default:
		x.doing = readingHeader
		x.peer.ReadWithin(now, x.h.ReadTimeout)
	}
}

// interim takes note of a 1xx reply. 103 goes to the client where the location
// allows it.
func (x *exchange) interim() *failure {
	if x.line.Status == 103 && x.passHints() {
		http1.SkipHopByHop(&x.r.Upstream)
		if err := x.r.Out.Interim(103, &x.r.Upstream); err != nil {
			return x.clientGone()
		}
	}
	return nil
}

// waitFailed turns the error of a wait for the reply into a failure.
func (x *exchange) waitFailed(err error) *failure {
	if x.gone.Load() {
		return x.clientGone()
	}
	if errors.Is(err, wire.ErrInterrupted) {
		if fault := x.body.fault(); fault != nil {
			err = fault
		}
	}
	if e := x.body.spoilt(); e != nil {
		return &failure{status: e.Status, client: true, message: e.Error()}
	}
	f := x.failed(err)
	if x.line.Status == 0 && !x.via.heard(x) {
		f.stale = errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	}
	if e, ok := errors.AsType[*http2.Failure](err); ok {
		f.unprocessed = e.Unprocessed
	}
	return f
}

// drop ends the use of the attempt's connection, which serves no other.
func (x *exchange) drop() {
	if x.peer == nil {
		return
	}
	x.unwatch()
	x.body.stop()
	x.via.release(x, false)
	x.peer = nil
}

// keep gives the attempt's connection back for further exchanges.
func (x *exchange) keep() {
	if !x.reusing || !x.body.settled() {
		x.drop()
		return
	}
	x.unwatch()
	x.via.release(x, true)
	x.peer = nil
}

// verb is the method of the request as the peer gets it.
func (x *exchange) verb() request.Verb {
	if x.h.Method != nil {
		return request.VerbOf(x.h.Method.Value(x.r))
	}
	if x.r.Wish.Get {
		return request.VerbGet
	}
	return x.r.Verb
}
