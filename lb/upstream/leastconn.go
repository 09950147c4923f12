package upstream

// leastConn picks the peer with the fewest requests in work in proportion to
// its weight, and takes turns among equals.
type leastConn struct{}

func (leastConn) prepare(g, _ *group) { g.loads.of = leastConn{} }

func (leastConn) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	return g.lightest(a, false)
}

// load implements loader.
func (leastConn) load(g *group, i int, at int64) (load, until int64) {
	s := &g.slots[i]
	if load, until = s.access(at); load == closed {
		return load, until
	}
	return g.proportion(s, int64(s.hot.conns)), never
}
