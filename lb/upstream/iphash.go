package upstream

import (
	"net/netip"
	"sort"
)

// ipHash binds a client's network to a peer: the first three bytes of an IPv4
// address, all of an IPv6 address.
type ipHash struct{}

const (
	ipHashSeed = 89
	ipHashMod  = 6271
)

func (ipHash) prepare(g, _ *group) { g.table = newShares(g) }

func (ipHash) pick(g *group, a *PickArgs, now int64) int {
	if a.rounds > maxRounds || len(g.slots) < 2 {
		return roundRobin{}.pick(g, a, now)
	}
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	if !a.seeded {
		a.seeded, a.hash = true, ipHashSeed
	}
	h := a.hash
	for table := g.table.(shares); ; {
		h = mixAddr(h, a.Client)
		i := table.find(int64(h) % g.total)
		if s := &g.slots[i]; !a.tried.has(i) && s.open(s.hot, now) {
			a.hash = h
			return i
		}
		if a.rounds++; a.rounds > maxRounds {
			return roundRobin{}.pick(g, a, now)
		}
	}
}

// mixAddr feeds the bytes of addr that count into h. Clients without an
// address, on unix sockets, all count as 0.0.0.
func mixAddr(h uint32, addr netip.Addr) uint32 {
	var b [16]byte
	n := 3
	switch {
	case addr.Is4():
		v4 := addr.As4()
		copy(b[:], v4[:])
	case addr.IsValid():
		b, n = addr.As16(), 16
	}
	for _, c := range b[:n] {
		h = (h*113 + uint32(c)) % ipHashMod
	}
	return h
}

// shares cuts the range from 0 to a group's total weight into one piece for
// each peer, as long as its weight: element i is where the piece of i ends.
type shares []int64

func newShares(g *group) shares {
	s := make(shares, len(g.slots))
	var end int64
	for i := range g.slots {
		end += int64(g.slots[i].weight)
		s[i] = end
	}
	return s
}

// find returns the peer whose piece w falls into.
func (s shares) find(w int64) int {
	return sort.Search(len(s), func(i int) bool { return s[i] > w })
}
