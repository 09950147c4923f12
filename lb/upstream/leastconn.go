package upstream

import "slices"

// leastConn picks the peer with the fewest requests in work in proportion to
// its weight, and takes turns among equals.
type leastConn struct{}

func (leastConn) prepare(*group) {}

func (leastConn) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	slots := g.slots
	loads := g.loads[:len(slots)]
	least := int64(closed)
	for i := range slots {
		s := &slots[i]
		h := s.hot
		load := g.proportion(s, int64(h.conns))
		if !s.open(h, now) {
			load = closed
		}
		loads[i] = load
		least = min(least, load)
	}
	if a.tried.n > 0 {
		g.close(&a.tried)
		least = slices.Min(loads)
	}
	return g.lightest(least, false)
}
