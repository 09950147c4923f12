package upstream

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// noLimit in a slot's limits stands for nginx's 0.
const noLimit = math.MaxInt32

// NewPool builds the pool of cfg. Peers that old, the pool so far, has too (by
// line, address and route) share their record with it: requests in work,
// failures, weights, counters and idle connections go on. NewPool leaves old as
// it is, so a pool that is not put into use after all needs no undoing. One
// that is put into use is told so by TakeOver. old may be nil.
func NewPool(cfg Config, old *Pool) (*Pool, error) { return newPool(cfg, old, nil) }

// newPool is NewPool for peers about which something is said.
func newPool(cfg Config, old *Pool, said opinion) (*Pool, error) {
	same := old.madeOf(cfg.Servers)
	if err := check(&cfg, same); err != nil {
		return nil, err
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.NewPCG(rand.Uint64(), rand.Uint64())
	}
	how := cfg.Method
	how.Inflight = how.Inflight && how.Kind == LeastTime
	p := &Pool{name: cfg.Name, how: how, queue: cfg.Queue, method: newMethod(how, cfg.Rand), sticky: newStickyPolicy(cfg.Sticky, cfg.Name)}
	if old == nil {
		p.shared = &shared{grows: never}
	} else {
		p.shared, p.base = old.shared, old
	}
	p.lines = cfg.Servers
	if same == 0 || !p.extend(&cfg, same) {
		p.settle(&cfg)
	}
	for _, g := range p.groups() {
		g.loads.told = old == nil // else TakeOver says so
		for i := range g.peers {
			g.peers[i].shared = p.shared
		}
	}
	p.prepare()
	if old == nil {
		p.enrol()
	}
	p.single = len(p.primary.peers) == 1 && p.backup == nil
	p.slow = how.startsSlowly() && !p.single && anySlow(cfg.Servers)
	p.judge(said)
	return p, nil
}

// anySlow reports whether one of the servers has slow_start.
func anySlow(servers []Server) bool {
	for i := range servers {
		if servers[i].SlowStart > 0 {
			return true
		}
	}
	return false
}

// prepare computes what picking needs of the peers.
func (p *Pool) prepare() {
	var before []*group
	if p.base != nil {
		before = p.base.groups()
	}
	for i, g := range p.groups() {
		var was *group
		if i < len(before) {
			was = before[i]
		}
		if was != nil {
			g.expect(was)
		}
		p.method.prepare(g, was)
	}
}

// check looks for what is wrong with servers, but for the first ones, which have
// been looked at before.
func check(cfg *Config, checked int) error {
	primaries := 0
	for i := checked; i < len(cfg.Servers); i++ {
		s := &cfg.Servers[i]
		switch {
		case s.Weight < 1 || s.Weight > math.MaxInt32:
			return fmt.Errorf("upstream %q: server %q: invalid weight %d", cfg.Name, s.Name, s.Weight)
		case s.MaxConns < 0 || s.MaxFails < 0 || s.FailTimeout < 0 || s.SlowStart < 0:
			return fmt.Errorf("upstream %q: server %q: negative limit", cfg.Name, s.Name)
		case s.Backup && !cfg.Method.AllowsBackup():
			return fmt.Errorf("upstream %q: server %q: balancing method does not support parameter \"backup\"", cfg.Name, s.Name)
		case !s.Backup:
			primaries += len(s.Addrs)
		}
	}
	if primaries == 0 && checked == 0 && !cfg.AllowEmpty {
		return fmt.Errorf("no servers in upstream %q", cfg.Name)
	}
	return nil
}

// settle makes the peers. Of the pool so far those that stay are taken over as
// they are, as long as they stand in the same order: that is so where servers
// come and go one by one, and costs a copy. Else all of them are looked up.
func (p *Pool) settle(cfg *Config) {
	known, total := p.residents(), 0
	for i := range cfg.Servers {
		total += len(cfg.Servers[i].Addrs)
	}
	for _, inOrder := range []bool{p.base != nil && !p.shared.twins, false} {
		b := &builder{cfg: cfg, known: known, fresh: newRecords(total, len(known) == 0), seen: map[identity]int{}, inOrder: inOrder}
		p.primary = b.group(false, p.base)
		p.backup = b.group(true, p.base)
		p.twins, p.came = b.twins, b.came
		if !b.tangled {
			break
		}
	}
	if len(p.backup.peers) == 0 {
		p.backup = nil
	}
}

// builder makes the groups of a pool.
type builder struct {
	cfg     *Config
	known   map[identity]*resident // of the pool so far
	fresh   func() *resident
	seen    map[identity]int // how often peers that were looked up have been
	came    []*resident      // records that are new
	twins   bool             // two lines are equal
	inOrder bool             // peers that stay are expected in the order they had
	tangled bool             // they are not
}

// group makes the peers of the primary or of the backup servers.
func (b *builder) group(backup bool, base *Pool) *group {
	g := &group{even: true, scale: 1, lookup: &lookup{}}
	servers, n := b.cfg.Servers, 0
	for i := range servers {
		if servers[i].Backup == backup {
			n += len(servers[i].Addrs)
		}
	}
	g.slots, g.peers = make([]slot, n), make([]Peer, n)
	g.records, g.loads = make([]*resident, n), newLoads(roundRobin{}, n)
	g.ages, g.turns = make([]*inflight, n), make([]*turn, n)
	rest := base.peersOf(backup)
	n = 0
	for i := range servers {
		if servers[i].Backup != backup {
			continue
		}
		for _, addr := range servers[i].Addrs {
			var before *Peer
			if b.inOrder {
				before = b.next(&rest, &servers[i], addr)
			}
			g.place(n, b.cfg.Name, &servers[i], placed{addr, before})
			b.settle(g, n, &servers[i], before)
			n++
		}
	}
	return g
}

