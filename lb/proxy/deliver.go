package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// deliver passes the upstream's reply on to the client.
func (x *exchange) deliver() request.Verdict {
	r := x.r
	x.doing = readingBody
	if x.h.InterceptErrors && x.line.Status >= 300 && r.Site.Catches(x.line.Status) {
		return x.intercept()
	}
	if v, taken := x.accelerate(); taken {
		return v
	}
	r.Reply.Status = x.line.Status
	r.Reply.Reason = r.Upstream.Bytes(x.line.Reason)
	r.Reply.Head = &r.Upstream
	x.filter()
	if err := r.Out.Begin(); err != nil {
		return x.lost()
	}
	return x.pass()
}

// intercept leaves the answer to an error_page.
func (x *exchange) intercept() request.Verdict {
	r := x.r
	if challenge, ok := r.Upstream.Get(request.FieldWWWAuthenticate); ok && x.line.Status == http.StatusUnauthorized {
		r.Reply.Add("WWW-Authenticate", r.Arena().Copy(challenge))
	}
	x.finish()
	return r.Reject(x.line.Status)
}

// pass moves the body, then gives the connection back before the client's
// last bytes are written: the peer is free for others that much sooner.
func (x *exchange) pass() request.Verdict {
	r := x.r
	x.limit, x.bodyBegan = x.limitedRate(), x.now
	for !x.decoder.Done() {
		more, err := x.passBuffered()
		if err != nil {
			return x.stopped(err)
		}
		if !more {
			break
		}
		if x.unbuffered() {
			if err := r.Out.Flush(); err != nil {
				return x.lost()
			}
		}
		if v, ended := x.splice(); ended {
			return v
		}
		if x.decoder.Done() {
			break
		}
		if x.limit > 0 {
			if err := x.throttle(); err != nil {
				return x.lost()
			}
		}
		now := wire.Now()
		x.conn.ReadWithin(now, x.h.ReadTimeout)
		x.conn.OnPause(now, pauseAfter, x.onPause)
		if x.attemptNow().Length > 32<<10 {
			x.conn.Enlarge()
		}
		if err := x.conn.Fill(); err != nil {
			if errors.Is(err, io.EOF) && x.decoder.Close() == nil {
				break
			}
			return x.brokenOff(err)
		}
		x.now = wire.Now()
	}
	x.finish()
	if err := x.endSpool(false); err != nil {
		return x.lostAfter()
	}
	var trailers *request.Head
	if x.h.PassTrailers && len(r.Trailers.Fields) > 0 {
		trailers = &r.Trailers
	}
	if err := r.Out.End(trailers); err != nil {
		return x.lostAfter()
	}
	return request.Done
}

// spliceFrom is the length of a rest from which on the kernel moves a body.
const spliceFrom = 32 << 10

// splicer is an Out into which the kernel can move bytes from a socket.
type splicer interface {
	Splice(src *wire.Socket, n int64, patience time.Duration) wire.Splicing
}

// splice lets the kernel move the rest of a long body whose length is known.
// It ends with the body, or where the client does not keep up; the rest goes
// the usual way then.
func (x *exchange) splice() (request.Verdict, bool) {
	left := x.decoder.Left()
	out, ok := x.r.Out.(splicer)
	if !ok || left < spliceFrom || !x.conn.Plain() || x.slow || x.limit > 0 {
		return request.Next, false
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
		return x.brokenOff(done.Source), true
	case done.Peer != nil:
		return x.lost(), true
	}
	if x.slow = got < left || len(done.Rest) > 0; len(done.Rest) > 0 {
		if err := x.forward(done.Rest); err != nil {
			return x.lost(), true
		}
	}
	return request.Next, false
}

// passBuffered hands what has been received to the client; more tells that
// the body goes on.
func (x *exchange) passBuffered() (more bool, err error) {
	a := x.attemptNow()
	for b := x.conn.Buffered(); len(b) > 0 && !x.decoder.Done(); b = x.conn.Buffered() {
		piece, used, bad := x.decoder.Next(b)
		if bad != nil {
			return false, &framingError{bad}
		}
		a.Received += int64(used)
		a.Length += int64(len(piece))
		if len(piece) > 0 && x.r.Verb != request.VerbHead {
			if err := x.forward(piece); err != nil {
				return false, err
			}
		}
		x.conn.Consume(used)
		if used == 0 {
			break
		}
	}
	return !x.decoder.Done(), nil
}

// framingError is a reply's body that is not well-formed.
type framingError struct{ cause error }

// Error tells what is wrong with it.
func (e *framingError) Error() string {
	return "upstream sent invalid chunked response: " + e.cause.Error()
}

