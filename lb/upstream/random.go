package upstream

import "math/rand/v2"

// random picks peers by chance, in proportion to their weights.
type random struct {
	rng *rand.Rand
}

func (random) prepare(g, _ *group) { g.table = newShares(g) }

func (m random) pick(g *group, a *PickArgs, now int64) int {
	if a.rounds > maxRounds || len(g.slots) < 2 {
		return roundRobin{}.pick(g, a, now)
	}
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	for {
		i := g.table.(shares).find(m.rng.Int64N(g.total))
		if s := &g.slots[i]; !a.tried.has(i) && s.open(s.hot, now) {
			return i
		}
		if a.rounds++; a.rounds > maxRounds {
			return roundRobin{}.pick(g, a, now)
		}
	}
}

// randomTwo draws two different peers and picks the better of them, which
// spreads load nearly as well as comparing all and cannot herd.
type randomTwo struct {
	rng     *rand.Rand
	measure Measure
}

func (randomTwo) prepare(g, _ *group) { g.table = newShares(g) }

func (m randomTwo) pick(g *group, a *PickArgs, now int64) int {
	if a.rounds > maxRounds || len(g.slots) < 2 {
		return roundRobin{}.pick(g, a, now)
	}
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	first := -1
	for {
		i := g.table.(shares).find(m.rng.Int64N(g.total))
		if s := &g.slots[i]; i != first && !a.tried.has(i) && s.open(s.hot, now) {
			if first >= 0 {
				return m.better(g, first, i, now)
			}
			first = i
		}
		// A second peer need not exist; the first then still is one more
		// candidate of round robin.
		if a.rounds++; a.rounds > maxRounds {
			return roundRobin{}.pick(g, a, now)
		}
	}
}

// better returns whichever of the positions i and j has less to do for its
// weight; j when they are equal.
func (m randomTwo) better(g *group, i, j int, now int64) int {
	if m.load(g, j, now)*int64(g.slots[i].weight) > m.load(g, i, now)*int64(g.slots[j].weight) {
		return i
	}
	return j
}

func (m randomTwo) load(g *group, i int, now int64) int64 {
	s := &g.slots[i]
	conns := int64(s.hot.conns)
	if m.measure == Conns {
		return conns
	}
	return leastTime{measure: m.measure}.step(s, g.records[i], now) * (1 + conns)
}
