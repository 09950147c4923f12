package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	firstPatience = 2 * time.Second // for one server, in the first round
	maxPatience   = 5 * time.Second // it doubles with each round up to this

	// pause is how long a round of questions lasts at least, for servers that
	// cannot be reached are known to be so at once.
	pause = time.Second
)

// lookup is one search for the records of a name.
type lookup struct {
	servers  []string // in the order in which to ask them
	types    []uint16 // of addresses
	exchange func(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error)
	known    *servers
	counters *counters // nil: not counted

	mu   sync.Mutex
	last error // what went wrong last
}

// result is what a lookup, or one of its families, came to.
type result struct {
	addrs   []netip.Addr // sorted, each one once
	ttl     time.Duration
	partial bool // one family failed, so that there may be more
	err     error
}

// run searches until there is an answer or ctx ends.
func (l *lookup) run(ctx context.Context, name string) result {
	parts := make([]result, len(l.types))
	var wg sync.WaitGroup
	for i, qtype := range l.types {
		wg.Go(func() { parts[i] = l.family(ctx, name, qtype) })
	}
	wg.Wait()
	return merge(parts)
}

// merge puts the families together. Where one failed, the other's addresses
// serve, but only shortly; where none has addresses, a failure says more than
// "not found".
func merge(parts []result) result {
	sum := result{ttl: maxTTL}
	var failed error
	for _, p := range parts {
		sum.addrs = append(sum.addrs, p.addrs...)
		if p.err != nil {
			failed, sum.partial = p.err, true
		}
		if p.err != nil || len(p.addrs) > 0 {
			sum.ttl = min(sum.ttl, p.ttl)
		}
	}
	if len(sum.addrs) > 0 {
		// The order of arrival is chance; a sorted set is the same set to all.
		slices.SortFunc(sum.addrs, netip.Addr.Compare)
		sum.addrs = slices.Compact(sum.addrs)
		return sum
	}
	if sum.err = failed; failed == nil {
		sum.err = &Error{Code: NotFound}
		for _, p := range parts {
			sum.ttl = min(sum.ttl, p.ttl)
		}
	}
	return sum
}

// family searches for the addresses of one type.
func (l *lookup) family(ctx context.Context, name string, qtype uint16) result {
	a, err := l.records(ctx, name, qtype)
	if err != nil {
		return result{err: err, ttl: failureTTL}
	}
	return result{addrs: a.addrs, ttl: a.ttl}
}

// records searches for the records of one type along the name's aliases.
func (l *lookup) records(ctx context.Context, name string, qtype uint16) (answer, error) {
	ttl := maxTTL
	for range maxAliases {
		m, err := l.ask(ctx, name, qtype)
		if err != nil {
			return answer{}, err
		}
		a := readAnswer(m, name, qtype)
		if a.endless {
			return answer{}, &Error{Code: NotFound, Cause: errAliases}
		}
		if ttl = min(ttl, a.ttl); a.alias == "" {
			a.ttl = ttl
			return a, nil
		}
		name = a.alias
	}
	return answer{}, &Error{Code: ServerFailure, Cause: errAliases}
}

var errAliases = errors.New("too many aliases")

// ask puts a question to one name server after the other until one knows the
// answer, all have been asked and one says that it cannot tell, or ctx ends.
func (l *lookup) ask(ctx context.Context, name string, qtype uint16) (m *dns.Msg, err error) {
	l.counters.request(qtype)
	defer func() { l.counters.response(m, err) }()
	for patience := firstPatience; ; patience = min(2*patience, maxPatience) {
		began := time.Now()
		m, verdict := l.round(ctx, question(name, qtype, 0), patience)
		if m != nil || verdict != nil {
			return m, verdict
		}
		if sleep(ctx, pause-time.Since(began)); ctx.Err() != nil {
			return nil, l.gaveUp(ctx)
		}
	}
}

// round asks each server once. Without an answer and an error none of them has
// said anything.
func (l *lookup) round(ctx context.Context, q *dns.Msg, patience time.Duration) (*dns.Msg, error) {
	var verdict error
	for _, server := range l.servers {
		q.Id = uint16(rand.Uint32())
		try, cancel := context.WithTimeout(ctx, patience)
		m, err := l.exchange(try, server, q)
		cancel()
		l.note(server, err)
		if ctx.Err() != nil {
			return nil, l.gaveUp(ctx)
		}
		l.known.heard(server, err == nil)
		switch {
		case err != nil:
		case m.Rcode == dns.RcodeSuccess, m.Rcode == dns.RcodeNameError:
			return m, nil
		default:
			verdict = &Error{Code: Code(m.Rcode), Cause: fmt.Errorf("name server %s: %s", server, dns.RcodeToString[m.Rcode])}
		}
	}
	return nil, verdict
}

// gaveUp tells why ctx has ended.
func (l *lookup) gaveUp(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return &Error{Code: TimedOut, Cause: l.trouble()}
	}
	return cause
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// note remembers what went wrong with a server, for those who give up waiting.
func (l *lookup) note(server string, err error) {
	if err == nil {
		return
	}
	var errno syscall.Errno
	if errors.As(err, &errno) { // the addresses around it say nothing new
		err = errno
	}
	l.mu.Lock()
	l.last = fmt.Errorf("name server %s: %w", server, err)
	l.mu.Unlock()
}

// trouble is what went wrong last, nil if nothing did.
func (l *lookup) trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
