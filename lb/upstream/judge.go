package upstream

// opinion is what the operator and the health checks say about a peer.
type opinion func(*Peer) (Order, Verdict)

// judge lets p admit requests by what is said about its peers; nil: nothing is.
// It is called before p is in use.
func (p *Pool) judge(said opinion) {
	p.tries = 0
	for _, g := range p.groups() {
		for i := range g.peers {
			peer := &g.peers[i]
			if said != nil {
				peer.facts.Order, peer.facts.Verdict = said(peer)
			}
			peer.admit = admissionOf(Combine(peer.facts))
			peer.slot.room = 0
			if peer.admit == admitAll {
				peer.slot.room = peer.maxConns
			}
			if peer.admit != admitNone {
				p.tries++
			}
		}
	}
}

// judged returns a pool of the same peers about which something else is said,
// and lets it take the place of p. It shares all that does not change with p,
// so that a verdict costs little more than a copy of what picking reads.
func (p *Pool) judged(said opinion) *Pool {
	next := *p
	p.shared.mu.Lock()
	p.putAside()
	next.primary = p.primary.copied()
	if p.backup != nil {
		next.backup = p.backup.copied()
	}
	next.putInUse()
	p.shared.mu.Unlock()
	next.judge(said)
	return &next
}

// copied returns a group with slots, peers and loads of its own, which is not
// in use yet.
func (g *group) copied() *group {
	next := *g
	next.slots = append([]slot(nil), g.slots...)
	next.peers = append([]Peer(nil), g.peers...)
	next.loads = newLoads(g.loads.of, len(g.slots))
	for i := range next.peers {
		next.peers[i].slot = &next.slots[i]
	}
	return &next
}
