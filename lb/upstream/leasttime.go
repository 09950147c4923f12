package upstream

import "time"

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

func (m leastTime) prepare(g, _ *group) { g.loads.of = m }

func (m leastTime) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	if m.inflight {
		m.follow(g, a)
	}
	return g.lightest(a, true)
}

// load implements loader. With inflight it lets the ages of a peer's requests
// in work flow into their average, which each pick does for every peer that can
// take the request; but most averages are at rest, and stay so until some ms.
func (m leastTime) load(g *group, i int, at int64) (load, until int64) {
	s, ms := &g.slots[i], at/int64(time.Millisecond)
	if load, until = s.access(at); load == closed {
		return load, until
	}
	if until = m.turn(s); ms >= until {
		load, until = m.faded(s, g.records[i], at)
		return g.proportion(s, load*(1+int64(s.hot.conns))), until
	}
	f := g.ages[i]
	if !m.inflight || f.requests == 0 {
		return g.proportion(s, int64(s.hot.steps[m.measure.index()])*(1+int64(s.hot.conns))), until
	}
	if !f.rests(ms) {
		f.observe(ms)
		if !g.loads.told {
			g.records[i].moved() // the newest group has not seen it
		}
	}
	if f.rests(ms) {
		until = min(until, f.restsUntil())
	} else {
		g.loads.turn = min(g.loads.turn, until)
		until = aging
	}
	return m.aged(g, i), until
}

// turn returns the ms from which on the times of s fade, never if they do not.
func (m leastTime) turn(s *slot) int64 {
	if s.hot.steps[m.measure.index()] <= grain {
		return never
	}
	return s.turn()
}

// aged returns the load of a peer with requests in work.
func (m leastTime) aged(g *group, i int) int64 {
	s, f, which := &g.slots[i], g.ages[i], m.measure.index()
	if f.steps[which] == 0 {
		f.steps[which] = int16(cluster(max(g.records[i].times[which], f.average)))
	}
	return g.proportion(s, int64(f.steps[which])*(1+int64(s.hot.conns)))
}

// follow lets the ages that are not at rest flow into their averages. Few of
// these steps lead to another load.
func (m leastTime) follow(g *group, a *PickArgs) {
	l, ms, which := g.loads, a.Now/int64(time.Millisecond), m.measure.index()
	if !l.told || ms >= l.turn {
		return // all are looked at
	}
	list := l.aging
	l.aging = list[:0]
	for _, i := range list {
		if l.until[i] != aging || a.tried.has(int(i)) {
			continue
		}
		f := g.ages[i]
		if f.observe(ms); f.steps[which] == 0 {
			l.known[i] = m.aged(g, int(i))
		}
		if f.rests(ms) {
			l.until[i] = min(m.turn(&g.slots[i]), f.restsUntil())
			l.turn = min(l.turn, l.until[i])
		} else {
			l.aging = append(l.aging, i)
		}
	}
}

// faded returns the step of a peer that was not picked for long, the age of its
// requests in work included, and the ms until which that is true. Such peers are
// few when there is much to pick.
func (m leastTime) faded(s *slot, r *resident, at int64) (step, until int64) {
	now := at / int64(time.Second)
	t := m.recent(s, r, now)
	if !m.inflight || r.inflight.requests == 0 {
		return cluster(t), (now + 1) * 1000
	}
	r.inflight.observe(at / int64(time.Millisecond))
	return cluster(max(t, r.inflight.average)), 0
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
