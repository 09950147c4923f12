package proxy

import (
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// offerer is an Out that can take bytes without waiting for the client.
type offerer interface {
	// Offer is Write, but what the client does not take at once is kept until
	// the next Flush or Write; behind tells that there is such a rest.
	Offer(p []byte) (behind bool, err error)
}

// forward sends a piece of the body to the client. If it does not keep up, and
// the reply is not to be passed on as it comes, a spool goes between.
func (d *delivery) forward(piece request.Piece) error {
	r, p := d.r, piece.Bytes
	switch {
	case piece.File != nil || piece.Held:
		if err := d.endSpool(false); err != nil {
			return err
		}
		if piece.Held {
			return r.Out.Write(p)
		}
		return r.Out.SendFile(piece.File, piece.Offset, piece.Length)
	case d.spool != nil:
		return d.spool.put(p)
	case r.Reply.Hurry || r.Reply.NoBody:
		return r.Out.Write(p)
	case r.RateLimit > 0 && r.Reply.BodySent+int64(len(p)) > r.RateAfter:
		d.startSpool()
		return d.spool.put(p)
	}
	out, ok := r.Out.(offerer)
	if !ok {
		return r.Out.Write(p)
	}
	behind, err := out.Offer(p)
	if behind && d.body.Left() != 0 {
		d.startSpool()
	}
	return err
}

// startSpool puts a spool between body and client.
func (d *delivery) startSpool() {
	h, r, body := d.h, d.r, d.body
	s := &spool{out: r.Out, dir: h.tempDir, memory: h.bufferMemory, disk: h.maxTempFile}
	s.opened = func() {
		body.Describe()
		r.LogError(errorlog.Warn, "an upstream response is buffered to a temporary file in "+h.tempDir+" while reading upstream")
	}
	s.failure = func(call string, err error) {
		body.Describe()
		r.LogError(errorlog.Crit, call+" \""+h.tempDir+"\" failed ("+errno.Text(err)+") while reading upstream")
	}
	d.spool, d.slow, r.Reply.Aside = s, true, true
	s.run()
}

// endSpool waits until the client has all that the spool holds, or gives it
// up.
func (d *delivery) endSpool(giveUp bool) error {
	if d.spool == nil {
		return nil
	}
	err := d.spool.close(giveUp)
	d.spool, d.r.Reply.Aside = nil, false
	return err
}
