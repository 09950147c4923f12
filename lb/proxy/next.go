package proxy

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// failure is why an attempt brought no reply to pass on.
type failure struct {
	kind    config.NextUpstream // what proxy_next_upstream calls it
	status  int                 // to answer with if no other attempt follows
	message string              // for the error log; empty: nothing to tell
	stale   bool                // the connection may have died while it was idle
	// unprocessed tells that the peer says it has not looked at the request.
	unprocessed bool
	client      bool // the client has left, or its body is at fault; no peer is to blame
}

// What an attempt is at, in the words of the error log.
const (
	connecting    = "while connecting to upstream"
	handshaking   = "while SSL handshaking to upstream"
	sending       = "while sending request to upstream"
	readingHeader = "while reading response header from upstream"
	readingBody   = "while reading upstream"
)

// failed makes a failure of a system error or of time that ran out.
func (x *exchange) failed(err error) *failure {
	if x.gone.Load() {
		return x.clientGone()
	}
	doing := x.doing
	f := &failure{kind: config.NextError, status: http.StatusBadGateway}
	var system syscall.Errno
	var worded errno.Error
	switch {
	case errors.Is(err, wire.ErrTimeout):
		f.kind, f.status = config.NextTimeout, http.StatusGatewayTimeout
		f.message = "upstream timed out (110: Connection timed out) " + doing
	case isMalformed(err):
		f.kind, f.message = config.NextInvalidHeader, err.Error()+" "+doing
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.message = "upstream prematurely closed connection " + doing
	case errors.As(err, &worded): // it says itself which call failed
		f.message = err.Error() + " " + doing
	case errors.Is(err, syscall.EPIPE):
		f.message = "writev() failed (" + errno.Text(syscall.EPIPE) + ") " + sending
	case errors.As(err, &system):
		f.message = "recv() failed (" + errno.Text(system) + ") " + doing
	default:
		f.message = err.Error() + " " + doing
	}
	return f
}

// isMalformed tells of a peer that broke the rules of HTTP/2.
func isMalformed(err error) bool {
	f, ok := errors.AsType[*http2.Failure](err)
	return ok && f.Malformed
}

// invalid is the failure of a peer whose reply is not well-formed.
func (x *exchange) invalid(err *request.Error) *failure {
	return &failure{
		kind: config.NextInvalidHeader, status: http.StatusBadGateway,
		message: err.Error() + " " + readingHeader,
	}
}

// statusClientGone is what the log shows for a client that left before its
// reply; nobody receives it.
const statusClientGone = 499

func (x *exchange) clientGone() *failure {
	return &failure{status: statusClientGone, client: true,
		message: "client prematurely closed connection, so upstream connection is closed too " + x.doing}
}

// nextStatus maps replies to the conditions of proxy_next_upstream.
func nextStatus(status int) config.NextUpstream {
	switch status {
	case 500:
		return config.NextHTTP500
	case 502:
		return config.NextHTTP502
	case 503:
		return config.NextHTTP503
	case 504:
		return config.NextHTTP504
	case 403:
		return config.NextHTTP403
	case 404:
		return config.NextHTTP404
	case 429:
		return config.NextHTTP429
	}
	return 0
}

// judge decides whether a reply is passed on: nil, or the failure that it
// means where its status is listed and another attempt is possible.
func (x *exchange) judge() *failure {
	kind := nextStatus(x.line.Status)
	if kind == 0 || !x.mayRepeat(kind) || !x.more() {
		return nil
	}
	return &failure{kind: kind, status: x.line.Status}
}

// next ends an attempt that failed and tells whether another may follow.
func (x *exchange) next(f *failure) bool {
	a := x.attemptNow()
	if a.Status == 0 {
		a.Status = f.status
	}
	a.Response = x.since()
	if f.message != "" && !f.client {
		x.describe(a.Addr)
		x.r.LogError(errorlog.Error, f.message)
	}
	x.drop()
	x.release(f)
	return !f.client && x.mayRepeat(f.kind) && x.more()
}

// more tells whether an attempt is left: one of those that there were servers
// for at first, or one for a server that has come since the last.
func (x *exchange) more() bool {
	if x.tries > 0 {
		return true
	}
	limit, made := x.h.NextTries, len(x.r.Attempts)-x.base
	if limit > 0 && made >= limit || !x.target.Pool.Load().HasNew(&x.args) {
		return false
	}
	x.tries = 1
	return true
}

// mayRepeat tells whether the request may be sent once more after such a
// failure: listed, harmless to repeat, and in time.
func (x *exchange) mayRepeat(kind config.NextUpstream) bool {
	if x.h.NextUpstream&kind != kind {
		return false
	}
	if x.sent && !x.repeatable() {
		return false
	}
	limit := int64(x.h.NextTimeout)
	return limit == 0 || wire.Now()-x.start < limit
}

// repeatable tells whether a request that was sent may be sent again.
func (x *exchange) repeatable() bool {
	if !x.body.kept {
		return false
	}
	return x.r.Verb.Repeatable() || x.h.NextUpstream&config.NextNonIdempotent != 0
}

// release gives the peer of a failed attempt back.
func (x *exchange) release(f *failure) {
	a := x.attemptNow()
	x.countUpload()
	o := upstream.Outcome{
		Now: x.now, Status: a.Status, HeaderTime: -1, ResponseTime: a.Response,
		Sent: a.Sent, Received: a.Received,
	}
	const notTheirFault = config.NextHTTP403 | config.NextHTTP404
	o.Next = f.kind&notTheirFault != 0
	o.Failed = !o.Next && !f.client
	if x.pool.Release(&x.args, o) {
		x.describe(a.Addr)
		x.r.LogError(errorlog.Warn, "upstream server temporarily disabled "+x.doing)
	}
}

// countUpload adds what went out of a body that is written beside the wait for
// the reply.
func (x *exchange) countUpload() {
	if u := x.body.upload; u != nil {
		x.attemptNow().Sent += u.sent.Swap(0)
	}
}

// succeed gives the peer of an attempt back whose reply was passed on; x.now
// is when its last byte came.
func (x *exchange) succeed() {
	x.bindLate()
	a := x.attemptNow()
	a.Response = time.Duration(x.now - x.begun)
	x.countUpload()
	x.pool.Release(&x.args, upstream.Outcome{
		Now: x.now, Status: a.Status, HeaderTime: max(a.Header, 0), ResponseTime: a.Response,
		Sent: a.Sent, Received: a.Received,
	})
}

// giveUp answers after the last attempt.
func (x *exchange) giveUp(f *failure) request.Verdict {
	if f.client {
		if f.message != "" {
			x.describe(x.attemptNow().Addr)
			x.r.LogError(errorlog.Info, f.message)
		}
		x.r.Reply.Close = true
		x.r.Reply.Broken = f.status == statusClientGone
	}
	x.r.Fault = f.fault()
	return x.r.Reject(f.status)
}

// fault is the failure as a cache sees it, which may have something older.
func (f *failure) fault() request.Fault {
	switch f.kind {
	case config.NextError:
		return request.FaultError
	case config.NextTimeout:
		return request.FaultTimeout
	case config.NextInvalidHeader:
		return request.FaultInvalid
	}
	return request.FaultNone
}

// describe notes for the error log which URL an attempt is for.
func (x *exchange) describe(addr string) {
	scheme := "http"
	if x.h.grpc {
		scheme = "grpc"
	}
	url := append(x.r.Proxying[:0], scheme...)
	if x.tls {
		url = append(url, 's')
	}
	url = append(url, "://"...)
	url = append(url, addr...)
	x.r.Proxying = append(url, x.uri...)
}
