package proxy

import (
	"errors"
	"testing"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// badBody is a client whose body is not well-formed.
type badBody struct{}

func (badBody) Next() ([]byte, error) {
	return nil, &request.Error{Status: 400, Reason: "client sent an invalid body"}
}
func (badBody) Whole() ([]byte, bool) { return nil, false }
func (badBody) Cancel()               {}

// endingPeer ends its side as soon as it learns that the body is cut short.
type endingPeer struct {
	bodyWriter
	x           *exchange
	seen        *failure
	interrupted bool // in time
}

func (p *endingPeer) breakOff()  { p.seen = p.x.waitFailed(errors.New("the peer ended its side")) }
func (p *endingPeer) Interrupt() { p.interrupted = p.x.body.upload.running() }

// A client's bad body is the client's fault however quick the peer is, and
// nothing touches the peer's connection once the upload is over.
func TestBadBodyIsTheClientsFault(t *testing.T) {
	t.Parallel()
	r := &request.Request{}
	r.Body.Source, r.Body.Framing = badBody{}, request.FramingChunked
	x := &exchange{r: r, via: overHTTP2{}, body: body{r: r, length: -1}}
	p := &endingPeer{x: x}
	x.body.start(p, 0)
	if f := x.waitFailed(wire.ErrInterrupted); !f.client || f.status != 400 {
		t.Errorf("the wait ended with %+v", f)
	}
	<-x.body.upload.done
	if p.seen == nil || !p.seen.client || p.seen.status != 400 {
		t.Errorf("the peer's end was taken for %+v", p.seen)
	}
	if !p.interrupted {
		t.Error("the interrupt came behind the upload's end")
	}
}
