package health

import (
	"slices"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

const (
	// mostSuspects is how many failures of requests may wait to be looked at.
	mostSuspects = 1024
	// suspectGap is how often at most a node tells of requests that fail at a
	// peer, or repeats what another has told.
	suspectGap = time.Second
	// suspectKept is how long what a node has told of a peer that it does not
	// check stands.
	suspectKept = 10 * time.Second
	// sweepEvery is how often silent nodes are looked for.
	sweepEvery = time.Second
)

// Suspect says that a request has failed at a peer. Where nodes share the
// checking, all who check the peer probe it at once.
func (c *Checker) Suspect(id upstream.PeerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.subject(id)
	if s == nil || !c.shares(s) || s.verdict == upstream.VerdictUnhealthy {
		return
	}
	now := time.Now()
	if now.Sub(s.suspectAt) >= suspectGap {
		s.suspectAt = now
		c.publish(s, StatusSuspect, Finding{Reason: ReasonPassive})
		if !s.asks() {
			c.doubted = append(c.doubted, s)
		}
	}
	c.rouse(s, now, false)
}

// heed looks at what another node says of a peer: who checks it and does not
// say the same looks again at once.
func (c *Checker) heed(s *subject, r *Report, now time.Time) {
	switch {
	case (r.Status == StatusSuspect || r.Status == StatusDown) && s.own != StatusDown:
		s.suspectAt = now
		c.rouse(s, now, true)
	case r.Status == StatusUp && s.own == StatusDown:
		c.rouse(s, now, false)
	}
}

// rouse lets this node probe a peer at once, if it is one that checks it. asked
// says that another node waits for the result. c.mu is held.
func (c *Checker) rouse(s *subject, now time.Time, asked bool) {
	if !s.asks() {
		return
	}
	for _, t := range s.targets {
		t.rush = true
		t.asked = t.asked || asked
		if t.busy { // that probe may be older than the fault
			t.again = true
			continue
		}
		at := now
		if soonest := t.begun.Add(fastest); soonest.After(at) {
			at = soonest
		}
		if t.index < 0 || at.Before(t.due) {
			c.unschedule(t)
			c.schedule(t, at)
		}
	}
}

// doubt lets this node probe a peer at once that the others call down, if there
// have not been too many such probes. c.mu is held.
func (c *Checker) doubt(s *subject, now time.Time) {
	if !c.shares(s) || !c.budget.take(now) {
		return
	}
	if !s.asks() {
		s.extra = true
		for _, t := range s.targets {
			t.tally = tally{status: StatusUp}
		}
	}
	c.rouse(s, now, false)
}

// sweep looks for nodes that have fallen silent, whose reports count no longer,
// and for suspicions that are over. It returns when to call it again; c.mu is
// held.
func (c *Checker) sweep(now time.Time) time.Duration {
	if c.roll.alone() {
		return forever
	}
	if wait := c.sweepAt.Sub(now); wait > 0 {
		return wait
	}
	c.sweepAt = now.Add(sweepEvery)
	c.doubted = slices.DeleteFunc(c.doubted, func(s *subject) bool {
		if s.asks() || s.report.Status != StatusSuspect {
			return true
		}
		if now.Sub(s.report.Since) < suspectKept {
			return false
		}
		c.retract(s)
		return true
	})
	c.relentWhereShort()
	stale := slices.ContainsFunc(c.roll.ids[1:], func(id string) bool {
		w := c.ledger.nodes[id]
		return w != nil && now.Sub(w.seen) > leastFresh
	})
	if stale || c.stale {
		c.everyone(func(*subject) {})
	}
	c.stale = stale || now.Before(c.settled)
	return sweepEvery
}
