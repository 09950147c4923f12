package upstream

import "math"

// roundRobin is nginx's smooth weighted round robin: with every pick the
// current weight of each peer that can take it grows by its effective weight,
// and the one that is ahead pays the sum of all. Weights 5, 1, 1 give
// a a b a c a a.
type roundRobin struct{}

func (roundRobin) prepare(_, _ *group) {}

func (roundRobin) pick(g *group, a *PickArgs, now int64) int {
	bound := g.hinted(a, now)
	if bound >= 0 {
		// A bound request counts as the peer's turn, so that a peer with
		// many of them gets fewer others; but only one in a row, lest it
		// wait for ever afterwards.
		if g.turns[bound].current <= int64(g.slots[bound].weight)-g.total {
			return bound
		}
	}
	best, total := g.turn(a)
	if bound >= 0 {
		best = bound
	}
	if best >= 0 {
		g.turns[best].current -= total
	}
	return best
}

// load implements loader: peers are open, which counts 0, or closed.
func (roundRobin) load(g *group, i int, at int64) (load, until int64) {
	return g.slots[i].access(at)
}

// turn is what round robin knows of a peer. The upstream's lock guards it.
type turn struct {
	current   int64 // weight
	effective int32 // weight, lowered by failures
	weight    int32 // of its slot in the pool in use
}

// turn moves the weights of all peers that can take the request of a on by one
// and returns the one ahead, -1 for none, with the sum it has to pay.
func (g *group) turn(a *PickArgs) (best int, total int64) {
	l := g.loads
	l.update(g, a)
	if l.shut > 0 {
		return g.turnOf(l.equals(0))
	}
	best = -1
	lead := int64(math.MinInt64)
	for i, t := range g.turns {
		weight, current := t.advance()
		total += weight
		if current > lead {
			best, lead = i, current
		}
	}
	return best, total
}

// turnOf is turn among some positions of the group.
func (g *group) turnOf(members []int32) (best int, total int64) {
	best = -1
	lead := int64(math.MinInt64)
	turns := g.turns
	for _, i := range members {
		weight, current := turns[i].advance()
		total += weight
		if current > lead {
			best, lead = int(i), current
		}
	}
	return best, total
}

// advance adds the effective weight to the current one and returns both. An
// effective weight lowered by failures recovers by one each time.
func (t *turn) advance() (weight, current int64) {
	w := t.effective
	current = t.current + int64(w)
	t.current = current
	if w != t.weight {
		t.recover()
	}
	return int64(w), current
}

// recover moves an effective weight one up.
func (t *turn) recover() { t.effective = min(t.effective+1, t.weight) }
