package proxy

import (
	"errors"
	"io"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// answer makes the exchange the reply's body: it is request.Incoming from now
// on. What is meant for the connection only ends here.
func (x *exchange) answer() {
	http1.SkipHopByHop(&x.r.Upstream)
	x.doing = readingBody
	x.answered = true
	p := &x.r.Reply
	p.Status = x.line.Status
	if x.line.Reason != (request.Span{}) { // HTTP/2 has none
		p.Reason = x.r.Upstream.Bytes(x.line.Reason)
	}
}

// Next implements request.Incoming.
func (x *exchange) Next() (request.Piece, error) {
	if x.bodyBegan == 0 {
		x.limit, x.bodyBegan = x.limitedRate(), x.now
	}
	for !x.ended {
		piece, err := x.via.piece(x)
		switch {
		case err != nil:
			return request.Piece{}, x.brokenOff(err)
		case len(piece) > 0:
			return request.Piece{Bytes: piece}, nil
		case x.via.done(x):
			x.finish()
		default:
			if err := x.receive(); err != nil {
				return request.Piece{}, err
			}
		}
	}
	return request.Piece{}, io.EOF
}

// framingError is a reply's body that is not well-formed.
type framingError struct{ cause error }

// Error tells what is wrong with it.
func (e *framingError) Error() string {
	return "upstream sent invalid chunked response: " + e.cause.Error()
}

// receive waits for more of the body.
func (x *exchange) receive() error {
	if x.r.Reply.Hurry {
		x.flush()
	}
	if x.limit > 0 {
		if err := x.throttle(); err != nil {
			return err
		}
	}
	now := wire.Now()
	x.peer.ReadWithin(now, x.h.ReadTimeout)
	x.peer.OnPause(now, pauseAfter, x.onPause)
	if err := x.via.fill(x); err != nil {
		return x.brokenOff(err)
	}
	x.now = wire.Now()
	return nil
}

// Left implements request.Incoming.
func (x *exchange) Left() int64 {
	if x.ended || x.via.done(x) {
		return 0
	}
	return x.via.left(x)
}

// spliceFrom is the length of a rest from which on the kernel moves a body.
const spliceFrom = 32 << 10

// splicer is an Out into which the kernel can move bytes from a socket.
type splicer interface {
	Splice(src *wire.Socket, n int64, patience time.Duration) wire.Splicing
}

// splice lets the kernel move the rest of a long body whose length is known.
// What it took from the upstream and the client did not take is the rest;
// whole tells that the client kept up.
func (x *exchange) splice(out splicer) (rest []byte, whole bool, err error) {
	if x.conn == nil {
		return nil, true, nil
	}
	left := x.decoder.Left()
	if left < spliceFrom || len(x.conn.Buffered()) > 0 || !x.conn.Plain() || x.limit > 0 {
		return nil, true, nil
	}
	x.conn.OnPause(wire.Now(), pauseAfter, x.onPause)
	done := out.Splice(&x.conn.Socket, left, x.h.ReadTimeout)
	a := x.attemptNow()
	got := done.Moved + int64(len(done.Rest))
	a.Received += got
	a.Length += got
	x.decoder.Advance(got)
	x.now = wire.Now()
	switch {
	case done.Source != nil:
		return nil, false, x.brokenOff(done.Source)
	case done.Peer != nil:
		return nil, false, request.ErrLeft
	}
	return done.Rest, got == left && len(done.Rest) == 0, nil
}

// finish ends an attempt whose reply was read whole: the connection is free
// for others before the client's last bytes are written.
func (x *exchange) finish() {
	if x.ended {
		return
	}
	x.ended = true
	x.reusing = x.reusing && x.via.done(x)
	x.succeed()
	x.keep()
}

// brokenOff ends a reply that the peer did not complete. Where the client broke
// off its own body before, the peer had reason to.
func (x *exchange) brokenOff(err error) error {
	if x.gone.Load() || errors.Is(err, wire.ErrInterrupted) {
		return request.ErrLeft
	}
	f := x.failed(err)
	a := x.attemptNow()
	a.Response = x.since()
	x.describe(a.Addr)
	broken, level := &request.Error{Source: request.Upstream, Status: f.status, Reason: f.message}, errorlog.Error
	if e := x.body.spoilt(); e != nil {
		broken, level = e, errorlog.Info
	}
	x.r.LogError(level, broken.Error())
	x.ended = true
	x.drop()
	x.succeed() // its head came, so that the peer is not shut out for this, as in nginx
	return broken
}

// Describe implements request.Incoming.
func (x *exchange) Describe() { x.describe(x.attemptNow().Addr) }

// Close implements request.Incoming. A reply whose rest is not wanted costs
// the connection.
func (x *exchange) Close() {
	switch {
	case x.ended:
	case x.reusing && x.via.done(x):
		x.finish()
	default:
		x.ended = true
		x.now = wire.Now()
		x.succeed()
		x.drop()
	}
	x.free()
}

// throttle keeps the reading from the upstream below proxy_limit_rate.
func (x *exchange) throttle() error {
	due := x.bodyBegan + int64(float64(x.attemptNow().Length)/float64(x.limit)*float64(time.Second))
	for first := true; ; first = false {
		left := time.Duration(due - wire.Now())
		switch {
		case left <= 0:
			return nil
		case x.gone.Load():
			return request.ErrLeft
		case first && !x.r.Reply.Aside:
			x.paused()
		}
		time.Sleep(min(left, pauseAfter))
	}
}

// limitedRate is proxy_limit_rate for this reply in bytes per second, 0 for
// none. As in nginx it holds for buffered replies only.
func (x *exchange) limitedRate() int64 {
	if x.h.limitRate == nil || x.r.Reply.Hurry {
		return 0
	}
	n, ok := config.ParseSize(string(x.h.limitRate.Value(x.r)))
	if !ok {
		return 0
	}
	return n
}
