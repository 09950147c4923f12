package health

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Nodes are the nodes that share the checking. None or one: this node checks
// everything itself.
type Nodes struct {
	Self  string
	Alive []string // in any order; Self counts as among them
}

// panelSize is how many nodes check a peer, where there are as many.
const panelSize = 3

// panel holds the positions in a roll of those who check a peer, best first.
type panel struct {
	who [panelSize]int32
	n   int
}

// roll is a list of nodes, ready for choosing panels.
type roll struct {
	ids   []string // that of this node first
	seeds []uint64
}

// same reports whether r lists the same nodes as q.
func (r *roll) same(q *roll) bool {
	if r.ids[0] != q.ids[0] || len(r.ids) != len(q.ids) {
		return false
	}
	for _, id := range r.ids {
		if !slices.Contains(q.ids, id) {
			return false
		}
	}
	return true
}

// newRoll lists the nodes, this one first.
func newRoll(n Nodes) roll {
	r := roll{ids: []string{n.Self}, seeds: []uint64{seed(n.Self)}}
	for _, id := range n.Alive {
		if id != n.Self {
			r.ids, r.seeds = append(r.ids, id), append(r.seeds, seed(id))
		}
	}
	return r
}

// alone reports whether there is nobody to share with.
func (r *roll) alone() bool { return len(r.ids) < 2 }

// seed spreads ids over 64 bits.
func seed(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:])
}

// score is the weight that a node has for a peer: the mixer of SplitMix64 over
// what both are known by.
func score(key, seed uint64) uint64 {
	z := key ^ seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// panel chooses who checks a peer.
func (r *roll) panel(key uint64) panel {
	var p panel
	var best [panelSize]uint64
	for i, seed := range r.seeds {
		s := score(key, seed)
		at := p.n
		for at > 0 && (s > best[at-1] || s == best[at-1] && r.ids[i] < r.ids[p.who[at-1]]) {
			at--
		}
		if at == panelSize {
			continue
		}
		p.n = min(p.n+1, panelSize)
		copy(best[at+1:], best[at:p.n-1])
		copy(p.who[at+1:], p.who[at:p.n-1])
		best[at], p.who[at] = s, int32(i)
	}
	return p
}

// rank is the place of this node on a panel; -1: it is not on it.
func (p *panel) rank() int {
	for i, who := range p.who[:p.n] {
		if who == 0 {
			return i
		}
	}
	return -1
}

// Probers returns which of some nodes check the peer of a key
// (upstream.PeerID.Key): the three of the highest scores by rendezvous hashing,
// best first, whatever order the nodes are in. A node that comes or goes moves
// only its own share. It has no side effects.
func Probers(key uint64, nodes []string) []string {
	if len(nodes) == 0 {
		return nil
	}
	r := newRoll(Nodes{Self: nodes[0], Alive: nodes[1:]})
	p := r.panel(key)
	list := make([]string, p.n)
	for i := range list {
		list[i] = r.ids[p.who[i]]
	}
	return list
}
