package upstream

// residents returns the records of the pool that p is built on, by identity.
func (p *Pool) residents() map[identity]*resident {
	switch {
	case p.base == nil:
		return nil
	case p.base.base != nil: // it was never in use
		return p.base.index()
	case p.shared.residents == nil:
		p.shared.residents = p.base.index()
	}
	return p.shared.residents
}

// index finds the records of p by identity.
func (p *Pool) index() map[identity]*resident {
	m := make(map[identity]*resident, len(p.primary.records))
	for _, g := range p.groups() {
		for _, r := range g.records {
			m[r.identity] = r
		}
	}
	return m
}

// enrol notes whom p has; the lock is held, or p is not in use yet. retired are
// those that the pool before has and p has not, if that is what p was built on.
func (p *Pool) enrol(retired ...*Peer) {
	if p.base == nil {
		p.shared.residents = nil // most upstreams never need it
	} else {
		for _, peer := range retired {
			delete(p.shared.residents, peer.resident.identity)
		}
		for _, r := range p.came {
			p.shared.residents[r.identity] = r
		}
	}
	p.shared.twins = p.twins
	p.base, p.came, p.grew = nil, nil, false
}

// TakeOver tells p that it is now in use in place of old. Peers that old has
// and p has not are marked as retired and returned, so that the caller can
// close their idle connections; those whose weight has changed start with it
// in full. With a nil old it does nothing. Nobody builds a pool on old or p
// meanwhile.
func (p *Pool) TakeOver(old *Pool) (retired []*Peer) {
	if old == nil || old == p {
		return nil
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	old.putAside()
	p.putInUse()
	for _, g := range old.groups() {
		if p.grew && p.base == old {
			break // all are there, with their weights
		}
		for i, r := range g.records {
			s := p.slotOf(r)
			if s == nil {
				g.peers[i].retire()
				retired = append(retired, &g.peers[i])
			} else if s.weight != g.slots[i].weight {
				*r.turn = turn{effective: s.weight, weight: s.weight}
			}
		}
	}
	if p.base != old {
		p.base = nil
	}
	p.enrol(retired...)
	return retired
}

// slotOf returns the slot of a record in p, which is in use; nil: p does not
// have it.
func (p *Pool) slotOf(r *resident) *slot {
	for _, g := range p.groups() {
		if r.loads == g.loads {
			return &g.slots[r.at]
		}
	}
	return nil
}

// putInUse lets the peers' events be told to p.
func (p *Pool) putInUse() {
	for _, g := range p.groups() {
		g.loads.told = true
		g.loads.forget()
		for i, r := range g.records {
			r.loads, r.at = g.loads, int32(i)
		}
	}
}

// putAside says that the events of p's peers are told elsewhere.
func (p *Pool) putAside() {
	for _, g := range p.groups() {
		g.rest()
		g.loads.told = false
	}
	if p.shared.grows != never {
		p.shared.grows = 0 // the next to be used goes on
	}
}

// Retire is TakeOver for an upstream that is gone: it marks all peers as
// retired and returns them.
func (p *Pool) Retire() []*Peer {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	all := p.Peers()
	for _, peer := range all {
		peer.retire()
	}
	return all
}

// retire marks p. Its requests in work make it a zombie.
func (p *Peer) retire() {
	if !p.resident.retired.Swap(true) && p.slot.hot.conns > 0 {
		p.shared.zombies++
	}
}
