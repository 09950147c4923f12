package proxy

import (
	"context"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
)

// overHTTP2 is the protocol of HTTP/2: an exchange is a stream of a connection
// that many share.
type overHTTP2 struct{}

func (overHTTP2) reach(x *exchange, peer *upstream.Peer, _ bool) *failure {
	if x.client = x.target.Idle.Reserve(peer, x.profile(), x.now); x.client != nil {
		x.reused = true
		return nil
	}
	var fresh bool
	err := x.dialing(func(ctx context.Context) (err error) {
		x.client, fresh, err = x.target.Idle.Join(ctx, peer, x.profile(), x.h.ReadTimeout)
		return err
	})
	x.reused = !fresh
	if err != nil {
		return x.unreached(err)
	}
	return nil
}

func (overHTTP2) send(x *exchange) *failure {
	whole := x.body.whole()
	x.opening = http2.Opening{
		Head: x.out, Secure: x.tls, HeadLimit: x.h.limits.TotalSize, Bodyless: x.verb() == request.VerbHead,
		Body: whole, End: x.body.none() || whole != nil,
	}
	s, taken, err := x.client.Open(&x.opening)
	x.client = nil
	if err != nil {
		return x.waitFailed(err)
	}
	x.stream, x.peer, x.sent, x.whole = s, s, true, false
	x.attemptNow().Sent = s.Sent()
	s.WriteWithin(x.h.SendTimeout)
	s.OnPause(x.now, pauseAfter, x.onPause)
	if x.opening.End && taken == len(whole) {
		x.doing = readingHeader
		s.ReadWithin(x.now, x.h.ReadTimeout)
		return nil
	}
	x.doing = sending
	s.ReadWithin(x.now, 0) // the time to answer begins when the body has gone, see uploading
	x.body.start(&bodyOverHTTP2{ClientStream: s, trailers: x.h.requestTrailers}, taken)
	return nil
}

func (overHTTP2) readHead(x *exchange) *failure {
	for {
		h := &x.r.Upstream
		status, err := x.stream.Head(h, x.r.Arena().Take())
		if err != nil {
			return x.waitFailed(err)
		}
		if status != 0 {
			h.Buf = x.r.Arena().Keep(h.Buf)
			x.line.Status = status
			x.attemptNow().Received += int64(len(h.Buf))
			return nil
		}
		if err := x.stream.Wait(); err != nil {
			return x.waitFailed(err)
		}
	}
}

func (overHTTP2) frame(x *exchange) *failure {
	p := &x.r.Reply
	p.Length = x.stream.Length()
	p.NoBody = x.r.Verb == request.VerbHead || x.line.Status == 204 || x.line.Status == 304
	x.r.Trailers.Reset(nil)
	x.reusing = true
	return nil
}

func (overHTTP2) piece(x *exchange) ([]byte, error) {
	if x.whole {
		return nil, nil
	}
	p, done, err := x.stream.Next()
	a := x.attemptNow()
	a.Received += int64(len(p))
	a.Length += int64(len(p))
	if x.whole = done; done {
		t := &x.r.Trailers
		x.stream.Trailers(t, x.r.Arena().Take())
		t.Buf = x.r.Arena().Keep(t.Buf)
	}
	return p, err
}

func (overHTTP2) fill(x *exchange) error { return x.stream.Wait() }

func (overHTTP2) done(x *exchange) bool { return x.whole }

func (overHTTP2) left(x *exchange) int64 {
	if length := x.r.Reply.Length; length >= 0 && !x.r.Reply.NoBody {
		return length - x.attemptNow().Length
	}
	return -1
}

func (overHTTP2) heard(x *exchange) bool { return false }

func (overHTTP2) release(x *exchange, _ bool) {
	x.stream.Close()
	x.stream = nil
}

// bodyOverHTTP2 sends a request's body on a stream of HTTP/2.
type bodyOverHTTP2 struct {
	*http2.ClientStream
	trailers bool // they go on to the peer
}

func (b *bodyOverHTTP2) send(p []byte, last bool) error { return b.Write(p, last) }

func (b *bodyOverHTTP2) trail(trailers *request.Head) error {
	if b.trailers && len(trailers.Fields) > 0 {
		return b.WriteTrailers(trailers)
	}
	return b.Write(nil, true)
}

func (b *bodyOverHTTP2) breakOff() { b.Cancel() }

func (b *bodyOverHTTP2) abort() { b.Cancel() }
