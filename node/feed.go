package node

import (
	"errors"
	"sync"
	"time"

	"github.com/weir-lb/weir/discovery"
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
// becomes of them. Nothing else knows both.
type feed struct {
	balancer *lb.Balancer
	names    *discovery.Resolver
	log      *errorlog.Logger
	stops    []func() // of what is followed; belongs to the node's goroutine

	mu       sync.Mutex
	troubles map[subject]string // what was wrong when it was last told
}

// subject is a name that an upstream follows.
type subject struct {
	upstream string
	question upstream.Question
}

func newFeed(b *lb.Balancer, names *discovery.Resolver, log *errorlog.Logger) *feed {
	return &feed{balancer: b, names: names, log: log, troubles: map[subject]string{}}
}

// follow has the given names followed, and no others. What is known of those
// that were followed before goes on to be known.
func (f *feed) follow(queries []lb.Query) {
	before := f.stops
	f.stops = nil
	wanted := map[subject]bool{}
	for _, q := range queries {
		wanted[subject{q.Upstream, q.Question}] = true
		f.stops = append(f.stops, f.names.Follow(queryOf(&q), func(n discovery.News) { f.tell(&q, n) }))
	}
	stopAll(before)
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.troubles {
		if !wanted[s] {
			delete(f.troubles, s)
		}
	}
}

// close ends all following.
func (f *feed) close() { f.follow(nil) }

// tell passes news on, and logs what is wrong when it is new.
func (f *feed) tell(q *lb.Query, n discovery.News) {
	if n.Known() {
		if err := f.balancer.SetAnswer(q.Upstream, q.Question, answerOf(n.Records)); err != nil {
			f.log.Logf(errorlog.Alert, 0, "servers of %s: %v", q.Question.Host, err)
		}
	}
	s, text := subject{q.Upstream, q.Question}, ""
	if n.Err != nil {
		text = n.Err.Error()
	}
	f.mu.Lock()
	before := f.troubles[s]
	f.troubles[s] = text
	f.mu.Unlock()
	switch {
	case text == before:
	case text == "":
		f.log.Logf(errorlog.Notice, 0, "%s is resolved again in upstream %q", q.Question.Host, q.Upstream)
	default:
		f.complain(q, n)
	}
}

// complain logs that something is wrong with a name.
func (f *feed) complain(q *lb.Query, n discovery.News) {
	known := 0
	for _, r := range n.Records {
		known += len(r.Addrs)
	}
	if e, ok := errors.AsType[*discovery.Error](n.Err); ok && e.Cause != nil {
		f.log.Logf(errorlog.Info, 0, "%v while resolving %s", e.Cause, q.Question.Host)
	}
	f.log.Logf(errorlog.Error, 0, "%s could not be resolved (%v) in upstream %q, addresses known: %d", q.Question.Host, n.Err, q.Upstream, known)
}

// foresee lets a configuration that is about to be put in force begin with the
// answers that come soon. What it follows for that goes on until stop.
func (f *feed) foresee(p *lb.Prepared) (stop func()) {
	queries := p.Queries()
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
