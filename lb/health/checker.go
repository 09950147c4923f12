package health

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

// Prober asks a peer how it is. One Prober asks many peers at a time.
type Prober interface {
	// Probe returns what came of one question; it ends early with ctx.
	Probe(ctx context.Context, p *Place) Finding
}

// Check is one health_check line, made ready.
type Check struct {
	Key  string // checks of equal keys go on over a reload where they were
	Name string // for the log: the name of the match block

	Interval, Jitter time.Duration
	Fails, Passes    int
	Mandatory        bool
	Local            bool // every node checks for itself, whatever others say
	// Persistent lets a peer that was healthy before a reload go on so under a
	// check that is another one than before.
	Persistent    bool
	Port          uint16 // 0: that of the peer
	KeepaliveTime time.Duration
	Prober        Prober
}

// Plan is an upstream with its checks.
type Plan struct {
	Roster *upstream.Roster
	Checks []*Check
}

// Options are what a Checker needs.
type Options struct {
	Log *errorlog.Logger
	// Report hears what this node says of a peer, whenever that changes, when
	// requests fail there, and when another node wants to know; nil: nobody
	// does. It must not wait.
	Report func(Report)
}

// Checker checks the peers of upstreams. All its methods may be called by many
// goroutines, but for Apply.
type Checker struct {
	o      Options
	boot   uint64
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // holds one word that the queue has a new head
	all    sync.WaitGroup

	suspects chan upstream.PeerID // where requests have failed

	mu     sync.Mutex
	groups map[string]*group // by upstream
	queue  queue
	seq    uint64 // of reports
	number int    // of targets so far
	closed bool
	// firstAt is when the next new target may be probed.
	firstAt time.Time

	roll    roll
	ledger  ledger
	budget  budget     // of probes on doubt
	sweepAt time.Time  // when silent nodes are looked for
	stale   bool       // there was one the last time
	settled time.Time  // when those who share have been heard, if they say anything
	doubted []*subject // that this node reported though it does not check them
	held    []*subject // each once
}

// group is an upstream under check.
type group struct {
	roster   *upstream.Roster
	checks   []*Check
	subjects map[upstream.PeerID]*subject
	stop     chan struct{}
	round    uint64 // how often its peers were looked at
}

// subject is a peer under check.
type subject struct {
	group   *group
	id      upstream.PeerID
	key     uint64
	peer    *upstream.Peer
	round   uint64 // of the group, when the peer was there last
	targets []*target

	panel panel
	duty  bool // this node is on the panel
	extra bool // it checks though it is not: it doubts what the others say

	own      Status    // what the checks here say
	ownSince time.Time // since when
	passedAt time.Time // when one passed last
	report   Report    // what was told to others last

	nodes      Status    // what the nodes conclude
	nodesSince time.Time // since when
	agreed     bool      // own was StatusDown, too, while nodes is
	steadiness steadiness

	verdict   upstream.Verdict
	reason    Reason    // of verdict
	suspectAt time.Time // when somebody said last that the peer may be ill
}

// target is one check of one peer.
type target struct {
	subject *subject
	check   *Check
	place   *Place // nil while the node does not ask
	tally   tally
	due     time.Time
	index   int // in the queue; -1: it is not there
	busy    bool
	gone    bool
	begun   time.Time
	spread  bool // the second probe is over
	rush    bool // while the status changes, probes come as fast as may be
	again   bool // a probe is wanted that begins after the one on its way
	asked   bool // another node waits for the result, whatever it is
	number  int
	counts  Counts
}

// NewChecker returns a checker without work.
func NewChecker(o Options) *Checker {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Checker{
		o: o, boot: uint64(time.Now().UnixNano()), ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), groups: map[string]*group{},
		suspects: make(chan upstream.PeerID, mostSuspects), roll: newRoll(Nodes{}),
	}
	c.all.Add(1)
	go c.run()
	return c
}

// Apply replaces all that is checked. What stays under an equal check keeps
// what was found about it; whatever is no longer checked counts as usable.
func (c *Checker) Apply(plans []Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	stay := map[string]bool{}
	for _, p := range plans {
		name := p.Roster.Name()
		stay[name] = true
		g := c.groups[name]
		if g != nil && g.roster != p.Roster { // it was gone in between
			c.drop(name)
			g = nil
		}
		if g == nil {
			g = &group{roster: p.Roster, subjects: map[upstream.PeerID]*subject{}, stop: make(chan struct{})}
			c.groups[name] = g
			c.all.Add(1)
			go c.follow(g)
		}
		g.checks = p.Checks
		g.roster.Suspects(c.suspects)
		c.refresh(g, true)
	}
	for name := range c.groups {
		if !stay[name] {
			c.drop(name)
		}
	}
}

