package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/health"
)

// duty is what a node has to do for a name that an upstream follows.
type duty uint8

// Duties, which may come together.
const (
	dutyAsk     duty = 1 << iota // ask name servers
	dutyApply                    // pass on to the balancer what they say, instead of what was agreed on
	dutyPropose                  // have it agreed on
	dutySecond                   // confirm what the one who proposes says, and take over from it
	dutyNone    duty = 0
)

// Times of following names together.
const (
	// leaderless is how long there may be no leader before each node follows
	// names for itself.
	leaderless = 10 * time.Second
	// takeOver is how often the second looks whether the first still does its duty.
	takeOver = 10 * time.Second
	// proposeTime bounds one proposal, and proposeAgain is the pause after one
	// that came to nothing.
	proposeTime  = 10 * time.Second
	proposeAgain = 3 * time.Second
)

// council is what following names takes of the other nodes. One of them, chosen
// by rendezvous hashing of the name, asks name servers and has the answer agreed
// on; a second one asks, too, to confirm what would take away much. All apply
// what was agreed on. A nil council is that of a node that decides alone.
type council struct {
	self    string
	alive   func() []string // ids of nodes, this one among them
	state   func() *consensus.State
	led     func() bool // whether there is a leader
	propose func(ctx context.Context, c consensus.Command) (consensus.Result, error)
	ask     func(ctx context.Context, node string, body []byte) ([]byte, error) // has it called witnessed
	log     *errorlog.Logger

	knock chan struct{} // there may be something to propose

	mu     sync.Mutex
	alone  time.Duration    // see leaderless; of tests another
	last   time.Time        // when there was a leader
	told   map[subject]bool // of whom it was told that nobody confirms
	looked time.Time        // when the second looked last
}

func (c *council) wake() {
	if c == nil {
		return
	}
	select {
	case c.knock <- struct{}{}:
	default:
	}
}

// agreed gives what has been agreed on about a name.
func (c *council) agreed(s subject) ([]discovery.Record, bool) {
	if c == nil {
		return nil, false
	}
	a, ok := c.state().Answer(s.agreed())
	return agreedOf(a.Records), ok
}

// agreed is how agreed answers call a subject.
func (s subject) agreed() consensus.Question {
	return consensus.Question{Upstream: s.upstream, Host: s.question.Host, Service: s.question.Service}
}

// duty tells what this node has to do for a name now.
func (c *council) duty(s subject) duty {
	if c == nil {
		return dutyAsk | dutyApply
	}
	_, known := c.state().Answer(s.agreed())
	return dutyOf(c.self, c.alive(), s, known, c.forsaken())
}

// dutyOf is the rule. It has no side effects.
func dutyOf(self string, alive []string, s subject, agreed, forsaken bool) duty {
	if forsaken {
		return dutyAsk | dutyApply
	}
	d := dutyNone
	if !agreed { // better something by itself than no servers
		d = dutyAsk | dutyApply
	}
	switch first, second := resolvers(s, alive); self {
	case first:
		d |= dutyAsk | dutyPropose
	case second:
		d |= dutyAsk | dutySecond
	}
	return d
}

// resolvers chooses who asks about a name and who confirms; "" for nobody.
func resolvers(s subject, alive []string) (first, second string) {
	list := append(health.Probers(hashOf([]string{s.upstream, s.question.Host, s.question.Service}), alive), "", "")
	return list[0], list[1]
}

// forsaken reports whether there has been no leader for long.
func (c *council) forsaken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.led() || c.last.IsZero() {
		c.last = now
	}
	return now.Sub(c.last) >= c.alone
}

// decide does the duties of f's council until ctx ends.
func (f *feed) decide(ctx context.Context) {
	c := f.council
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var again time.Time // when to try what came to nothing
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.knock:
		case <-tick.C:
		}
		f.reassign()
		if time.Now().Before(again) {
			continue
		}
		if !f.proposeAll(ctx) {
			again = time.Now().Add(proposeAgain)
		}
	}
}

// reassign gives duties anew, and applies what has been agreed on.
func (f *feed) reassign() {
	f.changing.Lock()
	defer f.changing.Unlock()
	f.share()
}

// proposeAll has everything agreed on that this node has to, and reports whether
// nothing is left to be tried again.
func (f *feed) proposeAll(ctx context.Context) bool {
	c := f.council
	c.mu.Lock()
	look := time.Since(c.looked) >= takeOver
	if look {
		c.looked = time.Now()
	}
	c.mu.Unlock()
	done := true
	for s, known := range f.differing() {
		switch {
		case known.duty&dutyPropose != 0:
			done = c.put(ctx, s, known.news) && done
		case known.duty&dutySecond != 0 && look && c.failing(ctx, s):
			done = c.put(ctx, s, known.news) && done
		}
	}
	return done
}

