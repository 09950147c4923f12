package upstream

import "math"

// leastConn picks the peer with the fewest requests in work in proportion to
// its weight, and takes turns among equals.
type leastConn struct{}

func (leastConn) prepare(*group) {}

func (leastConn) pick(g *group, a *PickArgs, now int64) int {
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	best, many := -1, false
	var least, weight int64 // of best
	slots, tried := g.slots, a.tried.n > 0
	loads := g.loads[:len(slots)]
	for i := range slots {
		s := &slots[i]
		h := s.hot
		if !s.open(h, now) || tried && a.tried.test(i) {
			loads[i] = closed
			continue
		}
		conns := int64(h.conns)
		loads[i] = conns
		mine, other := conns*weight, least*int64(s.weight)
		if best < 0 || mine < other {
			best, many = i, false
			least, weight = conns, int64(s.weight)
		} else if mine == other {
			many = true
		}
	}
	if !many {
		return best
	}
	return g.tie(best, false)
}

// closed is the load of a peer that cannot take the request. It equals no
// other, whatever the weights.
const closed = -1

// tie lets the peers from position first on whose load, in proportion to the
// weight, equals that of first take turns, as round robin does. With drift the
// load of the first is compared with the weight of the peer that is ahead at
// that point, as nginx's least_time does; with different weights this decides.
func (g *group) tie(first int, drift bool) int {
	slots := g.slots[first:]
	loads := g.loads[first:][:len(slots)]
	least, weight := loads[0], int64(slots[0].weight)
	best, lead, total := 0, int64(math.MinInt64), int64(0)
	for i, load := range loads {
		s := &slots[i]
		if load*weight != least*int64(s.weight) || load == closed {
			continue
		}
		h := s.hot
		total += h.advance(s)
		if h.current > lead {
			best, lead = i, h.current
			if drift {
				weight = int64(s.weight)
			}
		}
	}
	slots[best].hot.current -= total
	return first + best
}
