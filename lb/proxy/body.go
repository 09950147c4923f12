package proxy

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
)

// body is the request's body on its way to the peer.
type body struct {
	r      *request.Request
	own    []byte // proxy_set_body
	isOwn  bool
	omit   bool // proxy_pass_request_body off
	kept   bool // it can be sent again
	length int64

	upload *upload // in work beside the wait for the reply; nil: none was begun
}

// upload is a body that a goroutine of its own writes to the peer.
type upload struct {
	to       bodyWriter
	sent     atomic.Int64                  // bytes of the body
	answered atomic.Bool                   // the reply has begun: an error must not cut it short
	client   atomic.Pointer[request.Error] // why the client's body is not whole; set before the peer is told
	done     chan struct{}
	err      error // once done is closed
}

// bodyWriter takes a request's body in the framing of the peer's protocol.
type bodyWriter interface {
	send(p []byte, last bool) error
	// trail ends the body, with trailers where there are any.
	trail(trailers *request.Head) error
	// breakOff ends the body in such a way that the peer does not take it for
	// the whole.
	breakOff()
	// Interrupt wakes the exchange that waits for the reply.
	Interrupt()
	// abort makes a send end with an error, from another goroutine.
	abort()
}

// open takes the body in, or prepares to pass it on as it comes.
func (b *body) open(x *exchange) *request.Error {
	r, h := x.r, x.h
	*b = body{r: r, kept: true}
	switch {
	case h.SetBody != nil:
		b.own, b.isOwn = h.SetBody.Value(r), true
		b.length = int64(len(b.own))
		return nil
	case !h.PassBody:
		b.omit = true
		return nil
	case h.RequestBuffering || r.Body.Kept || r.Body.Framing == request.FramingNone || h.plainOld:
		if err := r.Body.Keep(h.keeping); err != nil {
			return err
		}
		b.length = r.Body.Size
		return nil
	}
	if h.http2 && r.Body.KeepArrived() { // it costs nothing, and the body can be sent again
		b.length = r.Body.Size
		return nil
	}
	b.kept = false
	b.length = r.Body.Length
	if r.Body.Expect { // said now, since later the reply is written beside the reading
		r.Body.Expect = false
		if err := r.Out.Interim(100, nil); err != nil {
			return &request.Error{Source: request.Downstream, Status: statusClientGone, Reason: "client closed connection", Cause: err}
		}
	}
	if r.Body.Framing == request.FramingChunked {
		b.length = -1
	}
	return nil
}

// none tells that no body follows the head.
func (b *body) none() bool { return b.omit || b.kept && b.length == 0 }

// whole returns the body where all of it lies in memory.
func (b *body) whole() []byte {
	switch {
	case b.isOwn:
		return b.own
	case b.kept && !b.omit && b.r.Body.File == nil:
		return b.r.Body.Memory
	}
	return nil
}

// chunked tells that the length is not known when the head is sent.
func (b *body) chunked() bool { return b.length < 0 }

// intact tells that the body can be sent from its begin.
func (b *body) intact() bool { return b.kept || b.upload == nil }

// start writes the body, but for its first bytes that have gone already, on a
// goroutine of its own, beside the wait for the reply, which may come before
// the body's end.
func (b *body) start(to bodyWriter, gone int) {
	u := &upload{to: to, done: make(chan struct{})}
	b.upload = u
	go func() {
		defer close(u.done) // afterwards the peer's connection or stream may be another's
		if u.err = b.write(u, gone); u.err != nil && !u.answered.Load() && !leftUnread(u.err) {
			to.Interrupt()
		}
	}()
}

// leftUnread tells of a peer that takes no more of the body: its reply, or the
// end of its side, is there to be read.
func leftUnread(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, http2.ErrUnwanted)
}

// running tells whether the body is still being written.
func (u *upload) running() bool {
	select {
	case <-u.done:
		return false
	default:
		return true
	}
}

// send passes a piece on.
func (u *upload) send(p []byte, last bool) error {
	err := u.to.send(p, last)
	if err == nil {
		u.sent.Add(int64(len(p)))
	}
	return err
}

// giveUp ends the sending of a body that does not come whole. The peer may end
// its side at once, so the reason is noted first.
func (u *upload) giveUp(err error) {
	if e, ok := errors.AsType[*request.Error](err); ok {
		u.client.Store(e)
	}
	u.to.breakOff()
}

func (b *body) write(u *upload, gone int) error {
	if b.kept {
		return b.writeKept(u, gone)
	}
	for sent := int64(0); ; {
		p, err := b.r.Body.Next()
		if errors.Is(err, io.EOF) {
			if sent == b.length { // the last piece said so
				return nil
			}
			return u.to.trail(&b.r.Body.Trailers)
		}
		if err != nil {
			u.giveUp(err)
			return err
		}
		sent += int64(len(p))
		if err := u.send(p, sent == b.length); err != nil {
			return err
		}
	}
}

func (b *body) writeKept(u *upload, gone int) error {
	if p := b.whole(); p != nil {
		return u.send(p[gone:], true)
	}
	body := &b.r.Body
	if err := u.send(body.Memory, false); err != nil {
		return err
	}
	rest := body.Size - int64(len(body.Memory))
	piece := make([]byte, 32<<10)
	for at := int64(0); at < rest; {
		n, err := body.File.ReadAt(piece[:min(int64(len(piece)), rest-at)], at)
		if n == 0 {
			return fmt.Errorf("read of the kept request body: %w", err)
		}
		at += int64(n)
		if err := u.send(piece[:n], at == rest); err != nil {
			return err
		}
	}
	return nil
}

// settled tells, once the reply was read, whether the whole body went out, so
// that the connection may serve again.
func (b *body) settled() bool {
	return b.upload == nil || !b.upload.running() && b.upload.err == nil
}

// spoilt returns why the client's body did not come whole, nil where it did so
// far. What the peer does then is no fault of its own.
func (b *body) spoilt() *request.Error {
	if b.upload == nil {
		return nil
	}
	return b.upload.client.Load()
}

// fault returns the error of the upload that has interrupted the wait for the
// reply, and waits until nothing of it runs any more.
func (b *body) fault() error {
	if b.upload == nil {
		return nil
	}
	<-b.upload.done
	return b.upload.err
}

// stop ends an upload that nobody waits for any more.
func (b *body) stop() {
	if b.upload == nil {
		return
	}
	if b.upload.running() {
		b.upload.to.abort()
		reading := !b.kept && b.r.Body.Source != nil
		if reading {
			b.r.Body.Source.Cancel()
		}
		<-b.upload.done
		if reading && b.upload.err != nil { // else the whole body had gone in this moment
			b.r.Reply.Close = true
		}
	}
	b.upload = nil
}

// close ends the body's use by this exchange.
func (b *body) close() { *b = body{} }
