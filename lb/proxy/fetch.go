package proxy

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/variable"
	"github.com/weir-lb/weir/lb/wire"
)

// Target is an upstream as requests see it: its pool may be swapped while they
// run, its idle connections outlive every pool.
type Target struct {
	Name string
	Pool *atomic.Pointer[upstream.Pool]
	Idle *connect.Group
	Key  *variable.Text // of the hash methods

	Sticky *Sticky // nil: clients are tied to no peer
}

// Fetcher gets the replies to the requests of one location from its upstream.
type Fetcher struct {
	settings
	via     protocol
	target  *Target  // nil: found per request
	resolve Resolve  // for targets with variables
	conn    *profile // how peers are reached
	host    []byte   // $proxy_host and $proxy_port of a fixed target
	port    []byte
}

// exchange is the state of one request on its way to an upstream and back.
type exchange struct {
	h          *Fetcher
	r          *request.Request
	target     *Target
	pool       *upstream.Pool
	args       upstream.PickArgs
	tie        upstream.Tie
	presented  []byte // what the request is known by to its sticky upstream
	epoch      int64  // ns since 1970 at 0 of wire.Now, for a sticky upstream
	uri        []byte // as rendered for the peer
	dynamicURI []byte // what the variables of proxy_pass gave, nil: no URI
	out        []byte // head, and small body, of the request sent
	body       body
	via        protocol
	peer       waiting // the attempt's connection or stream; nil: there is none
	reused     bool    // the attempt's connection served another exchange before
	start      int64   // wire.Now of the first attempt and of the current one
	begun      int64
	now        int64         // the last reading of the clock; one serves for all that follows at once
	queued     time.Duration // in the upstream's queue, before the current attempt; -1: it was not
	tries      int           // attempts left
	base       int           // attempts made before this handler, ahead of an internal redirect
	sent       bool          // part of the request may have reached a peer
	tls        bool
	shown      shown
	doing      string // what an attempt is at, in the words of the error log

	conn    *connect.Conn // what HTTP/1 needs
	decoder http1.Decoder

	client  *http2.Client       // what HTTP/2 needs: with room for one exchange, or nil
	stream  *http2.ClientStream // over it
	opening http2.Opening
	whole   bool // the end of the reply has come

	line      http1.ReplyLine
	reusing   bool  // the connection may serve another exchange
	limit     int64 // proxy_limit_rate in bytes per second, 0: none
	bodyBegan int64 // wire.Now; 0: the body has not been asked for
	answered  bool  // the reply's body is the caller's to take
	ended     bool  // the last attempt is over, and its peer given back

	watching bool
	gone     atomic.Bool
	onPause  func()
	onGone   func()
	cancel   func() // of a dial; nil otherwise
}

var exchanges = sync.Pool{New: func() any {
	x := &exchange{}
	x.onPause, x.onGone = x.paused, x.left
	return x
}}

// Fetch implements request.Fetcher: the story of one request on its way to an
// upstream.
func (h *Fetcher) Fetch(r *request.Request) (request.Incoming, request.Verdict) {
	x := exchanges.Get().(*exchange)
	defer x.freeUnanswered()
	x.h, x.r, x.via = h, r, h.via
	r.Fault = request.FaultNone

	// Where to: the group of the location, or the one its variables name.
	if status := x.aim(); status != 0 {
		return nil, r.Reject(status)
	}
	if h.Method != nil && !isMethod(h.Method.Value(r)) {
		r.LogError(errorlog.Error, "invalid method for upstream")
		return nil, r.Reject(http.StatusInternalServerError)
	}
	// The body is taken in first, so that a slow client holds no peer, unless
	// it is to be passed on as it comes.
	if err := x.body.open(x); err != nil {
		return nil, x.refuse(err)
	}
	x.render()

	x.now = wire.Now()
	x.start = x.now
	x.pool = x.target.Pool.Load()
	x.base = len(r.Attempts)
	x.tries = x.pool.Tries()
	if h.NextTries > 0 {
		x.tries = min(x.tries, h.NextTries)
	}
	x.follow()
	for {
		// Pick: sticky hint first, then the method.
		peer, err := x.pick()
		if err != nil {
			return nil, x.noPeer(err)
		}
		if r.Explanation != nil { // it only asks where it would go
			return nil, x.spare()
		}
		// One attempt: connect, send, wait for the head.
		failure := x.attempt(peer)
		if failure == nil {
			failure = x.judge()
		}
		if failure == nil {
			break
		}
		// Another peer, or the answer that tells of the failure.
		if again := x.next(failure); !again {
			return nil, x.giveUp(failure)
		}
	}
	// The body is read as it is asked for, see incoming.go.
	x.bind()
	x.answer()
	return x, request.Next
}

