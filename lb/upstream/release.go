package upstream

import "time"

// Release gives the peer picked with a back and says what the attempt came to.
// It reports whether this failure has shut the peer out, which the caller logs
// as "upstream server temporarily disabled"; failures of further requests that
// were under way at the same time are not reported again. Without a picked
// peer it does nothing.
func (p *Pool) Release(a *PickArgs, o Outcome) (disabled bool) {
	peer := a.peer
	if peer == nil {
		return false
	}
	a.peer = nil
	r := peer.resident
	peer.shared.mu.Lock()
	defer peer.shared.mu.Unlock()
	r.moved()
	if a.counted {
		a.counted = false
		r.inflight.end(o.ResponseTime, o.Now)
	}
	r.count(o)
	r.sample(p.how, o)
	r.hot.conns--
	peer.shared.queue.call(peer.shared.queue.first)
	if r.hot.conns == 0 && r.retired.Load() {
		peer.shared.zombies--
	}
	if o.Failed {
		peer.suspect(o.Now)
		return !p.single && peer.fail(o.Now)
	}
	if p.single || r.accessed < r.hot.checked {
		if r.hot.fails >= peer.slot.failLimit {
			p.startSlowly(peer, o.Now)
		}
		r.hot.fails = 0
		r.counters.returned(o.Now)
	}
	return false
}

// fail accounts a failure at time t and reports whether it shuts the peer out.
func (p *Peer) fail(t int64) bool {
	s, h, r := p.slot, p.slot.hot, p.resident
	now := t / int64(time.Second)
	// A checked newer than the last failure is a period opened by a pick:
	// the one live request of this fail_timeout has failed too.
	probe := r.accessed < h.checked
	h.fails = min(h.fails+1, noLimit-1)
	r.accessed, h.checked = now, now
	if s.failLimit == noLimit {
		return false
	}
	r.turn.effective = max(0, r.turn.effective-s.weight/s.failLimit)
	if h.fails < s.failLimit {
		return false
	}
	c := &r.counters
	if !c.out {
		c.out, c.downstart = true, t
		c.unavail++
	}
	return h.fails == s.failLimit || probe
}

// count adds the outcome to the counters of the status.
func (r *resident) count(o Outcome) {
	c := &r.counters
	class := o.Status / 100
	if class < 1 || class >= len(c.responses) {
		class = 0
	}
	c.responses[class]++
	c.sent += uint64(max(0, o.Sent))
	c.received += uint64(max(0, o.Received))
	if o.Failed {
		c.failures++
	}
}

// returned closes the period in which the peer was shut out.
func (c *counters) returned(t int64) {
	if c.out {
		c.out = false
		c.downtime += t - c.downstart
	}
}

// sample adds the times of a successful attempt to the averages. Others are
// left out lest a peer that fails fast look fast.
func (r *resident) sample(m Method, o Outcome) {
	if o.Failed || o.Next || o.HeaderTime < 0 {
		return
	}
	r.learn(LastByte, o.ResponseTime)
	if m.Inflight && m.Measure == Header {
		return // HeaderReceived did it
	}
	r.learn(Header, o.HeaderTime)
}

// HeaderReceived says, before Release, that the header of the reply has come,
// took after the begin of the attempt. Only least_time header inflight makes
// use of it; for every other method it costs nothing.
func (p *Pool) HeaderReceived(a *PickArgs, took time.Duration, now int64) {
	if !p.how.Inflight || p.how.Measure != Header || a.peer == nil {
		return
	}
	r := a.peer.resident
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	r.moved()
	r.learn(Header, took)
	if a.counted {
		a.counted = false
		r.inflight.end(took, now)
	}
}

// average moves an average of milliseconds by a twentieth towards v; the first
// value is taken as it is. 0 stands for no value yet, as in nginx.
func average(avg, v int64) int64 {
	if avg == 0 {
		return v
	}
	return int64(0.5 + float64(float64(v)*0.05) + float64(float64(avg)*0.95))
}

// learn lets a time flow into the average of m.
func (r *resident) learn(m Measure, took time.Duration) {
	i := m.index()
	r.times[i] = average(r.times[i], took.Milliseconds())
	r.hot.steps[i] = int16(cluster(r.times[i]))
	r.inflight.steps[i] = 0
}
