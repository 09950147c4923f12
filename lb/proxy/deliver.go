package proxy

import (
	"errors"
	"io"

	"github.com/weir-lb/weir/lb/request"
)

// delivery is the state of one reply on its way to the client.
type delivery struct {
	h     *Handler
	r     *request.Request
	body  request.Incoming
	spool *spool // between a slow client and the body; nil: none is needed
	slow  bool   // the client does not keep up with the upstream
}

// splicing is a body of which the kernel can move a long rest to the client;
// see exchange.splice.
type splicing interface {
	splice(out splicer) (rest []byte, whole bool, err error)
}

// pass moves the body. Its source is free for others before the client's last
// bytes are written.
func (d *delivery) pass() request.Verdict {
	out, _ := d.r.Out.(splicer)
	in, _ := d.body.(splicing)
	for {
		p, err := d.body.Next()
		if err == io.EOF { // as it is: a body that broke off may tell of one within
			return d.end()
		}
		if err == nil {
			err = d.forward(p)
		}
		if err == nil && in != nil && out != nil && !d.slow {
			err = d.splice(in, out)
		}
		if err != nil {
			return d.stopped(err)
		}
	}
}

// splice lets the kernel move what is left of a long body, up to where the
// client does not keep up.
func (d *delivery) splice(in splicing, out splicer) error {
	rest, whole, err := in.splice(out)
	if err != nil {
		return err
	}
	d.slow = !whole
	if len(rest) > 0 {
		return d.forward(request.Piece{Bytes: rest})
	}
	return nil
}

// end completes a reply whose body was handed on whole.
func (d *delivery) end() request.Verdict {
	r := d.r
	if err := d.endSpool(false); err != nil {
		return d.lost()
	}
	var trailers *request.Head
	if d.h.PassTrailers && len(r.Trailers.Fields) > 0 {
		trailers = &r.Trailers
	}
	if err := r.Out.End(trailers); err != nil {
		return d.lost()
	}
	return request.Done
}

// stopped ends a reply that could not be passed on whole: the client has
// gone, or must see that the body broke off.
func (d *delivery) stopped(err error) request.Verdict {
	if e, ok := errors.AsType[*request.Error](err); !ok || e.Source != request.Upstream {
		return d.lost()
	}
	_ = d.endSpool(false)
	_ = d.r.Out.Flush() // what there is of it; the end follows anyway
	d.r.Reply.Broken = true
	return request.Done
}

// lost ends a reply whose client has gone away.
func (d *delivery) lost() request.Verdict {
	_ = d.endSpool(true) // nobody is there to take it
	d.r.Reply.Broken = true
	return request.Done
}

// close lets go of the body.
func (d *delivery) close() {
	_ = d.endSpool(true) // only after a fault that did not end it
	d.body.Close()
}
