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
	slots, which, late := g.slots, m.measure.index(), false
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
		loads[i] = step * (1 + int64(h.conns))
	}
	g.close(&a.tried)
	if late || m.inflight {
		m.refine(g, a.Now)
	}
	return g.lightest(true)
}

// refine computes the loads again that depend on the time. It is apart because
// it is seldom needed and would make the loop before it slow.
func (m leastTime) refine(g *group, now int64) {
	sec, which := now/int64(time.Second), m.measure.index()
	for i, load := range g.loads {
		if load == closed {
			continue
		}
		s, r := &g.slots[i], g.records[i]
		late := s.hot.steps[which] > grain && sec-s.hot.checked > int64(s.failTimeout)
		if late || m.inflight && r.inflight.requests > 0 {
			g.loads[i] = m.step(s, r, now) * (1 + int64(s.hot.conns))
		}
	}
}

// step returns the rounded average of a peer at time now, in nanoseconds. It is
// halved for every fail_timeout in which the peer was not picked, so that one
// that was slow once gets another chance.
func (m leastTime) step(s *slot, r *resident, now int64) int64 {
	t := r.times[m.measure.index()]
	idle, timeout := now/int64(time.Second)-s.hot.checked, int64(s.failTimeout)
	if idle > timeout && t > 0 {
		t >>= min(uint64(idle/(timeout+1)), 63)
	}
	if m.inflight {
		t = max(t, r.inflight.observe(now))
	}
	return cluster(t)
}

// cluster rounds a time in ms so that nearly equal ones are equal.
func cluster(t int64) int64 {
	if t > slowest {
		return slowest
	}
	ms := uint32(t)
	return int64(ms + grain - ms%grain)
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

// observe lets the mean age of the requests in work flow into the average and
// returns that; 0 when there are none.
func (f *inflight) observe(now int64) int64 {
	if f.requests <= 0 {
		return 0
	}
	f.average = average(f.average, f.sum/f.requests+now/int64(time.Millisecond)-f.changed)
	return f.average
}
