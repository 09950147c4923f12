package proxy

import (
	"errors"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/wire"
)

// offerer is an Out that can take bytes without waiting for the client.
type offerer interface {
	// Offer is Write, but what the client does not take at once is kept until
	// the next Flush or Write; behind tells that there is such a rest.
	Offer(p []byte) (behind bool, err error)
}

// forward sends body bytes to the client. If it does not keep up, and the
// reply is not to be passed on as it comes, a spool goes between.
func (x *exchange) forward(p []byte) error {
	r := x.r
	switch {
	case x.spool != nil:
		return x.spool.put(p)
	case r.Reply.Hurry || r.Reply.NoBody:
		return r.Out.Write(p)
	case r.RateLimit > 0 && r.Reply.BodySent+int64(len(p)) > r.RateAfter:
		x.startSpool()
		return x.spool.put(p)
	}
	out, ok := r.Out.(offerer)
	if !ok {
		return r.Out.Write(p)
	}
	behind, err := out.Offer(p)
	if behind && !x.decoder.Done() {
		x.startSpool()
	}
	return err
}

// startSpool puts a spool between upstream and client.
func (x *exchange) startSpool() {
	h := x.h
	s := &spool{out: x.r.Out, dir: h.tempDir, memory: h.bufferMemory, disk: h.maxTempFile}
	s.opened = func() {
		x.describe(x.attemptNow().Addr)
		x.r.LogError(errorlog.Warn, "an upstream response is buffered to a temporary file in "+h.tempDir+" while reading upstream")
	}
	s.failure = func(call string, err error) {
		x.describe(x.attemptNow().Addr)
		x.r.LogError(errorlog.Crit, call+" \""+h.tempDir+"\" failed ("+errno.Text(err)+") while reading upstream")
	}
	x.spool, x.slow = s, true
	s.run()
}

// endSpool waits until the client has all that the spool holds, or gives it
// up.
func (x *exchange) endSpool(giveUp bool) error {
	if x.spool == nil {
		return nil
	}
	err := x.spool.close(giveUp)
	x.spool = nil
	return err
}

// errLeft ends a pause for a client that has gone.
var errLeft = errors.New("client left")

// throttle keeps the reading from the upstream below proxy_limit_rate.
func (x *exchange) throttle() error {
	due := x.bodyBegan + int64(float64(x.attemptNow().Length)/float64(x.limit)*float64(time.Second))
	for first := true; ; first = false {
		left := time.Duration(due - wire.Now())
		switch {
		case left <= 0:
			return nil
		case x.gone.Load():
			return errLeft
		case first && x.spool == nil:
			x.paused()
		}
		time.Sleep(min(left, pauseAfter))
	}
}

// limitedRate is proxy_limit_rate for this reply in bytes per second, 0 for
// none. As in nginx it holds for buffered replies only.
func (x *exchange) limitedRate() int64 {
	if x.h.limitRate == nil || x.r.Reply.Hurry {
		return 0
	}
	n, ok := config.ParseSize(string(x.h.limitRate.Value(x.r)))
	if !ok {
		return 0
	}
	return n
}
