package upstream

// roundRobin is nginx's smooth weighted round robin: with every pick the
// current weight of each peer that can take it grows by its effective weight,
// and the one that is ahead pays the sum of all. Weights 5, 1, 1 give
// a a b a c a a.
type roundRobin struct{}

func (roundRobin) prepare(*group) {}

func (roundRobin) pick(g *group, a *PickArgs, now int64) int {
	bound := g.hinted(a, now)
	if bound >= 0 {
		// A bound request counts as the peer's turn, so that a peer with
		// many of them gets fewer others; but only one in a row, lest it
		// wait for ever afterwards.
		s := &g.slots[bound]
		if s.hot.current <= int64(s.weight)-g.total {
			return bound
		}
	}
	best, total := g.turn(a, now)
	if bound >= 0 {
		best = bound
	}
	if best >= 0 {
		g.slots[best].hot.current -= total
	}
	return best
}

// turn moves the weights of all peers that can take the request of a on by one
// and returns the one ahead, -1 for none, with the sum it has to pay.
func (g *group) turn(a *PickArgs, now int64) (best int, total int64) {
	best = -1
	var lead int64
	slots, tried := g.slots, a.tried.n > 0
	for i := range slots {
		s := &slots[i]
		h := s.hot
		if !s.open(h, now) || tried && a.tried.test(i) {
			continue
		}
		total += h.advance(s)
		if best < 0 || h.current > lead {
			best, lead = i, h.current
		}
	}
	return best, total
}

// advance adds the effective weight to the current one and returns it. An
// effective weight lowered by failures recovers by one each time.
func (h *hot) advance(s *slot) int64 {
	w := h.effective
	h.current += int64(w)
	if w != s.weight {
		h.recover(s)
	}
	return int64(w)
}

// recover moves an effective weight one up. One above the weight was left by a
// request of an earlier generation, in which the weight was larger.
func (h *hot) recover(s *slot) {
	h.effective = min(h.effective+1, s.weight)
}
