package upstream

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// ErrNoLive is returned by Pick when no peer can take the request. nginx's
// words for it are "no live upstreams while connecting to upstream".
var ErrNoLive = errors.New("no live upstreams")

// Config describes one upstream for NewPool.
type Config struct {
	Name    string
	Method  Method
	Servers []Server
	// Sticky is how clients are tied to peers.
	Sticky Sticky
	// AllowEmpty lets an upstream have no primary server, as one whose
	// members are found or edited at run time may.
	AllowEmpty bool
	// FromState says that the lines of Servers are those of a state file.
	FromState bool
	// Unjudged is what holds for peers on which no health check has
	// concluded anything yet.
	Unjudged Verdict
	// Queue is where requests wait that find no peer.
	Queue Queue
	// Rand feeds the random methods; nil: seeded by the system. It is used
	// under the upstream's lock.
	Rand rand.Source
}

// Pool is the set of peers of one upstream, as one generation sees it. It does
// not change; all its methods may be called by many goroutines.
type Pool struct {
	name    string
	how     Method
	method  method // how, ready to pick
	primary *group
	backup  *group // nil: no backup servers
	single  bool
	slow    bool // a server has slow_start, and the method minds it
	sticky  stickyPolicy
	tries   int
	queue   Queue
	shared  *shared
	lines   []Server // what it was made of

	base  *Pool       // what it was built on, until it is in use
	came  []*resident // records that base does not have
	grew  bool        // all of base stay as they are
	twins bool        // two server lines are equal
}

// shared is what all Pools of one upstream have in common.
type shared struct {
	mu      sync.Mutex // guards the hot and cold records of all its peers
	zombies int        // retired peers with requests still in work
	grows   int64      // ns: when weights grow next; never: all are whole
	queue   queue
	sticky  stickyCounts

	suspects chan<- PeerID // where failures are told; nil: nowhere

	// Of the pool in use, for who builds the next one: they change by TakeOver
	// only, and whoever calls that lets nobody build meanwhile.
	residents map[identity]*resident
	twins     bool
}

// group is the primary or the backup peers of a pool, in the order of the
// server lines. slots, peers, records, turns, ages, loads and the positions in PickArgs run in
// parallel.
type group struct {
	slots   []slot
	peers   []Peer
	records []*resident
	turns   []*turn // of records, likewise ages
	ages    []*inflight
	loads   *loads
	total   int64   // weights of all, those that are down included
	lookup  *lookup // of groups with the same peers
	table   any     // what the method prepared for this group
	even    bool    // all weights are the same
	scale   int32   // what a weight of 1 counts in slots, see reweigh
}

// Outcome is what an attempt came to.
type Outcome struct {
	// Now is the time on the clock of PickArgs.Now.
	Now int64
	// Failed says that the attempt counts against the peer (max_fails).
	Failed bool
	// Next says that the request goes on to another peer although this one
	// did not fail, as proxy_next_upstream does for http_403 and http_404.
	Next bool
	// Status is the peer's status code, 0 when there was none.
	Status int
	// HeaderTime and ResponseTime run from the begin of the attempt to the
	// header and to the end of the reply. A negative HeaderTime says that
	// there was no header; then neither counts.
	HeaderTime, ResponseTime time.Duration
	// Sent and Received are bytes to and from the peer.
	Sent, Received int64
}

// Name returns the upstream's name.
func (p *Pool) Name() string { return p.name }

// Single reports that the pool has one server and no backup. Such a peer is
// never shut out: its failures are ignored, and no other attempt makes sense.
func (p *Pool) Single() bool { return p.single }

// Tries returns how many attempts a request has when
// proxy_next_upstream_tries sets no limit: the servers, backup servers
// included, that are not taken out by configuration, order or verdict.
func (p *Pool) Tries() int { return p.tries }

// Peers returns the peers of the pool, primary before backup, each in the
// order of the server lines. The caller owns the slice.
func (p *Pool) Peers() []*Peer {
	all := make([]*Peer, 0, len(p.primary.peers))
	for _, g := range p.groups() {
		for i := range g.peers {
			all = append(all, &g.peers[i])
		}
	}
	return all
}

// records returns the records of all peers.
func (p *Pool) records() (all []*resident) {
	for _, g := range p.groups() {
		all = append(all, g.records...)
	}
	return all
}

// Pick chooses the peer of the next attempt of the request of a, or returns
// ErrNoLive. Each peer picked must be released with the same a before the next
// Pick.
func (p *Pool) Pick(a *PickArgs) (*Peer, error) {
	if a.pool != p {
		a.bind(p)
	}
	p.shared.mu.Lock()
	if p.shared.queue.first != nil && p.Queues() { // others were here before
		p.shared.mu.Unlock()
		return nil, ErrNoLive
	}
	peer := p.pick(a)
	p.shared.mu.Unlock()
	if peer == nil {
		return nil, ErrNoLive
	}
	return peer, nil
}

