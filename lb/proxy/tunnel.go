package proxy

import (
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// checkUpgrade accepts a 101 only as the answer to a request that asked for
// another protocol (RFC 9110, 15.2.2).
func (x *exchange) checkUpgrade() *failure {
	for i := range x.h.set {
		if f := &x.h.set[i]; request.Known([]byte(f.name)) == request.FieldUpgrade && len(f.value.Value(x.r)) > 0 {
			return nil
		}
	}
	return &failure{kind: config.NextInvalidHeader, status: 502,
		message: "upstream switched protocols without being asked to while reading response header from upstream"}
}

// relayer is the body of a 101: a connection that has left HTTP.
type relayer interface{ relay(client request.Tunnel) }

// tunnel relays bytes in both directions after a 101, until one side ends or
// nothing has moved for proxy_read_timeout.
func (d *delivery) tunnel() request.Verdict {
	r := d.r
	r.Reply.Length, r.Reply.NoBody = -1, true
	d.filter()
	r.Reply.Close = true
	peer, ok := d.body.(relayer)
	if !ok {
		return d.lost()
	}
	client, ok := r.Out.Tunnel()
	if !ok {
		return d.lost()
	}
	peer.relay(client)
	return request.Done
}

// relay moves bytes both ways; it returns when both directions have ended. The
// attempt is over then.
func (x *exchange) relay(client request.Tunnel) {
	a, c := x.attemptNow(), x.conn
	var last atomic.Int64
	last.Store(wire.Now())
	alive := func() int64 {
		if x.h.ReadTimeout <= 0 {
			return wire.Now() + int64(24*time.Hour)
		}
		return last.Load() + int64(x.h.ReadTimeout)
	}
	var sent int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = client.Each(func(p []byte) error { // every end of a tunnel is the same
			last.Store(wire.Now())
			n, err := c.Write(p)
			sent += int64(n)
			return err
		}, alive)
		c.Interrupt()
	}()
	take := func(p []byte) error {
		last.Store(wire.Now())
		a.Received += int64(len(p))
		a.Length += int64(len(p))
		n, err := client.Write(p)
		x.r.Reply.BodySent += int64(n)
		x.r.Reply.Sent += int64(n)
		return err
	}
	// What came together with the 101 goes first.
	err := take(c.Buffered())
	c.Free()
	if err == nil {
		_ = c.Each(take, alive)
	}
	client.Interrupt()
	<-done
	a.Sent += sent
}