// Close ends all checks and waits for the probes that are on their way, which
// end at once.
func (c *Checker) Close() {
	c.mu.Lock()
	c.closed = true
	for _, g := range c.groups {
		close(g.stop)
		for _, s := range g.subjects {
			c.end(s.targets)
		}
	}
	clear(c.groups)
	c.mu.Unlock()
	c.cancel()
	c.all.Wait()
}

// follow looks after peers that come and go.
func (c *Checker) follow(g *group) {
	defer c.all.Done()
	for {
		changed := g.roster.Changed()
		c.mu.Lock()
		select {
		case <-g.stop:
			c.mu.Unlock()
			return
		default:
		}
		c.refresh(g, false)
		c.mu.Unlock()
		select {
		case <-changed:
		case <-g.stop:
			return
		}
	}
}

// refresh makes the peers of an upstream, as they are now, the ones under its
// checks. Peers that were there before go on as they do, unless anew says that
// the checks may be others. c.mu is held.
func (c *Checker) refresh(g *group, anew bool) {
	pool := g.roster.Pool()
	if pool == nil {
		return
	}
	g.round++
	var changes judgements
	for _, p := range pool.Peers() {
		id := p.PeerID()
		s := g.subjects[id]
		if s == nil {
			s = &subject{group: g, id: id, key: id.Key(), report: Report{Peer: id, Boot: c.boot}}
			g.subjects[id] = s
		}
		if s.round == g.round { // an equal line
			continue
		}
		s.round = g.round
		known := s.peer != nil && s.peer.Same(p)
		s.peer = p
		if known && !anew {
			continue
		}
		c.renew(s)
		c.decide(s)
		changes.add(s)
	}
	for id, s := range g.subjects {
		if s.round != g.round {
			c.forget(s)
			delete(g.subjects, id)
		}
	}
	changes.tell()
}

// mandatory reports whether a new peer waits for its first check.
func (g *group) mandatory() bool {
	for _, check := range g.checks {
		if check.Mandatory {
			return true
		}
	}
	return false
}

// local reports whether every node checks the peers for itself.
func (g *group) local() bool {
	return slices.ContainsFunc(g.checks, func(check *Check) bool { return check.Local })
}

// renew lets a peer be under the checks of its upstream as they are now.
func (c *Checker) renew(s *subject) {
	before := s.targets
	s.targets = nil
	healthy := len(before) > 0 && s.own != StatusUnknown && s.verdict == upstream.VerdictUsable
	var fresh []*target
	for _, check := range s.group.checks {
		t := takeEqual(&before, check)
		if t == nil {
			t = &target{subject: s, index: -1, number: c.number}
			c.number++
			if healthy && check.Persistent {
				t.tally.status = StatusUp
			}
			fresh = append(fresh, t)
		}
		t.check = check
		s.targets = append(s.targets, t)
	}
	c.end(before)
	if !c.assign(s) && s.asks() {
		for _, t := range fresh {
			c.schedule(t, c.firstTurn())
		}
	}
	s.setOwn(opinion(s.targets))
}

// firstTurn is when a new target is probed: at once, but for the gap between it
// and others that are new. c.mu is held.
func (c *Checker) firstTurn() time.Time {
	at := time.Now()
	if c.firstAt.After(at) {
		at = c.firstAt
	}
	c.firstAt = at.Add(firstGap)
	return at
}

// takeEqual takes the target of an equal check out of a list; nil: there is
// none.
func takeEqual(list *[]*target, check *Check) *target {
	for i, t := range *list {
		if t.check.Key == check.Key {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return t
		}
	}
	return nil
}

// drop ends the checks of an upstream. c.mu is held.
func (c *Checker) drop(name string) {
	g := c.groups[name]
	delete(c.groups, name)
	close(g.stop)
	var usable judgements
	for _, s := range g.subjects {
		c.forget(s)
		s.verdict = upstream.VerdictUsable
		usable.add(s)
	}
	usable.tell()
}

// forget ends the checking of a peer. c.mu is held.
func (c *Checker) forget(s *subject) {
	c.end(s.targets)
	c.retract(s)
	c.ledger.clean(s.id)
	c.held = slices.DeleteFunc(c.held, func(h *subject) bool { return h == s })
}

// end ends checks of a peer. c.mu is held.
func (c *Checker) end(list []*target) {
	for _, t := range list {
		t.gone = true
		c.rest(t)
	}
}
