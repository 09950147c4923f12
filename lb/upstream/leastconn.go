package upstream

// leastConn picks the peer with the fewest requests in work in proportion to
// its weight, and takes turns among equals.
type leastConn struct{}

func (leastConn) prepare(*group) {}

func (leastConn) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	slots, tried := g.slots, a.tried.n > 0
	loads := g.loads[:len(slots)]
	for i := range slots {
		s := &slots[i]
		h := s.hot
		if !s.open(h, now) || tried && a.tried.test(i) {
			loads[i] = closed
			continue
		}
		loads[i] = int64(h.conns)
	}
	return g.lightest(false)
}
