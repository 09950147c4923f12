package connect

import (
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// Keepalive limits the idle connections of one upstream.
type Keepalive struct {
	// Connections to keep idle at most; 0 keeps none, Auto as many as were in
	// use at a time within the last minute.
	Connections int
	Requests    int           // over one connection
	Time        time.Duration // from its beginning; 0: no limit
	Timeout     time.Duration // of being idle; 0: no limit
}

// Auto lets a group size itself.
const Auto = -1

// autoFloor is what a self-sized group keeps in any case; nginx's default.
const autoFloor = 32

// Group keeps the idle connections of one upstream. It is safe for concurrent
// use.
type Group struct {
	mu     sync.Mutex
	limits Keepalive

	newest, oldest *Conn // of all idle ones
	idle           int
	busy           int // handed out or dialled, and not yet put back or dropped
	peak, before   int // most busy in this minute and in the one before
	turn           int64

	shared []*shared // see share.go
}

// stack is what hangs on a Peer: its idle connections, newest first, and those
// that exchanges share.
type stack struct {
	newest *Conn
	shared []*shared  // oldest first
	dials  []*sharing // being made
	room   int        // for how many exchanges the last one had room that was full; at first a guess
}

// stackOf returns what hangs on a peer.
func stackOf(p *upstream.Peer) *stack {
	if s, _ := p.Conns().(*stack); s != nil {
		return s
	}
	return p.SetConns(&stack{room: firstRoom}).(*stack)
}

// NewGroup returns a group without connections.
func NewGroup(limits Keepalive) *Group { return &Group{limits: limits} }

// Configure sets new limits, which hold for what is put back from now on.
func (g *Group) Configure(limits Keepalive) {
	g.mu.Lock()
	g.limits = limits
	g.mu.Unlock()
}

// Take returns the newest idle connection to a peer that fits a profile, or
// nil. Either way the caller counts as busy until Put or Drop.
func (g *Group) Take(p *upstream.Peer, f *Profile) *Conn {
	s, _ := p.Conns().(*stack)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy++
	g.peak = max(g.peak, g.busy)
	if s == nil {
		return nil
	}
	for c := s.newest; c != nil; c = c.older {
		if c.profile == f || c.profile.Key == f.Key {
			g.unlink(s, c)
			c.Peer = p
			c.Reused = true
			return c
		}
	}
	return nil
}

// Enter counts the caller as busy, as Take does, without taking anything.
func (g *Group) Enter() {
	g.mu.Lock()
	g.busy++
	g.peak = max(g.peak, g.busy)
	g.mu.Unlock()
}

// Put keeps a connection whose exchange has ended cleanly, or closes one; now
// is wire.Now.
func (g *Group) Put(c *Conn, now int64) {
	if len(c.Buffered()) > 0 { // the peer sent what nobody asked for
		g.Drop(c)
		return
	}
	c.Free()
	c.long = false
	c.ClearInterrupt()
	s := stackOf(c.Peer)
	var victim *Conn
	g.mu.Lock()
	g.busy--
	limit := g.limit(now)
	switch {
	case limit == 0 || c.Peer.Retired() || !c.usable(&g.limits, now):
		victim = c
	default:
		if g.idle >= limit {
			victim = g.oldest
			g.unlink(victim.Peer.Conns().(*stack), victim)
		}
		c.since = now
		g.link(s, c)
	}
	g.mu.Unlock()
	if victim != nil {
		_ = victim.Close() // nothing is lost with an idle connection
	}
}

// Drop ends the use of a connection that cannot serve again, nil if none could
// be made.
func (g *Group) Drop(c *Conn) {
	g.mu.Lock()
	g.busy--
	g.mu.Unlock()
	if c != nil {
		_ = c.Close() // the exchange's own error has been reported already
	}
}

// limit is how many may be idle now.
func (g *Group) limit(now int64) int {
	if g.limits.Connections != Auto {
		return g.limits.Connections
	}
	if now-g.turn > int64(time.Minute) {
		g.before, g.peak, g.turn = g.peak, g.busy, now
	}
	return max(autoFloor, g.peak, g.before)
}

func (g *Group) link(s *stack, c *Conn) {
	c.older, c.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = c
	}
	s.newest = c
	c.next, c.prev = g.newest, nil
	if g.newest != nil {
		g.newest.prev = c
	} else {
		g.oldest = c
	}
	g.newest = c
	g.idle++
}

func (g *Group) unlink(s *stack, c *Conn) {
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		s.newest = c.older
	}
	if c.older != nil {
		c.older.newer = c.newer
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		g.newest = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		g.oldest = c.prev
	}
	c.older, c.newer, c.prev, c.next = nil, nil, nil, nil
	g.idle--
}

// Sweep closes what has been idle for too long or belongs to a peer that is no
// longer part of the upstream. It is called about once a second.
func (g *Group) Sweep() {
	now := wire.Now()
	var closing []*Conn
	g.mu.Lock()
	timeout := int64(g.limits.Timeout)
	for c := g.oldest; c != nil; {
		newer := c.prev
		if timeout > 0 && now-c.since >= timeout || c.Peer.Retired() {
			g.unlink(c.Peer.Conns().(*stack), c)
			closing = append(closing, c)
		}
		c = newer
	}
	g.sweepShared(now)
	g.mu.Unlock()
	for _, c := range closing {
		_ = c.Close() // nothing is lost with an idle connection
	}
}

// Idle is how many connections are kept.
func (g *Group) Idle() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.idle
}

// Close closes all idle connections; those that exchanges share end with them.
func (g *Group) Close() {
	var closing []*Conn
	g.mu.Lock()
	for _, s := range g.shared {
		s.client.Retire()
	}
	for g.newest != nil {
		closing = append(closing, g.newest)
		g.unlink(g.newest.Peer.Conns().(*stack), g.newest)
	}
	g.mu.Unlock()
	for _, c := range closing {
		_ = c.Close() // nothing is lost with an idle connection
	}
}
