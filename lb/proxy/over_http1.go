package proxy

import (
	"context"
	"errors"
	"io"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
)

// overHTTP1 is the protocol of HTTP/1.0 and 1.1: a connection is one
// exchange's own while that lasts.
type overHTTP1 struct{}

func (overHTTP1) reach(x *exchange, peer *upstream.Peer, fresh bool) *failure {
	if !fresh {
		for {
			c := x.target.Idle.Take(peer, x.profile())
			if c == nil {
				break
			}
			if x.r.Verb.Repeatable() || c.Idle() == nil {
				x.conn, x.peer, x.reused = c, c, true
				return nil
			}
			x.target.Idle.Drop(c)
		}
	} else {
		x.target.Idle.Enter()
	}
	var c *connect.Conn
	err := x.dialing(func(ctx context.Context) (err error) {
		c, err = connect.Dial(ctx, peer, x.profile(), x.h.ReadTimeout)
		return err
	})
	if err != nil {
		x.target.Idle.Drop(nil)
		return x.unreached(err)
	}
	x.conn, x.peer, x.reused = c, c, false
	return nil
}

// unreached is the failure of a dial.
func (x *exchange) unreached(err error) *failure {
	if _, ok := errors.AsType[*connect.HandshakeError](err); ok {
		x.doing = handshaking
	}
	return x.failed(err)
}

// send writes the request. A small one goes out with the first wait for the
// reply.
func (overHTTP1) send(x *exchange) *failure {
	c := x.conn
	c.WriteWithin(x.h.SendTimeout)
	c.OnPause(x.now, pauseAfter, x.onPause)
	whole := x.body.whole()
	x.sent = true
	if x.r.Version == request.HTTP20 && x.h.limitRate == nil {
		c.Enlarge() // a long reply will pass through memory, where few reads are best
	}
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
	x.body.start(&bodyOverHTTP1{Conn: c, chunked: x.body.chunked()}, 0)
	if err := c.Fill(); err != nil {
		return x.waitFailed(err)
	}
	return nil
}

// smallBody is the size up to which a body leaves in one write with its head.
const smallBody = 64 << 10

func (overHTTP1) readHead(x *exchange) *failure {
	for {
		buf := x.conn.Buffered()
		x.r.Upstream.Reset(buf)
		n, bad := http1.ParseReply(&x.r.Upstream, &x.line, buf, &x.h.limits)
		if bad != nil {
			return x.invalid(bad)
		}
		if n > 0 {
			// The log may ask for the head long after the buffer went on.
			x.r.Upstream.Buf = x.r.Arena().Copy(buf[:n])
			x.conn.Consume(n)
			x.attemptNow().Received += int64(n)
			return nil
		}
		err := x.conn.Fill()
		short := errors.Is(err, io.ErrShortBuffer)
		switch {
		case short && len(buf) < x.h.limits.TotalSize:
			x.conn.Widen(x.h.limits.TotalSize)
		case short:
			return x.invalid(&request.Error{Reason: "upstream sent too big header"})
		case err != nil:
			return x.waitFailed(err)
		}
	}
}

func (overHTTP1) frame(x *exchange) *failure {
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

func (overHTTP1) piece(x *exchange) ([]byte, error) {
	a := x.attemptNow()
	for b := x.conn.Buffered(); len(b) > 0 && !x.decoder.Done(); b = x.conn.Buffered() {
		piece, used, bad := x.decoder.Next(b)
		if bad != nil {
			return nil, &framingError{bad}
		}
		a.Received += int64(used)
		a.Length += int64(len(piece))
		x.conn.Consume(used)
		if len(piece) > 0 || used == 0 {
			return piece, nil
		}
	}
	return nil, nil
}

func (overHTTP1) fill(x *exchange) error {
	if x.limit == 0 && (x.attemptNow().Length > 32<<10 || x.decoder.Left() > 32<<10) {
		x.conn.Enlarge()
	}
	err := x.conn.Fill()
	if errors.Is(err, io.EOF) && x.decoder.Close() == nil {
		return nil
	}
	return err
}

func (overHTTP1) done(x *exchange) bool { return x.decoder.Done() }

func (overHTTP1) left(x *exchange) int64 {
	if left := x.decoder.Left(); left > 0 {
		return left
	}
	return -1
}

func (overHTTP1) heard(x *exchange) bool { return len(x.conn.Buffered()) > 0 }

func (overHTTP1) release(x *exchange, clean bool) {
	if clean {
		x.target.Idle.Put(x.conn, x.now)
	} else {
		x.target.Idle.Drop(x.conn)
	}
	x.conn = nil
}

// bodyOverHTTP1 sends a request's body in the framing of HTTP/1.
type bodyOverHTTP1 struct {
	*connect.Conn
	chunked bool
	framed  []byte
}

func (b *bodyOverHTTP1) send(p []byte, last bool) error {
	if b.chunked {
		b.framed = b.framed[:0]
		if len(p) > 0 {
			b.framed = http1.AppendChunk(b.framed, p)
		}
		if p = b.framed; last {
			p = http1.AppendLastChunk(p, nil)
		}
	}
	if len(p) == 0 {
		return nil
	}
	_, err := b.Write(p)
	return err
}

// trail ends a body; trailers of requests do not go on over HTTP/1, as in
// nginx.
func (b *bodyOverHTTP1) trail(*request.Head) error { return b.send(nil, true) }

// breakOff ends the sending side, so that the peer does not take what it has
// for the whole.
func (b *bodyOverHTTP1) breakOff() { _ = b.CloseWrite() } // fails only where the peer has gone

// abort makes a write end with an error.
func (b *bodyOverHTTP1) abort() { _ = b.Socket.Close() }
