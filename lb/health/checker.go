package health

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	// Report hears of every change of what this node says of a peer; nil:
	// nobody does. It must not wait.
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

	mu     sync.Mutex
	groups map[string]*group // by upstream
	queue  queue
	seq    uint64 // of reports
	number int    // of targets so far
	closed bool
	// firstAt is when the next new target may be probed.
	firstAt time.Time
}

// group is an upstream under check.
type group struct {
	roster   *upstream.Roster
	checks   []*Check
	subjects map[upstream.PeerID]*subject
	stop     chan struct{}
}

// subject is a peer under check.
type subject struct {
	group   *group
	id      upstream.PeerID
	verdict upstream.Verdict
	report  Report
	targets []*target
}

// target is one check of one peer.
type target struct {
	subject *subject
	check   *Check
	place   *Place
	tally   tally
	due     time.Time
	index   int // in the queue; -1: it is not there
	busy    bool
	gone    bool
	spread  bool // the second probe is over
	number  int
	counts  Counts
}

// NewChecker returns a checker without work.
func NewChecker(o Options) *Checker {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Checker{
		o: o, boot: uint64(time.Now().UnixNano()), ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1), groups: map[string]*group{},
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
		c.refresh(g)
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
			c.forget(s.targets)
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
		c.refresh(g)
		c.mu.Unlock()
		select {
		case <-changed:
		case <-g.stop:
			return
		}
	}
}

// refresh makes the peers of an upstream, as they are now, the ones under its
// checks, as these are now. c.mu is held.
func (c *Checker) refresh(g *group) {
	pool := g.roster.Pool()
	if pool == nil {
		return
	}
	present := map[upstream.PeerID]bool{}
	var conclusions []upstream.Judgement
	for _, p := range pool.Peers() {
		id := p.PeerID()
		if present[id] { // an equal line
			continue
		}
		present[id] = true
		s := g.subjects[id]
		if s == nil {
			s = &subject{group: g, id: id, report: Report{Peer: id, Boot: c.boot}}
			g.subjects[id] = s
		}
		c.renew(s, p)
		s.verdict = Judge(s.report, g.mandatory())
		conclusions = append(conclusions, upstream.Judgement{Peer: id, Verdict: s.verdict})
	}
	for id, s := range g.subjects {
		if !present[id] {
			c.forget(s.targets)
			delete(g.subjects, id)
		}
	}
	g.roster.SetVerdicts(conclusions...)
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

// renew lets a peer be under the checks of its upstream as they are now.
func (c *Checker) renew(s *subject, p *upstream.Peer) {
	before := s.targets
	s.targets = nil
	healthy := len(before) > 0 && s.report.Status != StatusUnknown && s.verdict == upstream.VerdictUsable
	for _, check := range s.group.checks {
		if t := takeEqual(&before, check); t != nil {
			t.check = check
			s.targets = append(s.targets, t)
			continue
		}
		t := &target{subject: s, check: check, place: newPlace(p, check), index: -1, number: c.number}
		c.number++
		if healthy && check.Persistent {
			t.tally.status = StatusUp
		}
		s.targets = append(s.targets, t)
		c.schedule(t, c.firstTurn())
	}
	c.forget(before)
	s.report.Status = opinion(s.targets)
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
	var usable []upstream.Judgement
	for id, s := range g.subjects {
		c.forget(s.targets)
		usable = append(usable, upstream.Judgement{Peer: id, Verdict: upstream.VerdictUsable})
	}
	g.roster.SetVerdicts(usable...)
}

// forget ends checks of a peer. c.mu is held.
func (c *Checker) forget(list []*target) {
	for _, t := range list {
		t.gone = true
		c.unschedule(t)
		if !t.busy {
			t.place.close()
		}
	}
}

// probe makes one check.
func (c *Checker) probe(t *target, check *Check) {
	defer c.all.Done()
	began := time.Now()
	f := check.Prober.Probe(c.ctx, t.place)
	f.Latency = time.Since(began)
	c.conclude(t, f)
}

// conclude draws the consequences of a finding: the verdict is in force when it
// returns.
func (c *Checker) conclude(t *target, f Finding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.busy = false
	if t.gone {
		t.place.close()
		return
	}
	check, s := t.check, t.subject
	before := t.tally.status
	t.tally.add(f.Passed(), check.Fails, check.Passes)
	t.counts.add(f, before, t.tally.status)
	c.schedule(t, t.next(time.Now(), rand.N(check.Jitter+1)))
	status := opinion(s.targets)
	if status == s.report.Status {
		return
	}
	c.seq++
	s.report = Report{Peer: s.id, Boot: c.boot, Seq: c.seq, Status: status, Reason: f.Reason, Since: time.Now(), Latency: f.Latency}
	verdict := Judge(s.report, s.group.mandatory())
	if verdict != s.verdict {
		s.verdict = verdict
		s.group.roster.SetVerdicts(upstream.Judgement{Peer: s.id, Verdict: verdict})
		c.tell(t, f)
	}
	if c.o.Report != nil {
		c.o.Report(s.report)
	}
}

// tell writes a change of a verdict into the log.
func (c *Checker) tell(t *target, f Finding) {
	level, state := errorlog.Notice, "healthy"
	if t.subject.verdict == upstream.VerdictUnhealthy {
		level, state = errorlog.Error, "unhealthy ("+f.words()+")"
	}
	c.o.Log.Log(level, 0, fmt.Sprintf("peer is %s, health check %q of peer %s in upstream %q", state, t.check.Name, t.subject.id.Addr, t.subject.id.Upstream))
}
