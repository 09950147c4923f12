package discovery

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/weir-lb/weir/config"
)

// maxEntries bounds how many names are remembered, since clients may choose
// them.
const maxEntries = 4096

// Resolver finds addresses by asking name servers, and remembers them. It is
// safe for concurrent use and outlives reloads: what is known depends on the
// name servers asked, not on the configuration that named them.
type Resolver struct {
	exchange func(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error)
	servers  servers
	zones    zones

	mu      sync.Mutex
	entries map[key]*entry
	follows map[followKey]*follow
}

// key is a name, and what its addresses depend on.
type key struct {
	host, servers  string
	valid          time.Duration
	noIPv4, noIPv6 bool
	zone           string
}

// entry is a look-up that runs, or what it came to.
type entry struct {
	lookup  *lookup
	cancel  context.CancelCauseFunc
	waiters int           // guarded by Resolver.mu
	done    chan struct{} // closed at the end; what follows is written before
	expires time.Time
	addrs   []netip.Addr
	err     error
}

// New returns a resolver that knows nothing yet.
func New() *Resolver {
	return &Resolver{
		exchange: exchange, servers: servers{silent: map[string]time.Time{}},
		zones:   zones{byName: map[string]*counters{}},
		entries: map[key]*entry{}, follows: map[followKey]*follow{},
	}
}

// Known returns the addresses of a host that need no question, because they
// are still valid. The slice is shared and must not be changed.
func (r *Resolver) Known(host string, conf *config.Resolver) ([]netip.Addr, bool) {
	name, ok := hostName(host)
	if !ok {
		return nil, false
	}
	k := keyOf(name, conf)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[k]
	if e == nil || !e.ended() || e.err != nil || !time.Now().Before(e.expires) {
		return nil, false
	}
	return e.addrs, true
}

// Lookup returns the addresses of a host, sorted, at least one, by asking the
// name servers of conf where they are not known. The slice is shared and must
// not be changed. An error is an *Error, whose code is TimedOut when the
// deadline of ctx passed, or the reason for which ctx was cancelled.
func (r *Resolver) Lookup(ctx context.Context, host string, conf *config.Resolver) ([]netip.Addr, error) {
	name, ok := hostName(host)
	if !ok {
		return nil, &Error{Code: NotFound}
	}
	k := keyOf(name, conf)
	e := r.enter(k, conf)
	select {
	case <-e.done:
		return e.addrs, e.err
	case <-ctx.Done():
	}
	why := context.Cause(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		why = &Error{Code: TimedOut, Cause: e.lookup.trouble()}
	}
	r.leave(k, e, why)
	return nil, why
}

func keyOf(name string, conf *config.Resolver) key {
	return key{
		host: name, servers: strings.Join(conf.Servers, " "), valid: conf.Valid,
		noIPv4: conf.NoIPv4, noIPv6: conf.NoIPv6, zone: conf.StatusZone,
	}
}

// lookup returns a search by the name servers of conf.
func (r *Resolver) lookup(conf *config.Resolver) *lookup {
	l := &lookup{
		servers: r.servers.inTurn(conf.Servers), exchange: r.exchange,
		known: &r.servers, counters: r.zones.get(conf.StatusZone),
	}
	if !conf.NoIPv4 {
		l.types = append(l.types, dns.TypeA)
	}
	if !conf.NoIPv6 {
		l.types = append(l.types, dns.TypeAAAA)
	}
	return l
}

// enter returns what is known of a name, or the look-up that runs for it,
// which is begun if there is none.
func (r *Resolver) enter(k key, conf *config.Resolver) *entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[k]
	switch {
	case e == nil:
	case !e.ended():
		e.waiters++
		return e
	case time.Now().Before(e.expires):
		return e
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	e = &entry{cancel: cancel, waiters: 1, done: make(chan struct{}), lookup: r.lookup(conf)}
	r.makeRoom()
	r.entries[k] = e
	go e.run(ctx, k)
	return e
}

// run looks up and tells everyone who waits.
func (e *entry) run(ctx context.Context, k key) {
	defer e.cancel(nil)
	got := e.lookup.run(ctx, k.host)
	if got.err == nil && !got.partial && k.valid > 0 {
		got.ttl = k.valid
	}
	// Somebody who has waited may find the answer expired, but waits no more.
	e.addrs, e.err, e.expires = got.addrs, got.err, time.Now().Add(got.ttl)
	close(e.done)
}

// leave takes one who waits away; the last one ends the look-up, for the reason
// that made it leave.
func (r *Resolver) leave(k key, e *entry, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.waiters--; e.waiters > 0 || e.ended() {
		return
	}
	e.cancel(why)
	if r.entries[k] == e { // nobody may join what is being given up
		delete(r.entries, k)
	}
}

func (e *entry) ended() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// makeRoom lets something be forgotten where much is remembered, best what
// has expired. Look-ups that run are not counted against anyone: those who
// wait for them are bounded already.
func (r *Resolver) makeRoom() {
	const glances = 32 // the order of a map's entries is chance enough
	if len(r.entries) < maxEntries {
		return
	}
	seen, now := 0, time.Now()
	var victim *key
	for k, e := range r.entries {
		if seen++; seen > glances && victim != nil {
			break
		}
		if !e.ended() {
			continue
		}
		if victim = &k; !now.Before(e.expires) {
			break
		}
	}
	if victim != nil {
		delete(r.entries, *victim)
	}
}