// pick takes a peer for the next attempt.
func (x *exchange) pick() (*upstream.Peer, error) {
	x.begun = x.now
	x.args.Now = x.now
	x.args.Client = x.r.Client
	if x.target.Key != nil {
		x.args.Key = x.target.Key.Value(x.r)
	}
	if len(x.r.Attempts) > 0 {
		x.pool = x.target.Pool.Load() // it may have been swapped since
	}
	x.tries--
	x.queued = -1
	peer, err := x.take()
	if err != nil {
		return x.wait(err)
	}
	return peer, nil
}

// take takes a peer, or tells that none can take the request now.
func (x *exchange) take() (*upstream.Peer, error) {
	if x.r.Explains() {
		return x.pickExplained()
	}
	return x.pool.Pick(&x.args)
}

// noPeer answers when no peer can take the request.
func (x *exchange) noPeer(err error) request.Verdict {
	x.r.Attempts = append(x.r.Attempts, request.Attempt{
		Addr: x.target.Name, Status: 502, Queue: x.queued, Connect: -1, Header: -1, Response: 0,
	})
	x.describe(x.target.Name)
	if errors.Is(err, upstream.ErrLeft) {
		x.attemptNow().Status = statusClientGone
		return x.giveUp(&failure{status: statusClientGone, client: true, message: "client prematurely closed connection while waiting in the upstream queue"})
	}
	x.r.Logf(errorlog.Error, "%v "+connecting, err)
	x.r.Fault = request.FaultError
	return x.r.Reject(502)
}

// refuse answers for a body that could not be taken in.
func (x *exchange) refuse(err *request.Error) request.Verdict {
	if err.Source == request.Internal {
		x.r.LogError(errorlog.Crit, err.Error())
	} else if err.Reason != "" {
		x.r.LogError(errorlog.Info, err.Error())
	}
	x.r.Reply.Close = true
	return x.r.Reject(err.Status)
}

// attemptNow is the attempt that runs.
func (x *exchange) attemptNow() *request.Attempt { return &x.r.Attempts[len(x.r.Attempts)-1] }

// since reads the clock and returns the time from the attempt's begin.
func (x *exchange) since() time.Duration {
	x.now = wire.Now()
	return time.Duration(x.now - x.begun)
}

// paused runs when an upstream lets us wait: what the client has not got yet
// is sent, and from now on the client is watched, lest an upstream work for
// someone who has left.
func (x *exchange) paused() {
	x.flush()
	x.watch()
	if x.body.upload != nil {
		x.uploading()
	}
}

func (x *exchange) watch() {
	if !x.watching && !x.h.IgnoreClientAbort && !x.r.Wish.Stay {
		x.watching = true
		x.r.Out.Watch(x.onGone)
	}
}

func (x *exchange) unwatch() {
	if x.watching {
		x.r.Out.Unwatch()
		x.watching = false
	}
}

// left runs on another goroutine when the watched client has gone.
func (x *exchange) left() {
	x.gone.Store(true)
	if x.cancel != nil {
		x.cancel()
	}
	if x.peer != nil {
		x.peer.Interrupt()
	}
}

// flush sends the client what is held back for it.
func (x *exchange) flush() {
	if x.r.Reply.HeadSent && !x.r.Reply.Aside {
		_ = x.r.Out.Flush() // an error shows at the next write
	}
}

// freeUnanswered ends an exchange that brought no reply, or met a fault.
func (x *exchange) freeUnanswered() {
	if !x.answered {
		x.free()
	}
}

// free gives everything back.
func (x *exchange) free() {
	x.unwatch()
	if x.peer != nil { // a way out that did not end the attempt: nothing of it is trusted
		x.drop()
	}
	x.body.close()
	x.args.Reset()
	x.h, x.r, x.target, x.pool, x.cancel = nil, nil, nil, nil, nil
	x.shown = shown{} // apart, lest both be made on the stack first
	x.opening = http2.Opening{}
	x.presented, x.uri, x.dynamicURI, x.sent, x.reusing = nil, nil, nil, false, false
	x.answered, x.ended, x.bodyBegan = false, false, 0
	x.gone.Store(false)
	if cap(x.out) > 64<<10 {
		x.out = nil
	}
	exchanges.Put(x)
}
