package upstream

// TakeOver tells p that it is now in use in place of old. Peers that old has
// and p has not are marked as retired and returned, so that the caller can
// close their idle connections; those whose weight has changed start with it
// in full. With a nil old it does nothing.
func (p *Pool) TakeOver(old *Pool) (retired []*Peer) {
	if old == nil || old == p {
		return nil
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	old.putAside()
	p.putInUse()
	stays := map[*resident]*slot{}
	for _, peer := range p.Peers() {
		stays[peer.resident] = peer.slot
	}
	for _, peer := range old.Peers() {
		s := stays[peer.resident]
		if s == nil {
			peer.retire()
			retired = append(retired, peer)
		} else if s.weight != peer.slot.weight {
			*peer.resident.turn = turn{effective: s.weight, weight: s.weight}
		}
	}
	return retired
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
