package proxy

import (
	"errors"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// wait stands in the queue of the upstream, after no peer was found, until one
// can take the request or the client has left. No goroutine but the request's
// own is there for it.
func (x *exchange) wait(reason error) (*upstream.Peer, error) {
	if !x.pool.Queues() || x.r.Explanation != nil {
		return nil, reason
	}
	left := make(chan struct{})
	x.cancel = func() { close(left) } // the watcher calls once
	x.watch()
	peer, pool, err := upstream.Wait(&x.args, upstream.Waiting{Pool: x.target.Pool, Now: wire.Now, Left: left})
	x.unwatch()
	x.cancel = nil
	x.pool, x.now = pool, wire.Now()
	if !errors.Is(err, upstream.ErrNoLive) {
		x.queued = time.Duration(x.now - x.begun)
	}
	x.begun = x.now
	return peer, err
}
