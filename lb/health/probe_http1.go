package health

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// mostInterims is how many 1xx replies may come before the final one.
const mostInterims = 16

// overHTTP1 asks over a connection of HTTP/1. One that was kept and has died
// meanwhile says nothing about the peer: then a new one is made.
func (x *asking) overHTTP1() error {
	c := x.at.idle.Take(x.at.peer, x.q.Profile)
	if c != nil {
		reusable, err := x.exchange(c)
		if err == nil || !stale(c, err) {
			x.settle(c, reusable)
			return err
		}
		x.at.idle.Drop(c)
		x.at.idle.Enter()
	}
	c, err := x.dial()
	if err != nil {
		x.at.idle.Drop(nil)
		return err
	}
	reusable, err := x.exchange(c)
	x.settle(c, reusable)
	return err
}

// settle keeps a connection or closes it.
func (x *asking) settle(c *connect.Conn, reusable bool) {
	if reusable && x.q.Keep {
		x.at.idle.Put(c, wire.Now())
	} else {
		x.at.idle.Drop(c)
	}
}

// stale reports whether an exchange has failed because its connection was dead
// before.
func stale(c *connect.Conn, err error) bool {
	return len(c.Buffered()) == 0 &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

func (x *asking) dial() (*connect.Conn, error) {
	ctx, cancel := context.WithTimeout(x.ctx, x.q.Connect)
	defer cancel()
	return connect.Dial(ctx, x.at.peer, x.q.Profile, x.q.Read)
}

// exchange sends the question and takes the reply.
func (x *asking) exchange(c *connect.Conn) (reusable bool, err error) {
	stop := context.AfterFunc(x.ctx, c.Interrupt)
	defer stop()
	c.WriteWithin(x.q.Send)
	c.ReadWithin(wire.Now(), x.q.Read) // once: a peer that trickles gets no more time
	if err := c.Exchange(x.q.Head); err != nil {
		return false, err
	}
	if err := x.readHead(c); err != nil {
		return false, err
	}
	framing, length, keep, bad := http1.ReplyFraming(request.VerbGet, &x.line, &x.r.Upstream)
	if bad != nil {
		return false, bad
	}
	x.r.Attempts[0].Status = x.line.Status
	if !x.q.Answer.WantsBody() && !(keep && x.q.Keep) {
		return false, nil
	}
	x.decoder.Reset(framing, length, &x.r.Trailers, &x.q.Limits)
	err = x.readBody(c, framing == request.FramingUntilClose)
	return keep && x.decoder.Done(), err
}

// readHead waits for the head of the final reply.
func (x *asking) readHead(c *connect.Conn) error {
	for interims := 0; ; {
		buf := c.Buffered()
		x.r.Upstream.Reset(buf)
		n, bad := http1.ParseReply(&x.r.Upstream, &x.line, buf, &x.q.Limits)
		switch {
		case bad != nil:
			return bad
		case n == 0:
			if err := c.Fill(); errors.Is(err, io.ErrShortBuffer) {
				return malformed("upstream sent too big header")
			} else if err != nil {
				return err
			}
			continue
		}
		x.r.Upstream.Buf = x.r.Arena().Copy(buf[:n])
		c.Consume(n)
		if x.line.Status >= 200 || x.line.Status == 101 {
			return nil
		}
		if interims++; interims > mostInterims {
			return malformed("upstream sent too many interim responses")
		}
	}
}

// readBody reads the body, as far as it is looked at.
func (x *asking) readBody(c *connect.Conn, untilClose bool) error {
	for !x.decoder.Done() {
		buf := c.Buffered()
		if len(buf) == 0 {
			err := c.Fill()
			if untilClose && errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			continue
		}
		piece, used, err := x.decoder.Next(buf)
		if err != nil {
			return malformed("upstream sent an invalid body: " + err.Error())
		}
		more := x.append(piece)
		if c.Consume(used); !more {
			return nil
		}
		if used == 0 { // it needs more than what is here
			if err := c.Fill(); err != nil {
				return err
			}
		}
	}
	return nil
}
