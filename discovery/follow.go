package discovery

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/config"
)

// Bounds of how often a name is asked for.
const (
	minRefresh = time.Second     // whatever its time to live
	maxRefresh = 5 * time.Minute // lest a mistake in it last a week
	firstRetry = time.Second     // after a failure; it doubles with each further one
	maxRetry   = 30 * time.Second
)

// Query is what is to be followed.
type Query struct {
	Host     string
	Service  string           // of SRV records; empty: the addresses of Host
	Resolver *config.Resolver // its Servers are addresses
	Timeout  time.Duration    // of one question, over all name servers
}

// News is what is known of a followed name.
type News struct {
	// Records are what the name stands for, sorted, or stood for before where
	// that could not be told this time.
	Records []Record
	// Gone says that there are none because the name, or all it led to, does
	// not exist, as its name servers agree.
	Gone bool
	// Err tells what was wrong with the last look-up; nil: nothing.
	Err error
}

// Known reports whether the news says what the name stands for, though it may be
// nothing.
func (n *News) Known() bool { return len(n.Records) > 0 || n.Gone }

// followKey is a Query as far as answers depend on it.
type followKey struct {
	key
	service string
	timeout time.Duration
	keep    bool
}

// follow is a name that is asked for again and again, for all who want to know.
type follow struct {
	resolver *Resolver
	key      followKey
	query    Query
	cancel   context.CancelFunc
	memory   memory // of the goroutine that runs

	mu      sync.Mutex
	tell    map[int]func(News)
	numbers int
	news    News
	known   bool // news is worth telling
}

// Follow asks for a name whenever what is known of it expires, and tells when
// its records, or whether something is wrong with them, have changed. Where
// something is known it is told before Follow returns. Calls of tell come one at
// a time; it must neither block nor call back. After stop has returned there is
// none.
func (r *Resolver) Follow(q Query, tell func(News)) (stop func()) {
	host, ok := hostName(q.Host)
	name := host
	if q.Service != "" && ok {
		name, ok = serviceName(q.Service, host)
	}
	if !ok {
		tell(News{Gone: true, Err: errNotFound})
		return func() {}
	}
	k := followKey{key: keyOf(name, q.Resolver), service: q.Service, timeout: q.Timeout, keep: q.Resolver.KeepNotFound}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.follows[k]
	if f == nil {
		ctx, cancel := context.WithCancel(context.Background())
		f = &follow{resolver: r, key: k, query: q, cancel: cancel, memory: memory{}, tell: map[int]func(News){}}
		r.follows[k] = f
		go f.run(ctx)
	}
	number := f.join(tell)
	return func() { r.unfollow(f, number) }
}

// unfollow takes one of those who want to know away.
func (r *Resolver) unfollow(f *follow, number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.leave(number) {
		f.cancel()
		if r.follows[f.key] == f {
			delete(r.follows, f.key)
		}
	}
}

func (f *follow) join(tell func(News)) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.numbers++
	f.tell[f.numbers] = tell
	if f.known {
		tell(f.news)
	}
	return f.numbers
}

// leave reports whether nobody is left.
func (f *follow) leave(number int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.tell, number)
	return len(f.tell) == 0
}

func (f *follow) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := f.refresh(ctx)
		sleep(ctx, wait)
	}
}

// refresh asks for what has expired, tells what is new, and returns how long
// all of it holds.
func (f *follow) refresh(ctx context.Context) time.Duration {
	names := []string{f.key.host}
	var targets []Record
	if f.key.service != "" {
		targets = f.targets(ctx)
		names = names[:0]
		for _, t := range targets {
			names = append(names, t.Target)
		}
	}
	f.addresses(ctx, names)
	if ctx.Err() != nil {
		return 0
	}
	f.publish(f.assess(targets))
	return f.memory.next(time.Now())
}

// publish tells news if they are.
func (f *follow) publish(n News) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known && f.news.Gone == n.Gone && sameError(f.news.Err, n.Err) && slices.EqualFunc(f.news.Records, n.Records, Record.equal) {
		return
	}
	f.news, f.known = n, true
	for _, tell := range f.tell {
		tell(n)
	}
}

func (r Record) equal(o Record) bool {
	return r.Target == o.Target && r.Port == o.Port && r.Priority == o.Priority && r.Weight == o.Weight && slices.Equal(r.Addrs, o.Addrs)
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}

// refreshAfter returns when to ask again for what lives for ttl: a little
// earlier, and not at once with all the others that were asked for together.
func refreshAfter(ttl time.Duration) time.Duration {
	ttl = min(max(ttl, minRefresh), maxRefresh)
	return max(ttl-time.Duration(rand.Int64N(int64(ttl/10))), minRefresh)
}

// retryAfter returns when to ask again after a number of failures in a row.
func retryAfter(failures int) time.Duration {
	wait := min(firstRetry<<min(failures-1, 10), maxRetry)
	return max(wait-time.Duration(rand.Int64N(int64(wait/2))), minRefresh)
}