// differing gives the names of which this node has heard something else than
// what has been agreed on.
func (f *feed) differing() map[subject]followed {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := map[subject]followed{} // without stop
	for s, known := range f.subjects {
		if known.duty&(dutyPropose|dutySecond) == 0 || !known.news.Known() || known.news.Err != nil && !known.news.Gone {
			continue
		}
		if agreed, ok := f.council.agreed(s); !ok || !sameRecords(agreed, known.news.Records) {
			list[s] = followed{duty: known.duty, news: known.news}
		}
	}
	return list
}

// put proposes an answer, and has it confirmed before if need be: what is refused
// stands in the log, too. It reports whether the matter is settled.
func (c *council) put(ctx context.Context, s subject, n discovery.News) bool {
	ctx, cancel := context.WithTimeout(ctx, proposeTime)
	defer cancel()
	change := &consensus.PutAnswer{Question: s.agreed(), Resolver: consensus.NodeID(c.self), Records: recordsOf(n.Records)}
	if c.state().Doubtful(change) {
		if change.Confirmed = consensus.NodeID(c.witness(ctx, s, n)); change.Confirmed == "" {
			c.doubt(s)
			return false
		}
	}
	result, err := c.propose(ctx, consensus.Command{Actor: "resolver " + c.self, Change: change})
	settled := err == nil && result.Code == consensus.Accepted
	if settled {
		c.trust(s)
	}
	return settled
}

// trust logs, if it was told that an answer waits for somebody to confirm it, that
// it waits no more.
func (c *council) trust(s subject) {
	c.mu.Lock()
	told := c.told[s]
	delete(c.told, s)
	c.mu.Unlock()
	if told {
		c.log.Logf(errorlog.Notice, 0, "upstream %q: the servers of %s follow its name servers again", s.upstream, s.question.Host)
	}
}

// doubt logs once that an answer waits for somebody to confirm it.
func (c *council) doubt(s subject) {
	c.mu.Lock()
	told := c.told[s]
	c.told[s] = true
	c.mu.Unlock()
	if !told {
		c.log.Logf(errorlog.Error, 0, "upstream %q: the answer for %q removes more than half of the servers, and no other node was told the same: the servers stay", s.upstream, s.question.Host)
	}
}

// heard is what a node says of a name when another asks.
type heard struct {
	Known   bool               `json:"known"`
	Failing bool               `json:"failing"`
	Records []discovery.Record `json:"records"`
}

// witness finds another node that was told the same of a name; "" for none.
func (c *council) witness(ctx context.Context, s subject, n discovery.News) string {
	for _, other := range c.others(s) {
		if h, err := c.inquire(ctx, other, s); err == nil && h.Known && !h.Failing && sameRecords(h.Records, n.Records) {
			return other
		}
	}
	return ""
}

// failing reports whether the first resolver of a name does not do its duty.
func (c *council) failing(ctx context.Context, s subject) bool {
	first, _ := resolvers(s, c.alive())
	h, err := c.inquire(ctx, first, s)
	return err != nil || !h.Known || h.Failing
}

// others are the resolvers of a name but this node.
func (c *council) others(s subject) []string {
	first, second := resolvers(s, c.alive())
	return slices.DeleteFunc([]string{first, second}, func(id string) bool { return id == c.self || id == "" })
}

func (c *council) inquire(ctx context.Context, node string, s subject) (h heard, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	body, err := json.Marshal(s.agreed())
	if err != nil {
		return h, err
	}
	answer, err := c.ask(ctx, node, body)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(answer, &h)
}

// witnessed answers another node that asks what this one has heard of a name.
func (f *feed) witnessed(body []byte) ([]byte, error) {
	var q consensus.Question
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, fmt.Errorf("a question about a name: %w", err)
	}
	var h heard
	f.mu.Lock()
	for s, known := range f.subjects {
		if s.agreed() == q {
			h = heard{Known: known.news.Known(), Failing: known.news.Err != nil && !known.news.Gone, Records: known.news.Records}
		}
	}
	f.mu.Unlock()
	return json.Marshal(h)
}

// sameRecords tells whether two answers are the same, in whatever order.
func sameRecords(a, b []discovery.Record) bool {
	return slices.Equal(sortedRecords(a), sortedRecords(b))
}

func sortedRecords(list []discovery.Record) []string {
	var lines []string
	for _, r := range list {
		addrs := slices.Clone(r.Addrs)
		slices.SortFunc(addrs, netip.Addr.Compare)
		lines = append(lines, fmt.Sprint(r.Target, r.Port, r.Priority, r.Weight, slices.Compact(addrs)))
	}
	slices.SortFunc(lines, strings.Compare)
	return slices.Compact(lines)
}
