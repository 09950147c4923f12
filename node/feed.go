package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

// foresight is how long a reload waits for the addresses of names that are new
// in it, so that their upstreams do not begin without servers. A start does not
// wait: there is nothing that could serve meanwhile.
const foresight = 2 * time.Second

// feed is the bridge between discovery and the balancer: it has the names
// followed that the configuration in force asks about, and passes on what
// becomes of them. In a cluster it follows those that are this node's share, and
// passes on what has been agreed on; see council.go. Nothing else knows both.
type feed struct {
	balancer *lb.Balancer
	names    *discovery.Resolver
	log      *errorlog.Logger
	council  *council // nil: this node decides alone
	cluster  *cluster // nil: this node is alone

	// What has been adopted of agreed states, by one goroutine at a time.
	overlays        overlays
	sticky, tickets consensus.Ring
	first           []byte // see stickyKeys

	*sharing // of learned sessions and keys; nil without a cluster

	// What gossip has told, by one goroutine at a time.
	directory directory
	seen      map[string]sighting

	driftMu sync.Mutex
	drift   drift

	changing sync.Mutex // held while what is followed changes

	mu       sync.Mutex
	subjects map[subject]*followed
	troubles map[subject]string // what was wrong when it was last told
}

// subject is a name that an upstream follows.
type subject struct {
	upstream string
	question upstream.Question
}

// followed is a subject of the configuration in force.
type followed struct {
	query lb.Query
	duty  duty
	stop  func()         // nil: this node does not ask
	news  discovery.News // what it has heard
}

func newFeed(names *discovery.Resolver, log *errorlog.Logger) *feed {
	return &feed{
		names: names, log: log, subjects: map[subject]*followed{}, troubles: map[subject]string{},
		directory: directory{strange: map[uint64][]gossip.Report{}}, seen: map[string]sighting{},
		drift: drift{sums: map[string]uint64{}, names: map[string]string{}, unclear: map[string]bool{}},
	}
}

// join has the feed work for a cluster. It comes before everything else.
func (f *feed) join(c *cluster) {
	f.cluster = c
	f.sharing = &sharing{
		self: string(c.self()), tables: f.balancer, presence: newPresence(), ask: c.callNode,
		others: func() []string { return c.aliveNodes()[1:] },
		state:  c.state,
		first:  c.firstStickyKey,
		send: func(to []string, zone string, list []gossip.Session) error {
			return c.gossip.Load().SendSessions(to, zone, list)
		},
	}
	f.council = &council{
		self: string(c.self()), alive: c.aliveNodes, state: c.state, log: f.log,
		led: func() bool {
			agreement := c.consensus.Load()
			if agreement == nil {
				return false
			}
			leader, _ := agreement.Leader()
			return leader != ""
		},
		propose: func(ctx context.Context, cmd consensus.Command) (consensus.Result, error) {
			return c.consensus.Load().Propose(ctx, cmd)
		},
		ask: func(ctx context.Context, node string, body []byte) ([]byte, error) {
			return c.callNode(ctx, node, verbName, body)
		},
		knock: make(chan struct{}, 1), told: map[subject]bool{}, alone: leaderless,
	}
}

// follow has the given names followed, and no others. What is known of those
// that were followed before goes on to be known.
func (f *feed) follow(queries []lb.Query) {
	f.changing.Lock()
	defer f.changing.Unlock()
	f.mu.Lock()
	before := f.subjects
	f.subjects = map[subject]*followed{}
	for _, q := range queries {
		s := subject{q.Upstream, q.Question}
		f.subjects[s] = &followed{query: q, duty: dutyNone}
	}
	for s := range f.troubles {
		if f.subjects[s] == nil {
			delete(f.troubles, s)
		}
	}
	f.mu.Unlock()
	f.share()
	for _, former := range before {
		if former.stop != nil {
			former.stop()
		}
	}
}

// share gives each name the duty that this node has for it now; the lock
// changing is held.
func (f *feed) share() {
	var begin, end []*followed
	f.mu.Lock()
	for s, known := range f.subjects {
		duty := f.council.duty(s)
		if duty&dutyAsk != 0 && known.stop == nil {
			begin = append(begin, known)
		} else if duty&dutyAsk == 0 && known.stop != nil {
			end = append(end, known)
		}
		known.duty = duty
	}
	f.mu.Unlock()
	for _, known := range begin {
		known.stop = f.names.Follow(queryOf(&known.query), func(n discovery.News) { f.tell(known, n) })
	}
	for _, known := range end {
		known.stop()
		known.stop = nil
		f.forget(known)
	}
	f.applyAll()
}

// forget drops what this node has heard of a name that it asks about no more: by
// the time that it asks again, what was agreed on is newer.
func (f *feed) forget(known *followed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known.news = discovery.News{}
	delete(f.troubles, subject{known.query.Upstream, known.query.Question})
}

