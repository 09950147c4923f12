package upstream

import (
	"math"
	"slices"
)

// proportion puts a load into proportion to the weight of s: smaller is
// lighter, and equal is as heavy to the last bit. With weights that are all the
// same it is the load; else the quotient, of which no two are taken for equal
// that are not as long as load times weight stays below 2^52.
func (g *group) proportion(s *slot, load int64) int64 {
	if g.even {
		return load
	}
	return quotient(load, s.weight)
}

// quotient is a fraction as an integer that compares like it: the bits of a
// float that is not negative do.
func quotient(load int64, weight int32) int64 {
	return int64(math.Float64bits(float64(load) / float64(weight)))
}

// lightest returns the position of the peer whose load is least in proportion
// to its weight, -1 if all are closed. Equal ones take turns.
//
// drift is how nginx's least_time finds the equal ones: it compares the load
// of the first with the weight of the peer that is ahead at that point, which
// with different weights makes other picks.
func (g *group) lightest(a *PickArgs, drift bool) int {
	l := g.loads
	l.update(g, a)
	least := l.least()
	if least == closed {
		return -1
	}
	if drift && !g.even {
		best := slices.Index(l.known, least)
		if !slices.Contains(l.known[best+1:], least) {
			return best
		}
		return g.drifting(best)
	}
	equal := l.equals(least)
	if len(equal) == 1 {
		return int(equal[0])
	}
	best, total := g.turnOf(equal)
	g.turns[best].current -= total
	return best
}

// drifting moves the weights of the peers from position first on that are equal
// to it as round robin does, and returns the one ahead.
func (g *group) drifting(first int) int {
	turns := g.turns[first:]
	loads := g.loads.known[first:][:len(turns)]
	equal := loads[0]
	load := int64(math.Round(math.Float64frombits(uint64(equal)) * float64(turns[0].weight))) // without its weight
	best, lead, total := 0, int64(math.MinInt64), int64(0)
	for i, t := range turns {
		if loads[i] != equal {
			continue
		}
		weight, current := t.advance()
		total += weight
		if current > lead {
			best, lead = i, current
			equal = quotient(load, g.slots[first+i].weight)
		}
	}
	turns[best].current -= total
	return first + best
}
