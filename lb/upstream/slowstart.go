package upstream

import (
	"math"
	"time"
)

// A server that turns usable (it has recovered, was let in by its first check,
// or was added while others served) does not get its share of the requests at
// once: its weight grows from nothing to what is configured, in a straight
// line over slow_start. Weights are whole numbers, so while one of a group
// grows all of that group are counted in hundredths. That is done where picks
// happen: between them nobody sees the weights.

const (
	// hundredths is what a weight of 1 counts while one of its group grows.
	hundredths = 100
	// growEvery is how often weights grow, if there are picks.
	growEvery = int64(10 * time.Millisecond)
	// never is when weights grow next where none has to.
	never = math.MaxInt64
)

// startsSlowly reports whether slow_start has a meaning for the method.
func (m Method) startsSlowly() bool {
	return m.Kind == RoundRobin || m.Kind == LeastConn || m.Kind == LeastTime
}

// welcome lets peers start slowly that may be picked now and could not be when
// old was in use, or were not there. It is called when p has taken old's place.
func (p *Pool) welcome(old *Pool, now int64) {
	if old == nil || !p.slow {
		return
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	before := map[*resident]admission{}
	for _, peer := range old.Peers() {
		before[peer.resident] = peer.admit
	}
	for _, peer := range p.Peers() {
		if was, known := before[peer.resident]; peer.admit != admitNone && (!known || was == admitNone) {
			p.startSlowly(peer, now)
		}
	}
}

// startSlowly begins the growth of a peer's weight. The lock is held.
func (p *Pool) startSlowly(peer *Peer, now int64) {
	if peer.slowStart > 0 && p.slow {
		peer.resident.usable = now
		p.shared.grows = 0
	}
}

// share is how much of its weight the peer has at time now: grown of whole.
func (p *Peer) share(now int64) (grown, whole int64) {
	age := now - p.resident.usable
	if p.resident.usable == longAgo || age >= p.slowStart {
		return 1, 1
	}
	ms := int64(time.Millisecond)
	return max(age, 0) / ms, max(p.slowStart/ms, 1)
}

// grow brings the weights of all peers to what they are at time now. The lock
// is held. A pool that is no longer in use leaves them alone.
func (p *Pool) grow(now int64) {
	if !p.primary.loads.told {
		return
	}
	p.shared.grows = never
	for _, g := range p.groups() {
		if p.slow && g.growing(now) {
			g.reweigh(g.finest(), now)
			p.shared.grows = now + growEvery
		} else {
			g.rest()
		}
	}
}

// growing reports whether a peer of the group has not got its whole weight yet.
func (g *group) growing(now int64) bool {
	for i := range g.peers {
		if grown, whole := g.peers[i].share(now); grown < whole {
			return true
		}
	}
	return false
}

// finest is what a weight of 1 counts at most, with the weights there are.
func (g *group) finest() int32 {
	heaviest := int32(1)
	for i := range g.peers {
		heaviest = max(heaviest, g.peers[i].weight)
	}
	return max(1, min(hundredths, math.MaxInt32/heaviest))
}

// rest gives all peers their whole weights, as they are written. The lock is
// held.
func (g *group) rest() {
	if g.scale != 1 {
		g.reweigh(1, never)
	}
}

// reweigh sets the weights to what they are at time now, where 1 counts scale.
func (g *group) reweigh(scale int32, now int64) {
	g.total, g.even = 0, true
	for i := range g.slots {
		p, s := &g.peers[i], &g.slots[i]
		weight := int64(p.weight) * int64(scale)
		if now != never {
			grown, whole := p.share(now)
			weight = max(1, weight*grown/whole)
		}
		t := g.turns[i]
		t.rescale(int64(scale), int64(g.scale))
		t.effective += int32(weight - int64(s.weight)*int64(scale)/int64(g.scale))
		s.weight, t.weight = int32(weight), int32(weight)
		t.effective = min(max(t.effective, 0), t.weight)
		g.total += weight
		g.even = g.even && s.weight == g.slots[0].weight
	}
	g.scale = scale
	g.loads.forget()
}

// rescale counts what round robin has noted in another unit.
func (t *turn) rescale(to, from int64) {
	if to != from {
		t.current = t.current * to / from
		t.effective = int32(int64(t.effective) * to / from)
	}
}
