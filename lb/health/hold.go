package health

import (
	"fmt"
	"slices"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

const (
	// The first and the longest hold.
	leastHold = time.Second
	mostHold  = 30 * time.Second
	// quietHolds is for how many holds, the last one or the least, a peer must
	// be up to count as steady: so holds keep it away for less than a tenth of
	// the time for which it would be of use.
	quietHolds = 10
)

// steadiness is how often in a row the nodes have lost a peer soon after they
// had taken it back. The zero value is that of a steady peer.
type steadiness struct {
	back  time.Time     // when they took it back last; zero: they never lost it
	hold  time.Duration // how long it was held when they lost it last; 0: not at all
	until time.Time     // when the last hold is over
}

// fallen is what becomes of it when the nodes lose the peer: who was steady may
// come back as soon as checks pass, who was not is held, for twice as long each
// time. It has no side effects.
func (s steadiness) fallen(now time.Time) steadiness {
	if s.back.IsZero() || now.Sub(s.back) >= quietHolds*max(s.hold, leastHold) {
		return steadiness{}
	}
	s.hold = min(max(2*s.hold, leastHold), mostHold)
	s.until = now.Add(s.hold)
	return s
}

// holds reports whether the peer may not be taken back yet.
func (s steadiness) holds(now time.Time) bool { return now.Before(s.until) }

// shares reports whether nodes share the checking of a peer.
func (c *Checker) shares(s *subject) bool { return !c.roll.alone() && !s.group.local() }

// turn notes that the nodes have lost a peer, or have taken it back. Each node
// does so by itself: all see the same turns, though not quite at the same time.
func (c *Checker) turn(s *subject, before Status, now time.Time) {
	switch {
	case !c.shares(s):
		s.steadiness = steadiness{}
	case before == StatusDown:
		s.steadiness.back, s.steadiness.until = now, time.Time{}
	case s.nodes == StatusDown:
		was := s.steadiness
		if s.steadiness = was.fallen(now); s.steadiness.hold == 0 && len(c.held) == 0 {
			return
		}
		if s.group.short() {
			s.steadiness = steadiness{}
			c.relent(s.group)
		} else if s.steadiness.hold > 0 {
			if !slices.Contains(c.held, s) {
				c.held = append(c.held, s)
			}
			c.nudge() // it ends in time
			c.tellOfHold(s, now.Sub(was.back))
		}
	}
}

// short reports whether less than half of the peers that are wanted are up. Then
// it is not one of them that is unsteady, and each is needed.
func (g *group) short() bool {
	wanted, up := 0, 0
	for _, p := range g.roster.Pool().Peers() {
		s := g.subjects[p.PeerID()]
		if s == nil || !p.Wanted() {
			continue
		}
		wanted++
		if s.nodes != StatusDown && s.verdict != upstream.VerdictChecking {
			up++
		}
	}
	return 2*up < wanted
}

// relent ends all holds of an upstream, a moment later.
func (c *Checker) relent(g *group) {
	for _, s := range c.held {
		if s.group == g {
			s.steadiness = steadiness{}
			c.nudge()
		}
	}
}

// relentWhereShort ends the holds of upstreams that have become short of peers,
// by an order say.
func (c *Checker) relentWhereShort() {
	for _, s := range c.held {
		if s.steadiness.hold > 0 && s.group.short() {
			c.relent(s.group)
		}
	}
}

// release makes the verdicts anew on peers whose holds are over, and returns
// when to call it again. c.mu is held.
func (c *Checker) release(now time.Time) time.Duration {
	wait := forever
	var free []*subject
	c.held = slices.DeleteFunc(c.held, func(s *subject) bool {
		if s.steadiness.holds(now) {
			wait = min(wait, s.steadiness.until.Sub(now))
			return false
		}
		free = append(free, s)
		return true
	})
	var changes judgements
	for _, s := range free {
		c.judge(s, &changes)
	}
	changes.tell()
	return wait
}

// tellOfHold writes into the log that a peer is held, and after which time.
func (c *Checker) tellOfHold(s *subject, up time.Duration) {
	c.o.Log.Log(errorlog.Warn, 0, fmt.Sprintf("peer is held for %s, it failed again %s after it was healthy, peer %s in upstream %q",
		s.steadiness.hold, up.Round(time.Millisecond), s.id.Addr, s.id.Upstream))
}
