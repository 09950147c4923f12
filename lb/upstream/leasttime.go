package upstream

import (
	"math"
	"slices"
	"time"
)

// leastTime picks the peer that is expected to be done with all its requests
// first, in proportion to its weight, and takes turns among equals.
type leastTime struct {
	measure  Measure
	inflight bool
}

const (
	slowest = 5000 // ms: all slower peers are equally bad
	grain   = 20   // ms: times closer than this are equal
)

func (leastTime) prepare(*group) {}

func (m leastTime) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	if m.inflight {
		return g.lightest(m.watch(g, a, now), true)
	}
	least, late := m.weigh(g, now)
	if a.tried.n > 0 || late {
		g.close(&a.tried)
		m.refine(g, now)
		least = slices.Min(g.loads)
	}
	return g.lightest(least, true)
}

// weigh computes the loads as far as they do not depend on the time, returns
// the least and reports whether some do.
func (m leastTime) weigh(g *group, now int64) (least int64, late bool) {
	least = closed
	slots, which := g.slots, m.measure.index()
	loads := g.loads[:len(slots)]
	for i := range slots {
		s := &slots[i]
		h := s.hot
		if !s.open(h, now) {
			loads[i] = closed
			continue
		}
		step := int64(h.steps[which])
		if step > grain && now-h.checked > int64(s.failTimeout) {
			late = true
		}
		load := g.proportion(s, step*(1+int64(h.conns)))
		loads[i] = load
		least = min(least, load)
	}
	return least, late
}

// refine computes the loads again that depend on the time. It is apart because
// it is seldom needed and would make the loop before it slow.
func (m leastTime) refine(g *group, now int64) {
	for i, load := range g.loads {
		if load != closed && g.slots[i].late(m.measure, now) {
			s := &g.slots[i]
			g.loads[i] = g.proportion(s, m.step(s, g.records[i], now)*(1+int64(s.hot.conns)))
		}
	}
}

// watch computes the loads with the age of the requests in work, and returns
// the least. Each pick moves the average age of every peer that can take the
// request, but most averages are at rest, and stay so within a millisecond:
// only loads that may have changed are computed anew.
func (m leastTime) watch(g *group, a *PickArgs, now int64) int64 {
	if !g.inUse { // what happens to its peers is not told to it
		clear(g.until)
	}
	least := int64(closed)
	ms := a.Now / int64(time.Millisecond)
	until := g.until
	loads := g.loads[:len(until)]
	for i := range until {
		if ms >= until[i] && !(a.tried.n > 0 && a.tried.test(i)) {
			loads[i], until[i] = m.observed(g, i, a.Now)
		}
		least = min(least, loads[i])
	}
	if a.tried.n > 0 {
		g.close(&a.tried)
		least = slices.Min(loads)
	}
	return least
}

// observed lets the ages of a peer's requests in work flow into their average,
// and returns its load and the ms from which on that must be computed anew even
// if nothing happens to the peer; 0: at the next pick.
func (m leastTime) observed(g *group, i int, at int64) (load, until int64) {
	s, which := &g.slots[i], m.measure.index()
	h, f := s.hot, g.ages[i]
	now, ms := at/int64(time.Second), at/int64(time.Millisecond)
	turn := (h.checked + int64(s.failTimeout) + 1) * 1000 // ms: failures are forgiven then, and times begin to fade
	switch {
	case h.conns >= s.room:
		return closed, math.MaxInt64
	case !s.live(h, now):
		return closed, turn
	case int64(h.steps[which]) > grain && now-h.checked > int64(s.failTimeout):
		return g.proportion(s, m.faded(s, g.records[i], at)*(1+int64(h.conns))), 0
	}
	step, until := int64(h.steps[which]), int64(math.MaxInt64)
	if step > grain {
		until = turn
	}
	if f.requests > 0 {
		until = ms + 1
		if !f.rests(ms) {
			f.observe(ms)
			until = 0
		}
		if f.steps[which] == 0 {
			f.steps[which] = int16(cluster(max(g.records[i].times[which], f.average)))
		}
		step = int64(f.steps[which])
	}
	return g.proportion(s, step*(1+int64(h.conns))), until
}

// faded returns the step of a peer that was not picked for long, the age of its
// requests in work included. Such peers are few when there is much to pick.
func (m leastTime) faded(s *slot, r *resident, now int64) int64 {
	t := m.recent(s, r, now/int64(time.Second))
	if r.inflight.requests > 0 {
		r.inflight.observe(now / int64(time.Millisecond))
		t = max(t, r.inflight.average)
	}
	return cluster(t)
}

// late reports whether the average of s has begun to fade: the peer was not
// picked for longer than fail_timeout. One of the best step need not fade.
func (s *slot) late(m Measure, now int64) bool {
	return s.hot.steps[m.index()] > grain && now-s.hot.checked > int64(s.failTimeout)
}

// step returns the rounded average of a peer at second now.
func (m leastTime) step(s *slot, r *resident, now int64) int64 {
	return cluster(m.recent(s, r, now))
}

// recent returns the average of a peer at second now. It is halved for every
// fail_timeout in which the peer was not picked, so that one that was slow once
// gets another chance.
func (m leastTime) recent(s *slot, r *resident, now int64) int64 {
	t := r.times[m.measure.index()]
	idle, timeout := now-s.hot.checked, int64(s.failTimeout)
	if idle > timeout && t > 0 {
		t >>= min(uint64(idle/(timeout+1)), 63)
	}
	return t
}

// cluster rounds a time in ms so that nearly equal ones are equal.
func cluster(t int64) int64 {
	if t > slowest {
		return slowest
	}
	ms := uint32(t)
	return int64(ms + grain - ms%grain)
}
