package connect

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// shared is one connection of HTTP/2, over which many exchanges run. A
// goroutine of its own reads from it as long as it lives.
type shared struct {
	stream  wire.Stream
	client  *http2.Client
	peer    *upstream.Peer
	profile *Profile
	group   *Group
}

// sharing is a connection that is being made; others who need one wait for it.
type sharing struct {
	key  string
	room int // for how many more it will do
	done chan struct{}
	err  error // once done is closed
}

const (
	// unread is how long a peer may take none of what it is sent.
	unread = time.Minute
	// restAfter is how long a connection must have been idle for its memory to
	// be given back.
	restAfter = int64(time.Second)
	// firstRoom is for how many exchanges a connection is expected to have room
	// before any has told (RFC 9113, 6.5.2).
	firstRoom = 100
)

// ErrNotHTTP2 is a TLS server that does not speak HTTP/2.
var ErrNotHTTP2 = errors.New("upstream did not choose HTTP/2 by ALPN")

// Reserve returns a connection to a peer with room for one more exchange, or
// nil; what was reserved is used up by Open or Unreserve of the client. now is
// wire.Now.
func (g *Group) Reserve(p *upstream.Peer, f *Profile, now int64) *http2.Client {
	s, _ := p.Conns().(*stack)
	if s == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reserve(s, f, now)
}

// reserve takes the oldest connection that has room, so that those made for a
// rush become idle again.
func (g *Group) reserve(s *stack, f *Profile, now int64) *http2.Client {
	limits := http2.ClientLimits{
		Requests: g.limits.Requests, Time: g.limits.Time, Once: g.limits.Connections == 0,
	}
	for _, c := range s.shared {
		if c.profile != f && c.profile.Key != f.Key {
			continue
		}
		if c.client.Reserve(now, &limits) {
			return c.client
		}
		s.room = c.client.Room()
	}
	return nil
}

// Join is Reserve, but where no connection has room it makes one, or waits for
// one that is being made, before ctx ends. fresh tells that it was made for
// the caller.
func (g *Group) Join(ctx context.Context, p *upstream.Peer, f *Profile, handshake time.Duration) (c *http2.Client, fresh bool, err error) {
	s := stackOf(p)
	for {
		g.mu.Lock()
		if c := g.reserve(s, f, wire.Now()); c != nil {
			g.mu.Unlock()
			return c, false, nil
		}
		d := s.dial(f.Key)
		if d == nil {
			d = &sharing{key: f.Key, room: max(s.room, 1) - 1, done: make(chan struct{})}
			s.dials = append(s.dials, d)
			g.mu.Unlock()
			c, err := g.share(ctx, d, p, f, handshake)
			return c, true, err
		}
		d.room--
		g.mu.Unlock()
		select {
		case <-d.done:
		case <-ctx.Done():
			return nil, false, dialError(ctx.Err())
		}
		// Its time and its client were not ours.
		if d.err != nil && !errors.Is(d.err, wire.ErrTimeout) && !errors.Is(d.err, wire.ErrInterrupted) {
			return nil, false, d.err
		}
	}
}

// dial returns a connection that is being made for a profile and will have
// room, if one is.
func (s *stack) dial(key string) *sharing {
	for _, d := range s.dials {
		if d.key == key && d.room > 0 {
			return d
		}
	}
	return nil
}

// share makes a connection, reserves room for the caller, and lets those who
// wait for it go on.
func (g *Group) share(ctx context.Context, d *sharing, p *upstream.Peer, f *Profile, handshake time.Duration) (*http2.Client, error) {
	c := &shared{peer: p, profile: f, group: g}
	d.err = c.connect(ctx, handshake)
	g.mu.Lock()
	defer g.mu.Unlock()
	s := stackOf(p)
	s.dials = slices.DeleteFunc(s.dials, func(x *sharing) bool { return x == d })
	close(d.done)
	if d.err != nil {
		return nil, d.err
	}
	limits := http2.ClientLimits{Once: g.limits.Connections == 0}
	if !c.client.Reserve(wire.Now(), &limits) {
		return nil, errors.Join(io.ErrUnexpectedEOF, c.stream.Close())
	}
	s.shared = append(s.shared, c)
	g.shared = append(g.shared, c)
	go c.run()
	return c.client, nil
}

// connect dials; over TLS the peer must choose HTTP/2.
func (c *shared) connect(ctx context.Context, handshake time.Duration) error {
	if err := dial(ctx, &c.stream, c.peer, c.profile, handshake); err != nil {
		return err
	}
	if t := c.stream.TLS(); t != nil && t.ConnectionState().NegotiatedProtocol != "h2" {
		return errors.Join(&HandshakeError{ErrNotHTTP2}, c.stream.Close())
	}
	c.stream.ReadWithin(wire.Now(), 0)
	c.stream.WriteWithin(unread)
	c.client = http2.NewClient(c)
	return nil
}

// run reads until the connection ends, and buries it.
func (c *shared) run() {
	err := c.read()
	c.client.End(err)
	g := c.group
	g.mu.Lock()
	same := func(x *shared) bool { return x == c }
	s := stackOf(c.peer)
	s.shared = slices.DeleteFunc(s.shared, same)
	g.shared = slices.DeleteFunc(g.shared, same)
	g.mu.Unlock()
	_ = c.stream.Close() // its exchanges know the reason already
}

var sharedBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// read hands everything that comes to the client. A plain connection holds no
// buffer while it waits.
func (c *shared) read() error {
	if !c.stream.Plain() {
		buf := make([]byte, 16<<10)
		for {
			n, err := c.stream.Read(buf)
			if err != nil {
				return err
			}
			if err := c.client.Receive(buf[:n]); err != nil {
				return err
			}
		}
	}
	var failed error
	err := c.stream.Serve(func(fd uintptr) bool {
		buf := sharedBuffers.Get().(*[64 << 10]byte)
		defer sharedBuffers.Put(buf)
		for {
			n, err := c.stream.ReadNow(fd, buf[:])
			if err == syscall.EAGAIN {
				return false
			}
			if err == nil {
				err = c.client.Receive(buf[:n])
			}
			if failed = err; err != nil {
				return true
			}
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// Offer implements http2.Transport.
func (c *shared) Offer(p []byte) (int, error) { return c.stream.Offer(0, p) }

// Pending implements http2.Transport.
func (c *shared) Pending() bool { return c.stream.Pending() }

// Write implements http2.Transport.
func (c *shared) Write(p []byte) (int, error) { return c.stream.Write(p) }

// Shutdown implements http2.Transport.
func (c *shared) Shutdown() { c.stream.Shutdown() }

// sweepShared ends connections that have been idle for too long, that are too
// many, or whose peer is no longer part of the upstream; g.mu is held.
func (g *Group) sweepShared(now int64) {
	idle := 0
	for i := len(g.shared) - 1; i >= 0; i-- {
		c := g.shared[i]
		since, ok := c.client.Idle()
		if !ok {
			if c.peer.Retired() {
				c.client.Retire()
			}
			continue
		}
		idle++
		timeout := int64(g.limits.Timeout)
		switch {
		case timeout > 0 && now-since >= timeout, c.peer.Retired(), idle > g.limit(now):
			c.client.Retire()
		case now-since >= restAfter:
			c.client.Rest()
		}
	}
}
