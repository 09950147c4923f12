package proxy

import (
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// protocol is how an attempt speaks with its peer. What it needs to know lies
// in the exchange.
type protocol interface {
	// reach gets a connection to the peer into x.peer or, with fresh, one that
	// has not died while it was idle; x.reused tells whether it is new.
	reach(x *exchange, peer *upstream.Peer, fresh bool) *failure
	// send sends the head, which is in x.out in the form of HTTP/1.1, and the
	// body: a larger one beside the wait for the reply.
	send(x *exchange) *failure
	// readHead waits for the next head of a reply and puts it into r.Upstream
	// and x.line.
	readHead(x *exchange) *failure
	// frame decides where the final reply ends.
	frame(x *exchange) *failure
	// piece takes the next piece of the body out of what has come; an empty one
	// means that more must come, by fill, unless the reply is done.
	piece(x *exchange) ([]byte, error)
	fill(x *exchange) error
	// done tells that the end of the reply has come, and left how much of a
	// known length is still to come; -1: it is not known.
	done(x *exchange) bool
	left(x *exchange) int64
	// heard tells whether anything of a reply has come.
	heard(x *exchange) bool
	// release ends the use of x.peer; clean tells that both messages are whole.
	release(x *exchange, clean bool)
}

// waiting is the peer's side of an exchange as far as waiting for it goes: a
// connection of HTTP/1, or a stream of HTTP/2.
type waiting interface {
	ReadWithin(now int64, d time.Duration)
	OnPause(now int64, after time.Duration, f func())
	Interrupt()
}