// applyAll tells the balancer what holds of every name.
func (f *feed) applyAll() {
	f.mu.Lock()
	list := make([]*followed, 0, len(f.subjects))
	for _, known := range f.subjects {
		list = append(list, known)
	}
	f.mu.Unlock()
	for _, known := range list {
		f.apply(known)
	}
}

// inForce gives what holds of a name: what has been agreed on, or what this node
// has heard, if it decides by itself. ok tells whether anything is known.
func (f *feed) inForce(known *followed) (records []discovery.Record, ok bool) {
	f.mu.Lock()
	own, news := known.duty&dutyApply != 0, known.news
	f.mu.Unlock()
	if own && news.Known() {
		return news.Records, true
	}
	return f.council.agreed(subject{known.query.Upstream, known.query.Question})
}

// apply tells the balancer what holds of a name.
func (f *feed) apply(known *followed) {
	q := &known.query
	records, ok := f.inForce(known)
	if !ok {
		return
	}
	if err := f.balancer.SetAnswer(q.Upstream, q.Question, answerOf(records)); err != nil {
		f.log.Logf(errorlog.Alert, 0, "servers of %s: %v", q.Question.Host, err)
	}
}

// close ends all following.
func (f *feed) close() { f.follow(nil) }

// tell passes news on, and logs what is wrong when it is new.
func (f *feed) tell(known *followed, n discovery.News) {
	q := &known.query
	s, trouble := subject{q.Upstream, q.Question}, troubleOf(n.Err)
	f.mu.Lock()
	known.news = n
	own := known.duty&dutyApply != 0
	before := f.troubles[s]
	f.troubles[s] = trouble
	f.mu.Unlock()
	if own && n.Known() {
		f.apply(known)
	}
	f.council.wake()
	switch {
	case trouble == before:
	case trouble == "":
		f.log.Logf(errorlog.Notice, 0, "%s is resolved again in upstream %q", q.Question.Host, q.Upstream)
	default:
		f.complain(known, n)
	}
}

// troubleOf tells apart what may be wrong with a name, by its kind: with how many
// of its targets it is wrong changes with each of them. "" is nothing.
func troubleOf(err error) string {
	if e, ok := errors.AsType[*discovery.Error](err); ok {
		return e.Error()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// complain logs that something is wrong with a name.
func (f *feed) complain(known *followed, n discovery.News) {
	q, addrs := &known.query, 0
	if records, _ := f.inForce(known); !n.Gone {
		for _, r := range records {
			addrs += len(r.Addrs)
		}
	}
	if e, ok := errors.AsType[*discovery.Error](n.Err); ok && e.Cause != nil {
		f.log.Logf(errorlog.Info, 0, "%v while resolving %s", e.Cause, q.Question.Host)
	}
	f.log.Logf(errorlog.Error, 0, "%s could not be resolved (%v) in upstream %q, addresses known: %d", q.Question.Host, n.Err, q.Upstream, addrs)
}

// foresee lets a configuration that is about to be put in force begin with the
// answers that come soon. What it follows for that goes on until stop.
func (f *feed) foresee(p *lb.Prepared) (stop func()) {
	queries := slices.DeleteFunc(p.Queries(), func(q lb.Query) bool {
		records, ok := f.council.agreed(subject{q.Upstream, q.Question})
		if ok {
			p.SetAnswer(q.Upstream, q.Question, answerOf(records))
		}
		return ok
	})
	var stops []func()
	news := make([]discovery.News, len(queries))
	told := make(chan int, len(queries))
	for i, q := range queries {
		first := sync.Once{}
		stops = append(stops, f.names.Follow(queryOf(&q), func(n discovery.News) {
			first.Do(func() {
				news[i] = n
				told <- i
			})
		}))
	}
	enough := time.NewTimer(foresight)
	defer enough.Stop()
	for range queries {
		select {
		case i := <-told:
			if news[i].Known() {
				p.SetAnswer(queries[i].Upstream, queries[i].Question, answerOf(news[i].Records))
			}
		case <-enough.C:
			return func() { stopAll(stops) }
		}
	}
	return func() { stopAll(stops) }
}

func stopAll(stops []func()) {
	for _, stop := range stops {
		stop()
	}
}

func queryOf(q *lb.Query) discovery.Query {
	return discovery.Query{Host: q.Question.Host, Service: q.Question.Service, Resolver: q.Resolver, Timeout: q.Timeout}
}

func answerOf(records []discovery.Record) upstream.Answer {
	var a upstream.Answer
	for _, r := range records {
		a.Records = append(a.Records, upstream.Record(r))
	}
	return a
}

// agreedOf and recordsOf turn the records of agreed answers into those of
// discovery and back.
func agreedOf(records []consensus.Record) []discovery.Record {
	list := make([]discovery.Record, len(records))
	for i, r := range records {
		list[i] = discovery.Record(r)
	}
	return list
}

func recordsOf(records []discovery.Record) []consensus.Record {
	list := make([]consensus.Record, len(records))
	for i, r := range records {
		list[i] = consensus.Record(r)
	}
	return list
}