// pick chooses a peer for the request of a and takes it, nil if there is none.
// The lock is held.
func (p *Pool) pick(a *PickArgs) *Peer {
	if a.Now >= p.shared.grows {
		p.grow(a.Now)
	}
	g, i := p.choose(a)
	if i < 0 {
		return nil
	}
	peer := g.take(a, i)
	if a.isBound() {
		p.shared.sticky.bound(a, peer)
	}
	if p.how.Inflight {
		a.counted = true
		peer.resident.inflight.begin(a.Now)
	}
	a.peer, a.last = peer, peer
	return peer
}

// choose finds a position for the request of a; -1: there is none.
func (p *Pool) choose(a *PickArgs) (*group, int) {
	now := a.Now / int64(time.Second)
	if p.single {
		if s := &p.primary.slots[0]; s.hot.conns < s.room {
			return p.primary, 0
		}
		return p.primary, p.primary.hinted(a, now) // it may be draining
	}
	g := p.group(a.backup)
	if i := p.stray(a, now); i >= 0 {
		return p.backup, i
	}
	i := p.method.pick(g, a, now)
	if i < 0 && !a.backup && p.backup != nil {
		return p.backup, p.chooseBackup(a, now)
	}
	return g, i
}

// chooseBackup goes on to the backup servers. Where none can take the request
// either and it may wait, it comes back to the primary ones.
func (p *Pool) chooseBackup(a *PickArgs, now int64) int {
	var before tried
	if p.Queues() {
		before = a.tried.clone()
	}
	a.backup = true
	a.tried.clear()
	if a.strayed > 0 {
		a.tried.add(int(a.strayed - 1))
	}
	i := p.method.pick(p.backup, a, now)
	if i < 0 && p.Queues() {
		a.backup, a.tried = false, before
	}
	return i
}

// stray returns the position of the backup peer the request is bound to, if it
// can take it although primary servers could too; else -1. A client that was
// bound while these were out keeps its server.
func (p *Pool) stray(a *PickArgs, now int64) int {
	if a.backup || p.backup == nil || a.strayed > 0 || !a.isBound() || p.primary.boundAt(a) >= 0 {
		return -1
	}
	i := p.backup.boundAt(a)
	if i < 0 || !p.backup.takesBound(i, now) {
		return -1
	}
	return i
}

// take enters the pick of position i in all the books.
func (g *group) take(a *PickArgs, i int) *Peer {
	s, peer := &g.slots[i], &g.peers[i]
	h := s.hot
	if now := a.Now / int64(time.Second); now-h.checked > int64(s.failTimeout) {
		h.checked = now
	}
	h.conns++
	peer.resident.moved()
	c := &peer.resident.counters
	c.requests++
	c.selected = a.Now
	if h.conns == 1 && peer.Retired() {
		peer.shared.zombies++
	}
	if peer.Backup && !a.backup {
		a.strayed = int32(i) + 1
	} else {
		a.tried.add(i)
	}
	return peer
}

// hinted returns the position of the peer the request is bound to, if that
// peer can take it; else -1. A draining peer can.
func (g *group) hinted(a *PickArgs, now int64) int {
	if !a.isBound() {
		return -1
	}
	i := g.boundAt(a)
	if i < 0 || a.tried.has(i) || !g.takesBound(i, now) {
		return -1
	}
	return i
}

// isBound reports whether the request is bound to a server at all.
func (a *PickArgs) isBound() bool { return a.Bound != 0 || len(a.Hint) > 0 }

// boundAt returns the position of the peer that the request is bound to, -1 if
// it is not in g.
func (g *group) boundAt(a *PickArgs) int {
	i, ok := int32(0), false
	if a.Bound != 0 {
		i, ok = g.byID()[a.Bound]
	} else {
		i, ok = g.bySID()[string(a.Hint)]
	}
	if !ok {
		return -1
	}
	return int(i)
}

// takesBound reports whether the peer at position i can take requests that are
// bound to it.
func (g *group) takesBound(i int, now int64) bool {
	s, peer := &g.slots[i], &g.peers[i]
	return peer.admit != admitNone && s.hot.conns < peer.maxConns && s.live(s.hot, now)
}

func (p *Pool) group(backup bool) *group {
	if backup && p.backup != nil {
		return p.backup
	}
	return p.primary
}

func (p *Pool) groups() []*group {
	if p.backup == nil {
		return []*group{p.primary}
	}
	return []*group{p.primary, p.backup}
}
