package upstream

import (
	"net/netip"
	"slices"
	"time"
)

// PickArgs is one request's side of picking: what it says about itself and
// what it remembers from attempt to attempt. The exported fields are set by
// the caller before Pick and may change between attempts (Now must be set
// anew). Reset makes it ready for the next request; it then allocates nothing
// in steady state. It belongs to one goroutine at a time.
type PickArgs struct {
	// Now is the time in nanoseconds of the clock used for all calls.
	Now int64
	// Key is the rendered key of the hash methods.
	Key []byte
	// Client is the client's address for ip_hash. The zero value stands for
	// a client on a unix socket.
	Client netip.Addr
	// Hint is the plain sticky id the request is bound to, Bound the stable
	// id of its server; empty and 0: none. See Pool.Follow.
	Hint  []byte
	Bound ServerID

	pool     *Pool // whose positions tried holds
	peer     *Peer // picked and not yet released
	last     *Peer // picked last
	tried    tried // in the current group
	strayed  int32 // 1 + position of a backup peer tried while the group is the primary; 0: none
	backup   bool  // the primary servers are exhausted
	seeded   bool  // hash holds the start of this request
	counted  bool  // this attempt counts as in flight for least_time
	rounds   uint8 // rounds of a hash or random method that found no peer
	rehashes uint32
	hash     uint32
}

// Reset forgets everything about the request but keeps the memory.
func (a *PickArgs) Reset() {
	more := a.tried.more
	*a = PickArgs{}
	a.tried.more = more
	a.tried.clear()
}

// Peer returns the peer picked and not yet released, or nil.
func (a *PickArgs) Peer() *Peer { return a.peer }

// tried is a set of positions in a group. Up to 256 need no memory of their
// own; memory for more stays with the set.
type tried struct {
	bits [4]uint64
	more []uint64
	n    int // members; most requests ask an empty set
}

func (t *tried) has(i int) bool {
	return t.n != 0 && t.test(i)
}

func (t *tried) test(i int) bool {
	return t.word(i>>6)&(1<<(i&63)) != 0
}

// word returns the members from 64w on as bits.
func (t *tried) word(w int) uint64 {
	if w < len(t.bits) {
		return t.bits[w]
	}
	if w -= len(t.bits); w < len(t.more) {
		return t.more[w]
	}
	return 0
}

func (t *tried) add(i int) {
	if t.test(i) {
		return
	}
	t.n++
	w, bit := i>>6, uint64(1)<<(i&63)
	if w < len(t.bits) {
		t.bits[w] |= bit
		return
	}
	w -= len(t.bits)
	for len(t.more) <= w {
		t.more = append(t.more, 0)
	}
	t.more[w] |= bit
}

// clone returns a set of the same members that shares no memory.
func (t *tried) clone() tried {
	c := *t
	c.more = slices.Clone(t.more)
	return c
}

func (t *tried) clear() {
	t.bits = [4]uint64{}
	clear(t.more)
	t.n = 0
}

// bind makes a speak of the peers of p. When the pool was swapped between two
// attempts of the request, the peers it tried keep being left out under their
// new positions; one that is gone is forgotten.
func (a *PickArgs) bind(p *Pool) {
	old := a.pool
	a.pool = p
	if old == nil {
		return
	}
	before := old.group(a.backup)
	was := a.tried.clone()
	a.tried.clear()
	a.backup = a.backup && p.backup != nil
	a.seeded = false
	if a.strayed > 0 {
		a.strayed = 1 + p.backup.position(old.backup.peers[a.strayed-1].resident)
	}
	after := p.group(a.backup)
	for i := range before.peers {
		if !was.has(i) {
			continue
		}
		for j := range after.peers {
			if after.peers[j].resident == before.peers[i].resident {
				a.tried.add(j)
			}
		}
	}
}

// HasNew reports whether p is another pool than that of the last pick of the
// request of a, and has a peer that could take the request and has not been
// tried by it.
func (p *Pool) HasNew(a *PickArgs) bool {
	if a.pool == p {
		return false
	}
	a.bind(p)
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	now := a.Now / int64(time.Second)
	for _, g := range p.groups() {
		current := g == p.group(a.backup)
		for i := range g.slots {
			if s := &g.slots[i]; s.open(s.hot, now) && !(current && a.tried.has(i)) && !(a.backup && !current) {
				return true
			}
		}
	}
	return false
}

// position returns where the peer of a record is in g, -1 if it is not; g may be
// nil.
func (g *group) position(r *resident) int32 {
	if g == nil {
		return -1
	}
	return int32(slices.Index(g.records, r))
}
