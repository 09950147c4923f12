package upstream

import "sync/atomic"

// lookup finds the peers of a group by their ids. It is made when a request is
// bound to a peer for the first time: many upstreams have no such requests, and
// those of thousands of servers that change one by one would make it as often.
type lookup struct {
	sids atomic.Pointer[map[string]int32]   // first peer of each sticky id
	ids  atomic.Pointer[map[ServerID]int32] // first peer of each stable id
}

// bySID returns the positions of peers by sticky id.
func (g *group) bySID() map[string]int32 {
	return found(g, &g.lookup.sids, func(p *Peer) string { return p.SID })
}

// byID returns the positions of peers by stable id.
func (g *group) byID() map[ServerID]int32 {
	return found(g, &g.lookup.ids, func(p *Peer) ServerID { return p.ID })
}

// found returns what is at a place, or makes it. To do so twice at once is no
// mistake.
func found[K comparable](g *group, at *atomic.Pointer[map[K]int32], key func(*Peer) K) map[K]int32 {
	if m := at.Load(); m != nil {
		return *m
	}
	m := make(map[K]int32, len(g.peers))
	for i := range g.peers {
		if _, taken := m[key(&g.peers[i])]; !taken {
			m[key(&g.peers[i])] = int32(i)
		}
	}
	at.Store(&m)
	return m
}

// expect makes at once what requests have used of the group before.
func (g *group) expect(before *group) {
	if before.lookup.sids.Load() != nil {
		g.bySID()
	}
	if before.lookup.ids.Load() != nil {
		g.byID()
	}
}
