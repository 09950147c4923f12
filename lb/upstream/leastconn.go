package upstream

// leastConn picks the peer with the fewest requests in work in proportion to
// its weight, and takes turns among equals.
type leastConn struct{}

func (leastConn) prepare(*group) {}

func (leastConn) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	best, many := -1, false
	var conns, weight int64 // of best
	for i := range g.slots {
		s := &g.slots[i]
		h := s.hot
		if !s.open(h, now) || a.tried.has(i) {
			continue
		}
		mine, least := int64(h.conns)*weight, conns*int64(s.weight)
		if best < 0 || mine < least {
			best, many = i, false
			conns, weight = int64(h.conns), int64(s.weight)
		} else if mine == least {
			many = true
		}
	}
	if !many {
		return best
	}
	return g.tie(a, now, best, func(s *slot) bool {
		return int64(s.hot.conns)*weight == conns*int64(s.weight)
	})
}

// tie lets the peers from position first on that can take the request and are
// equal to it take turns, as round robin does.
func (g *group) tie(a *PickArgs, now int64, first int, equal func(*slot) bool) int {
	best := first
	var total int64
	for i := first; i < len(g.slots); i++ {
		s := &g.slots[i]
		h := s.hot
		if !equal(s) || !s.open(h, now) || a.tried.has(i) {
			continue
		}
		total += h.advance(s)
		if h.current > g.slots[best].hot.current {
			best = i
		}
	}
	g.slots[best].hot.current -= total
	return best
}
