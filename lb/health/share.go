package health

import (
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// mostBudget is how many probes on doubt a node makes in a second at most.
const mostBudget = 50

// budget bounds probes on doubt: mostBudget at once, and as many in a second.
type budget struct {
	spent float64
	at    time.Time
}

// take takes one, if there is one left.
func (b *budget) take(now time.Time) bool {
	b.spent = max(0, b.spent-mostBudget*now.Sub(b.at).Seconds())
	b.at = now
	if b.spent > mostBudget-1 {
		return false
	}
	b.spent++
	return true
}

// SetNodes tells who shares the checking; telling the same again changes
// nothing. Peers that this node is to check now
// and did not before begin with what is known of them, and are probed when it
// is their turn.
func (c *Checker) SetNodes(n Nodes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, next := time.Now(), newRoll(n)
	if next.same(&c.roll) {
		return
	}
	c.roll = next
	if !c.roll.alone() {
		c.settled = now.Add(leastFresh)
	}
	c.ledger.alive(n.Alive, now)
	c.everyone(func(s *subject) { c.assign(s) })
	c.nudge() // there may be silent nodes to look for
}

// Hear takes in what other nodes say, in any order and any number of times; the
// newest of each node and peer, by Boot and Seq, counts. All verdicts that
// change by it change together.
func (c *Checker) Hear(list []Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	var changes judgements
	for i := range list {
		r := &list[i]
		if r.Node == c.roll.ids[0] || !c.ledger.merge(*r, now) {
			continue
		}
		if s := c.subject(r.Peer); s == nil {
			c.ledger.clean(r.Peer)
		} else if !s.group.local() {
			c.heed(s, r, now)
			c.judge(s, &changes)
		}
	}
	changes.tell()
}

// Refresh notes that all that some nodes have said so far holds on.
func (c *Checker) Refresh(nodes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, node := range nodes {
		c.ledger.witness(node).seen = now
	}
}

// subject finds a peer under check; nil: it is not.
func (c *Checker) subject(id upstream.PeerID) *subject {
	if g := c.groups[id.Upstream]; g != nil {
		return g.subjects[id]
	}
	return nil
}

// everyone does something with each peer under check, and makes its verdict
// anew. c.mu is held.
func (c *Checker) everyone(do func(*subject)) {
	var changes judgements
	for _, g := range c.groups {
		for _, s := range g.subjects {
			do(s)
			c.judge(s, &changes)
		}
	}
	changes.tell()
}

// judge makes the verdict on a peer, after reports of others, and notes a change.
func (c *Checker) judge(s *subject, changes *judgements) {
	if c.decide(s) {
		changes.add(s)
		c.tellOfNodes(s)
	}
}

// asks reports whether this node checks a peer.
func (s *subject) asks() bool { return s.duty || s.extra }

// assign finds out whether this node is to check a peer, lets it begin or end,
// and reports whether it has done either. c.mu is held.
func (c *Checker) assign(s *subject) bool {
	s.panel = c.roll.panel(s.key)
	duty := s.group.local() || s.panel.rank() >= 0
	if duty == s.duty {
		return false
	}
	if s.duty = duty; !duty {
		c.layDown(s)
		return true
	}
	now := time.Now()
	known := s.nodes
	if known == StatusUnknown { // it is new here, but may not be to others
		e := c.evidence(s, now)
		known = e.Nodes()
	}
	for _, t := range s.targets {
		if !s.extra && t.tally.status == StatusUnknown {
			t.tally.status = known
		}
		switch {
		case t.busy || t.index >= 0: // it asks already
		case known == StatusUnknown:
			c.schedule(t, c.firstTurn())
		default:
			c.schedule(t, t.aligned(now))
		}
	}
	s.extra = false
	s.setOwn(opinion(s.targets))
	return true
}

// layDown ends the checking of a peer by this node. c.mu is held.
func (c *Checker) layDown(s *subject) {
	s.extra = false
	for _, t := range s.targets {
		t.tally, t.rush, t.again, t.asked = tally{}, false, false, false
		c.rest(t)
	}
	s.setOwn(StatusUnknown)
	c.retract(s)
}

// rest lets a target wait for nothing, and closes its connection, unless a
// probe is on its way. c.mu is held.
func (c *Checker) rest(t *target) {
	c.unschedule(t)
	if !t.busy && t.place != nil {
		t.place.close()
		t.place = nil
	}
}

// fresh is how long reports on a peer count after a sign of life of their node.
func (s *subject) fresh() time.Duration {
	longest := leastFresh
	for _, t := range s.targets {
		longest = max(longest, 3*t.check.Interval)
	}
	return longest
}

// evidence puts together what is known of a peer.
func (c *Checker) evidence(s *subject, now time.Time) Evidence {
	e := Evidence{Before: s.nodes, Own: s.own, Prober: s.duty, Mandatory: s.group.mandatory(), Proven: s.proven(now)}
	if s.group.local() {
		return e
	}
	e.Settling, e.Held = now.Before(c.settled), c.shares(s) && s.steadiness.holds(now)
	fresh := s.fresh()
	for _, who := range s.panel.who[:s.panel.n] {
		if who == 0 {
			continue
		}
		if h := c.ledger.of(s.id, c.roll.ids[who], now, fresh); h != nil {
			e.Votes[e.Others] = Vote{Status: h.Status, Later: h.at.After(s.ownSince)}
		}
		e.Others++
	}
	return e
}

// proven reports whether the checks here contradict what the nodes say of a
// peer that they call down: they have passed since, though this node did not
// agree before, or for an interval, unless the peer is held.
func (s *subject) proven(now time.Time) bool {
	if s.own != StatusUp || s.nodes != StatusDown || !s.passedAt.After(s.nodesSince) {
		return false
	}
	if !s.agreed {
		return true
	}
	if s.steadiness.holds(now) {
		return false
	}
	for _, t := range s.targets {
		if now.Sub(s.ownSince) < t.check.Interval {
			return false
		}
	}
	return true
}

// reasonOf finds out why a verdict is what it is.
func (c *Checker) reasonOf(s *subject, now time.Time, v upstream.Verdict) Reason {
	if v != upstream.VerdictUnhealthy {
		return ReasonNone
	}
	if s.own == StatusDown && s.report.Status == StatusDown {
		return s.report.Reason
	}
	for _, who := range s.panel.who[:s.panel.n] {
		if h := c.ledger.of(s.id, c.roll.ids[who], now, s.fresh()); h != nil && h.Status == StatusDown {
			return h.Reason
		}
	}
	return s.reason
}
