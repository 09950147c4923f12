package proxy

import (
	"errors"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
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
	answered atomic.Bool // the reply has begun: an error must not cut it short
	done     chan struct{}
	err      error // once done is closed
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

// start writes the body on a goroutine of its own, beside the wait for the
// reply, which may come before the body's end.
func (b *body) start(c *connect.Conn) {
	u := &upload{done: make(chan struct{})}
	b.upload = u
	go func() {
		u.err = b.write(c)
		close(u.done)
		if u.err != nil && !u.answered.Load() && !leftUnread(u.err) {
			c.Interrupt()
		}
	}()
}

// leftUnread tells of a peer that takes no more of the body: its reply, or the
// end of its side, is there to be read.
func leftUnread(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
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

func (b *body) write(c *connect.Conn) error {
	if b.kept {
		return b.writeKept(c)
	}
	var framed []byte
	for {
		p, err := b.r.Body.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			_ = c.CloseWrite() // the peer must not take what it has for the whole
			return err
		}
		if b.chunked() {
			framed = http1.AppendChunk(framed[:0], p)
			p = framed
		}
		if _, err := c.Write(p); err != nil {
			return err
		}
	}
	if b.chunked() {
		_, err := c.Write(http1.AppendLastChunk(nil, nil))
		return err
	}
	return nil
}

func (b *body) writeKept(c *connect.Conn) error {
	if p := b.whole(); p != nil {
		_, err := c.Write(p)
		return err
	}
	body := &b.r.Body
	if _, err := c.Write(body.Memory); err != nil {
		return err
	}
	_, err := io.Copy(onlyWriter{c}, io.NewSectionReader(body.File, 0, body.Size-int64(len(body.Memory))))
	return err
}

// onlyWriter hides everything but Write from io.Copy.
type onlyWriter struct{ io.Writer }

// settled tells, once the reply was read, whether the whole body went out, so
// that the connection may serve again.
func (b *body) settled() bool {
	return b.upload == nil || !b.upload.running() && b.upload.err == nil
}

// fault returns the error that ended the upload, if one did.
func (b *body) fault() error {
	if b.upload == nil || b.upload.running() {
		return nil
	}
	return b.upload.err
}

// stop ends an upload that nobody waits for any more.
func (b *body) stop(c *connect.Conn) {
	if b.upload == nil {
		return
	}
	if b.upload.running() {
		_ = c.Socket.Close() // its writes end with an error
		if !b.kept && b.r.Body.Source != nil {
			b.r.Body.Source.Cancel()
			b.r.Reply.Close = true
		}
		<-b.upload.done
	}
	b.upload = nil
}

// close ends the body's use by this exchange.
func (b *body) close() { *b = body{} }