// stopped ends a reply that could not be passed on: the client has gone, or
// its framing is broken.
func (x *exchange) stopped(err error) request.Verdict {
	if _, ok := errors.AsType[*framingError](err); ok {
		return x.brokenOff(err)
	}
	return x.lost()
}

// unbuffered tells whether bytes go on as they come.
func (x *exchange) unbuffered() bool { return x.r.Reply.Hurry }

// finish ends an attempt whose reply was read whole.
func (x *exchange) finish() {
	x.reusing = x.reusing && x.decoder.Done()
	x.succeed()
	x.keep()
}

// lost ends an attempt whose client has gone away.
func (x *exchange) lost() request.Verdict {
	x.now = wire.Now()
	x.succeed()
	return x.lostAfter()
}

func (x *exchange) lostAfter() request.Verdict {
	_ = x.endSpool(true) // nobody is there to take it
	x.drop()
	x.r.Reply.Broken = true
	return request.Done
}

// brokenOff ends a reply that the peer did not complete: the client must see
// that it is not whole.
func (x *exchange) brokenOff(err error) request.Verdict {
	if x.gone.Load() || errors.Is(err, wire.ErrInterrupted) {
		return x.lost()
	}
	f := x.failed(err)
	a := x.attemptNow()
	a.Response = x.since()
	x.describe(a.Addr)
	x.r.LogError(errorlog.Error, f.message)
	x.drop()
	x.succeed() // its head came, so that the peer is not shut out for this, as in nginx
	_ = x.endSpool(false)
	_ = x.r.Out.Flush() // what there is of it; the end follows anyway
	x.r.Reply.Broken = true
	return request.Done
}

// filter marks the fields of the reply that stay behind, and rewrites those
// that name the upstream.
func (x *exchange) filter() {
	h, r := x.h, x.r
	head := &r.Upstream
	http1.SkipHopByHop(head)
	r.Reply.Hurry = !h.Buffering
	for i := range head.Fields {
		f := &head.Fields[i]
		if f.Skip {
			continue
		}
		if h.hide.has(head, f) {
			f.Skip = true
		}
		switch f.ID {
		case request.FieldContentLength:
			f.Skip = true // written from Reply.Length
		case request.FieldLocation, request.FieldRefresh:
			x.redirect(f)
		case request.FieldSetCookie:
			x.cookie(f)
		case request.FieldXAccelBuffering:
			if h.heeds(request.FieldXAccelBuffering) {
				r.Reply.Hurry = !request.EqualFold(head.Value(f), []byte("yes")) && (r.Reply.Hurry || request.EqualFold(head.Value(f), []byte("no")))
			}
		case request.FieldXAccelLimitRate:
			x.limitRate(f)
		}
	}
}

// limitRate obeys X-Accel-Limit-Rate.
func (x *exchange) limitRate(f *request.Field) {
	n, err := strconv.ParseInt(string(x.r.Upstream.Value(f)), 10, 64)
	if err == nil && n >= 0 && x.h.heeds(request.FieldXAccelLimitRate) {
		x.r.RateLimit, x.r.RateSet = n, true
	}
}

// accelerate follows X-Accel-Redirect: the reply is made by another location.
func (x *exchange) accelerate() (request.Verdict, bool) {
	to, ok := x.r.Upstream.Get(request.FieldXAccelRedirect)
	if !ok || len(to) == 0 || !x.h.heeds(request.FieldXAccelRedirect) {
		return request.Next, false
	}
	x.reusing = x.decoder.Done() // its body is not read
	x.succeed()
	x.keep()
	r := x.r
	for i := range r.Upstream.Fields { // these describe what the other location sends, too
		f := &r.Upstream.Fields[i]
		switch f.ID {
		case request.FieldContentType, request.FieldSetCookie, request.FieldCacheControl, request.FieldExpires, request.FieldAcceptRanges:
			r.Reply.Add(f.ID.String(), r.Upstream.Value(f))
		case request.FieldXAccelLimitRate:
			x.limitRate(f)
		case request.FieldOther:
			if request.EqualFold(r.Upstream.Name(f), []byte("Content-Disposition")) {
				r.Reply.Add("Content-Disposition", r.Upstream.Value(f))
			}
		}
	}
	if to[0] == '@' {
		return r.RedirectTo(to, nil), true
	}
	if r.Verb != request.VerbHead {
		r.Verb = request.VerbGet
	}
	path, args, _ := bytes.Cut(to, []byte("?"))
	dst, _, bad := http1.DecodePath(r.Arena().Take(), path, false)
	if bad != nil {
		r.LogError(errorlog.Error, "upstream sent an invalid X-Accel-Redirect: "+bad.Error())
		return r.Reject(502), true
	}
	return r.RedirectTo(r.Arena().Copy(dst), args), true
}
