package upstream

import (
	"math"
	"math/bits"
	"slices"
)

// closed is the load of a peer that cannot take the request.
const closed = math.MaxInt64

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
	best := slices.Index(g.loads, least)
	if !slices.Contains(g.loads[best+1:], least) {
		return best
	}
	return g.tie(best, drift && !g.even)
}

// close takes the peers tried already out of the choice.
func (g *group) close(t *tried) {
	if t.n == 0 {
		return
	}
	for w := range len(t.bits) + len(t.more) {
		for word := t.word(w); word != 0; word &= word - 1 {
			i := w<<6 + bits.TrailingZeros64(word)
			g.loads[i], g.until[i] = closed, 0
		}
	}
}

// tie moves the weights of the peers from position first on that are equal to
// it as round robin does, and returns the one ahead.
func (g *group) tie(first int, drift bool) int {
	slots := g.slots[first:]
	loads := g.loads[first:][:len(slots)]
	equal := loads[0]
	var load int64 // of the first, without its weight
	if drift {
		load = int64(math.Round(math.Float64frombits(uint64(equal)) * float64(slots[0].weight)))
	}
	best, lead, total := 0, int64(math.MinInt64), int64(0)
	for i := range slots {
		if loads[i] != equal {
			continue
		}
		s := &slots[i]
		h := s.hot
		total += h.advance(s)
		if h.current > lead {
			best, lead = i, h.current
			if drift {
				equal = quotient(load, s.weight)
			}
		}
	}
	slots[best].hot.current -= total
	return first + best
}