// peersOf returns the primary or the backup peers of p, which may be nil.
func (p *Pool) peersOf(backup bool) []Peer {
	if p == nil || backup && p.backup == nil {
		return nil
	}
	return p.group(backup).peers
}

// next finds an address of a server among the rest of the peers so far: nil, if
// it is new. What it passes over is gone.
func (b *builder) next(rest *[]Peer, s *Server, addr Addr) *Peer {
	is := func(p *Peer) bool {
		id := &p.resident.identity
		return p.Addr == addr && id.line == s.identity() && id.route == s.Route
	}
	at := 0
	if len(*rest) == 0 || !is(&(*rest)[0]) {
		if b.known[identity{line: s.identity(), addr: addr.String(), route: s.Route}] == nil {
			return nil
		}
		for at < len(*rest) && !is(&(*rest)[at]) {
			at++
		}
	}
	if at == len(*rest) { // it was before one of those that have been passed, or in the other group
		b.tangled = true
		return nil
	}
	p := &(*rest)[at]
	*rest = (*rest)[at+1:]
	return p
}

// newRecords makes the records of peers that are new. All those of a new
// upstream lie in one piece, so that a walk over them is a walk through memory;
// those that come to others later lie alone, lest each hold the memory of all
// it came with.
func newRecords(n int, together bool) func() *resident {
	if !together {
		return func() *resident {
			return &resident{hot: &hot{}, turn: &turn{}, inflight: &inflight{}, accessed: longAgo, usable: longAgo, doubted: longAgo}
		}
	}
	hots, turns, ages := make([]hot, n), make([]turn, n), make([]inflight, n)
	return func() *resident {
		r := &resident{hot: &hots[0], turn: &turns[0], inflight: &ages[0], accessed: longAgo, usable: longAgo, doubted: longAgo}
		hots, turns, ages = hots[1:], turns[1:], ages[1:]
		return r
	}
}

// placed is an address of a server, and the peer it was in the pool so far; nil:
// it was not, or that is to be looked up.
type placed struct {
	addr   Addr
	before *Peer
}

// place writes what does not change of the peer at position n.
func (g *group) place(n int, upstream string, s *Server, at placed) {
	p := &g.peers[n]
	p.upstream = upstream
	p.Server, p.Addr, p.Backup, p.plain = s.Name, at.addr, s.Backup, s.plain()
	if o := at.before; o != nil && p.plain && o.plain && o.Server == s.Name {
		p.Text, p.SID, p.ID, p.Line = o.Text, o.SID, o.ID, o.Line
	} else {
		p.name(s)
	}
	p.facts = Facts{Down: s.Down, Drain: s.Drain}
	p.maxConns, p.weight, p.slowStart = limit(s.MaxConns), int32(s.Weight), int64(s.SlowStart)
	p.slot = &g.slots[n]
	*p.slot = slot{
		weight:      int32(s.Weight),
		failLimit:   limit(s.MaxFails),
		failTimeout: int32(min(s.FailTimeout/time.Second, math.MaxInt32)),
	}
	g.total += int64(s.Weight)
	g.even = g.even && s.Weight == int(g.slots[0].weight)
}

// plain reports whether the ids of the server's peer depend on nothing but its
// name, address and route.
func (s *Server) plain() bool {
	return len(s.Addrs) == 1 && s.Question == Question{} && s.Line == 0
}

// name works out what the peer is called.
func (p *Peer) name(s *Server) {
	p.Text = p.Addr.String()
	p.SID, p.ID = routeID(s.Route, p.Text), NewServerID(p.upstream, s.idName(p.Text))
	if p.Line = s.Line; p.Line == 0 {
		p.Line = s.LineID(p.upstream)
	}
}

// settle connects the peer at position n to its record, a known or a new one.
func (b *builder) settle(g *group, n int, s *Server, before *Peer) {
	p := &g.peers[n]
	r := (*resident)(nil)
	if before != nil {
		r = before.resident
	} else {
		r = b.record(identity{line: s.identity(), addr: p.Text, route: s.Route}, g, n)
	}
	p.resident, g.records[n], g.turns[n], g.ages[n] = r, r, r.turn, r.inflight
	p.slot.hot = r.hot
}

// record looks a record up, or makes it for the peer at position n.
func (b *builder) record(id identity, g *group, n int) *resident {
	nth := b.seen[id]
	b.seen[id]++
	if nth > 0 {
		b.twins, b.tangled = true, b.inOrder
	}
	id.nth = nth
	if r := b.known[id]; r != nil {
		return r
	}
	r := b.fresh()
	r.identity, r.loads, r.at = id, g.loads, int32(n)
	*r.hot = hot{checked: longAgo, steps: [2]int16{grain, grain}}
	weight := g.slots[n].weight
	*r.turn = turn{effective: weight, weight: weight}
	b.came = append(b.came, r)
	return r
}

// limit turns a configured limit, 0 for none, into one that is compared only.
func limit(n int) int32 {
	if n == 0 {
		return noLimit
	}
	return int32(min(n, noLimit-1))
}
