package upstream

// madeOf returns how many of servers, from the first one on, are all that p was
// made of: none, unless they lie in the same memory.
func (p *Pool) madeOf(servers []Server) int {
	if p == nil || len(p.lines) == 0 || len(servers) < len(p.lines) || &servers[0] != &p.lines[0] {
		return 0
	}
	return len(p.lines)
}

// extend makes the peers, where the first servers are those that the pool so far
// was made of, and all others are new: a copy with more behind it. It reports
// whether that can be done.
func (p *Pool) extend(cfg *Config, same int) bool {
	base, more, total := p.base, cfg.Servers[same:], 0
	for i := range more {
		if total += len(more[i].Addrs); more[i].Backup {
			return false
		}
	}
	if base.base != nil || base.slow || p.shared.twins { // weights that grow are read under the lock only
		return false
	}
	b := &builder{cfg: cfg, known: p.residents(), fresh: newRecords(total, false), seen: map[identity]int{}}
	p.primary = base.primary.room(total)
	n := len(base.primary.peers)
	for i := range more {
		for _, addr := range more[i].Addrs {
			p.primary.place(n, cfg.Name, &more[i], placed{addr, nil})
			b.settle(p.primary, n, &more[i], nil)
			n++
		}
	}
	if b.twins || len(b.came) < total { // one of them is there already
		return false
	}
	if base.backup != nil {
		p.backup = base.backup.copied()
	}
	p.came, p.grew = b.came, true
	return true
}

// room returns a group with the peers of g and places for more behind them.
func (g *group) room(more int) *group {
	n := len(g.peers) + more
	next := &group{
		slots: grown(g.slots, n), peers: grown(g.peers, n), records: grown(g.records, n), turns: grown(g.turns, n), ages: grown(g.ages, n),
		loads: newLoads(roundRobin{}, n), lookup: &lookup{}, total: g.total, even: g.even, scale: g.scale,
	}
	for i := range g.peers {
		next.peers[i].slot = &next.slots[i]
	}
	return next
}

// grown returns a copy of a list with another length.
func grown[T any](list []T, n int) []T {
	next := make([]T, n)
	copy(next, list)
	return next
}
