package upstream

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// noLimit in a slot's limits stands for nginx's 0.
const noLimit = math.MaxInt32

// NewPool builds the pool of cfg. Peers that old, the pool so far, has too (by
// line, address and route) share their record with it: requests in work,
// failures, weights, counters and idle connections go on. NewPool leaves old as
// it is, so a pool that is not put into use after all needs no undoing. One
// that is put into use is told so by TakeOver. old may be nil.
func NewPool(cfg Config, old *Pool) (*Pool, error) {
	if err := check(cfg); err != nil {
		return nil, err
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.NewPCG(rand.Uint64(), rand.Uint64())
	}
	how := cfg.Method
	how.Inflight = how.Inflight && how.Kind == LeastTime
	p := &Pool{name: cfg.Name, how: how, queue: cfg.Queue, method: newMethod(how, cfg.Rand), sticky: newStickyPolicy(cfg.Sticky, cfg.Name), shared: &shared{grows: never}}
	var known map[identity]*resident
	if old != nil {
		p.shared = old.shared
		peers := old.Peers()
		known = make(map[identity]*resident, len(peers))
		for _, peer := range peers {
			known[peer.resident.identity] = peer.resident
		}
	}
	seen := make(map[identity]int, len(cfg.Servers))
	p.primary = newGroup(&cfg, false, known, seen)
	p.backup = newGroup(&cfg, true, known, seen)
	if len(p.backup.peers) == 0 {
		p.backup = nil
	}
	for _, g := range p.groups() {
		g.loads.told = old == nil // else TakeOver says so
		for i := range g.peers {
			g.peers[i].shared = p.shared
		}
		p.method.prepare(g)
	}
	p.single = len(p.primary.peers) == 1 && p.backup == nil
	p.slow = how.startsSlowly() && !p.single && slices.ContainsFunc(cfg.Servers, func(s Server) bool { return s.SlowStart > 0 })
	p.judge(nil)
	return p, nil
}

func check(cfg Config) error {
	primaries := 0
	for i := range cfg.Servers {
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
	if primaries == 0 && !cfg.AllowEmpty {
		return fmt.Errorf("no servers in upstream %q", cfg.Name)
	}
	return nil
}

// newGroup makes the peers of the primary or of the backup servers.
func newGroup(cfg *Config, backup bool, known map[identity]*resident, seen map[identity]int) *group {
	g := &group{even: true, scale: 1}
	servers, n := cfg.Servers, 0
	for i := range servers {
		if servers[i].Backup == backup {
			n += len(servers[i].Addrs)
		}
	}
	g.bySID, g.byID = make(map[string]int32, n), make(map[ServerID]int32, n)
	g.slots, g.peers = make([]slot, n), make([]Peer, n)
	g.records, g.loads = make([]*resident, n), newLoads(roundRobin{}, n)
	g.ages, g.turns = make([]*inflight, n), make([]*turn, n)
	fresh := newRecords(n, len(known) == 0)
	n = 0
	for i := range servers {
		if servers[i].Backup != backup {
			continue
		}
		for _, addr := range servers[i].Addrs {
			g.place(n, cfg.Name, &servers[i], addr)
			g.settle(n, &servers[i], fresh, known, seen)
			n++
		}
	}
	return g
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

// place writes what does not change of the peer at position n.
func (g *group) place(n int, upstream string, s *Server, addr Addr) {
	p := &g.peers[n]
	p.upstream = upstream
	p.Server, p.Addr, p.Text, p.Backup = s.Name, addr, addr.String(), s.Backup
	p.SID, p.ID = routeID(s.Route, p.Text), NewServerID(upstream, s.idName(p.Text))
	if p.Line = s.Line; p.Line == 0 {
		p.Line = s.LineID(upstream)
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
	if _, taken := g.bySID[p.SID]; !taken {
		g.bySID[p.SID] = int32(n)
	}
	if _, taken := g.byID[p.ID]; !taken {
		g.byID[p.ID] = int32(n)
	}
}

// settle connects the peer at position n to its record, a known or a new one.
func (g *group) settle(n int, s *Server, fresh func() *resident, known map[identity]*resident, seen map[identity]int) {
	p := &g.peers[n]
	id := identity{line: s.identity(), addr: p.Text, route: s.Route}
	nth := seen[id]
	seen[id]++
	id.nth = nth
	r := known[id]
	if r == nil {
		r = fresh()
		r.identity, r.loads, r.at = id, g.loads, int32(n)
		*r.hot = hot{checked: longAgo, steps: [2]int16{grain, grain}}
		*r.turn = turn{effective: int32(s.Weight), weight: int32(s.Weight)}
	}
	p.resident, g.records[n], g.turns[n], g.ages[n] = r, r, r.turn, r.inflight
	p.slot.hot = r.hot
}

// limit turns a configured limit, 0 for none, into one that is compared only.
func limit(n int) int32 {
	if n == 0 {
		return noLimit
	}
	return int32(min(n, noLimit-1))
}
