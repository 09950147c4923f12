package health

import (
	"container/heap"
	"math"
	"time"
)

const (
	forever time.Duration = math.MaxInt64

	// firstGap keeps the first probes of many peers from leaving all at once.
	firstGap = time.Millisecond
	// A check whose results are changing is repeated after a fraction of its
	// interval, within these bounds.
	fastFraction = 5
	fastest      = 100 * time.Millisecond
	slowestFast  = time.Second
	// Probes that are not urgent leave together with others, at the strokes of
	// a clock: waking up costs more than a probe.
	longestStroke  = 250 * time.Millisecond
	strokeFraction = 20
)

// queue holds the targets by the time they are due; it implements heap.Interface.
type queue []*target

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds a target at the end.
func (q *queue) Push(x any) {
	t := x.(*target)
	t.index = len(*q)
	*q = append(*q, t)
}

// Pop takes the last target out.
func (q *queue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	t.index = -1
	return t
}

// schedule makes a target due. c.mu is held.
func (c *Checker) schedule(t *target, at time.Time) {
	t.due = at
	heap.Push(&c.queue, t)
	if t.index == 0 {
		c.nudge()
	}
}

// nudge lets run look what is to be done.
func (c *Checker) nudge() {
	select {
	case c.wake <- struct{}{}:
	default: // it was told already
	}
}

// unschedule takes a target out, if it waits. c.mu is held.
func (c *Checker) unschedule(t *target) {
	if t.index >= 0 {
		heap.Remove(&c.queue, t.index)
	}
}

// run starts probes as they become due, until the checker is closed.
func (c *Checker) run() {
	defer c.all.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case id := <-c.suspects:
			c.Suspect(id)
		case <-c.wake:
		case <-timer.C:
		}
		timer.Reset(c.start())
	}
}

// start starts what is due and tells how long nothing more will be.
func (c *Checker) start() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	idle := min(c.sweep(now), c.release(now))
	for len(c.queue) > 0 {
		next := c.queue[0]
		if wait := next.due.Sub(now); wait > 0 {
			return min(wait, idle)
		}
		heap.Pop(&c.queue)
		if next.place == nil {
			next.place = newPlace(next.subject.peer, next.check)
		}
		next.busy, next.again, next.begun = true, false, now
		c.all.Add(1)
		go c.probe(next, next.check)
	}
	return idle
}

// next is when a target is due again after a probe. The second probe comes
// early by a part of the interval that differs from target to target, so that
// those which began together are spread over it from then on. Where nodes share
// the checking, all times are aligned instead.
func (c *Checker) next(t *target, now time.Time, jitter time.Duration) time.Time {
	check := t.check
	wait := check.Interval
	switch {
	case t.again:
		wait, jitter = 0, 0
	case t.tally.changing() && t.rush:
		wait, jitter = min(check.Interval, fastest), 0
	case t.tally.changing():
		wait = min(check.Interval, max(check.Interval/fastFraction, fastest), slowestFast)
	case !c.roll.alone() && check.Jitter == 0:
		return t.aligned(now)
	case !t.spread:
		t.spread = true
		wait -= time.Duration(float64(check.Interval) * phase(t.number))
	}
	at := t.due.Add(wait + jitter)
	if at.Before(now) { // the probe took longer than the interval
		at = now.Add(jitter)
	}
	if t.tally.changing() || t.again {
		return at
	}
	return t.stroke(at)
}

// stroke is the first stroke of the clock that is not before a time.
func (t *target) stroke(at time.Time) time.Time {
	length := int64(min(t.check.Interval/strokeFraction, longestStroke))
	if past := at.UnixNano() % length; past > 0 {
		return at.Add(time.Duration(length - past))
	}
	return at
}

// aligned is the next turn of a target by the clock on the wall: each peer has
// its own, and the nodes of its panel are spread over the interval. It leaves
// half an interval at least since the last turn.
func (t *target) aligned(now time.Time) time.Time {
	s, interval := t.subject, int64(t.check.Interval)
	part := float64(s.key>>11) / (1 << 53)
	if rank := s.panel.rank(); rank > 0 {
		part += float64(rank) / float64(s.panel.n)
	}
	from := now.UnixNano()
	if earliest := t.due.UnixNano() + interval/2; !t.due.IsZero() && earliest > from {
		from = earliest
	}
	first := int64(part * float64(interval))
	turns := (from-first)/interval + 1
	return t.stroke(now.Add(time.Duration(first + turns*interval - now.UnixNano())))
}

// phase is the n-th point of a sequence in [0, 1) that is even however many of
// its points are taken.
func phase(n int) float64 {
	const golden = 0.6180339887498949
	_, fraction := math.Modf(float64(n) * golden)
	return fraction
}
