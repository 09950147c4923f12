package upstream

import (
	"math"
	"math/bits"
	"slices"
)

// closed is the load of a peer that cannot take the request.
const closed = math.MaxInt64

// lightest returns the position of the peer whose load is least in proportion
// to its weight, -1 if all are closed. Equal ones take turns. least is the
// least of the loads.
//
// drift is how nginx's least_time finds the equal ones: it compares the load
// of the first with the weight of the peer that is ahead at that point, which
// with different weights makes other picks.
func (g *group) lightest(least int64, drift bool) int {
	if least == closed {
		return -1
	}
	if !g.even {
		best, many := g.first()
		if !many {
			return best
		}
		return g.tie(best, drift)
	}
	best := slices.Index(g.loads, least)
	if !slices.Contains(g.loads[best+1:], least) {
		return best
	}
	return g.tieEven(best)
}

// close takes the peers tried already out of the choice.
func (g *group) close(t *tried) {
	if t.n == 0 {
		return
	}
	for w := range len(t.bits) + len(t.more) {
		for word := t.word(w); word != 0; word &= word - 1 {
			g.loads[w<<6+bits.TrailingZeros64(word)] = closed
		}
	}
}

// first returns the first position with the least load in proportion to the
// weight and whether there are more. Fractions are compared by
// cross-multiplication.
func (g *group) first() (best int, many bool) {
	best = -1
	var least, weight int64 // of best
	for i, load := range g.loads {
		if load == closed {
			continue
		}
		w := int64(g.slots[i].weight)
		if mine, other := load*weight, least*w; best < 0 || mine < other {
			best, many, least, weight = i, false, load, w
		} else if mine == other {
			many = true
		}
	}
	return best, many
}

// tie moves the weights of the peers from position first on that are equal to
// it as round robin does, and returns the one ahead.
func (g *group) tie(first int, drift bool) int {
	slots := g.slots[first:]
	loads := g.loads[first:][:len(slots)]
	least, weight := loads[0], int64(slots[0].weight)
	best, lead, total := 0, int64(math.MinInt64), int64(0)
	for i, load := range loads {
		s := &slots[i]
		if load == closed || load*weight != least*int64(s.weight) {
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

// tieEven is tie for peers of the same weight, where there is no drift.
func (g *group) tieEven(first int) int {
	slots := g.slots[first:]
	loads := g.loads[first:][:len(slots)]
	least := loads[0]
	best, lead, total := 0, int64(math.MinInt64), int64(0)
	for i := range slots {
		if loads[i] != least {
			continue
		}
		s := &slots[i]
		h := s.hot
		total += h.advance(s)
		if h.current > lead {
			best, lead = i, h.current
		}
	}
	slots[best].hot.current -= total
	return first + best
}
