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

func (leastTime) prepare(*group) {}

func (m leastTime) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	best, many := -1, false
	var least, weight int64 // of best
	for i := range g.slots {
		s := &g.slots[i]
		if !s.open(s.hot, now) || a.tried.has(i) {
			g.loads[i] = closed
			continue
		}
		if m.inflight {
			g.peers[i].resident.inflight.observe(a.Now)
		}
		t := m.estimate(g, i, now)
		g.loads[i] = t
		if mine, other := t*weight, least*int64(s.weight); best < 0 || mine < other {
			best, many = i, false
			least, weight = t, int64(s.weight)
		} else if mine == other {
			many = true
		}
	}
	if !many {
		return best
	}
	return g.tie(best, true)
}

// estimate returns the milliseconds the peer at position i is expected to need
// for its requests in work and one more.
func (m leastTime) estimate(g *group, i int, now int64) int64 {
	s := &g.slots[i]
	t := s.time(m.measure, now)
	if m.inflight {
		if f := &g.peers[i].resident.inflight; f.requests > 0 {
			t = max(t, f.average)
		}
	}
	return cluster(t) * (1 + int64(s.hot.conns))
}

// time returns the average of s, halved for every fail_timeout in which it was
// not picked, so that a peer that was slow once gets another chance.
func (s *slot) time(m Measure, now int64) int64 {
	h := s.hot
	t := int64(h.responseTime)
	if m == Header {
		t = int64(h.headerTime)
	}
	idle, timeout := now-h.checked, int64(s.failTimeout)
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
	return t + grain - t%grain
}

// inflight follows the age of the requests a peer has in work.
type inflight struct {
	requests int64
	sum      int64 // ms: ages of all at the time of changed
	changed  int64 // ms
	average  int64 // ms: moving average of the mean age, as seen by picks
}

func (f *inflight) begin(now int64) {
	ms := now / int64(time.Millisecond)
	if f.requests > 0 {
		f.sum += (ms - f.changed) * f.requests
	}
	f.changed = ms
	f.requests++
}

// end takes out a request that was in work for took.
func (f *inflight) end(took time.Duration, now int64) {
	ms := now / int64(time.Millisecond)
	if f.requests == 1 {
		f.sum = 0
	} else {
		f.sum += (ms-f.changed)*f.requests - took.Milliseconds()
		f.changed = ms
	}
	f.requests--
}

// observe lets the mean age of the requests in work flow into the average.
func (f *inflight) observe(now int64) {
	if f.requests > 0 {
		f.average = average(f.average, f.sum/f.requests+now/int64(time.Millisecond)-f.changed)
	}
}
