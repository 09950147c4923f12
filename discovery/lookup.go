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

// lookup is one search for the addresses of a name.
type lookup struct {
	servers  []string
	first    int // the server to begin with
	types    []uint16
	exchange func(ctx context.Context, server string, q *dns.Msg) (*dns.Msg, error)

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

// family searches for the addresses of one type along the name's aliases.
func (l *lookup) family(ctx context.Context, name string, qtype uint16) result {
	ttl := maxTTL
	for range maxAliases {
		m, err := l.ask(ctx, name, qtype)
		if err != nil {
			return result{err: err, ttl: failureTTL}
		}
		a := readAnswer(m, name, qtype)
		ttl = min(ttl, a.ttl)
		if a.alias == "" {
			return result{addrs: a.addrs, ttl: ttl}
		}
		name = a.alias
	}
	return result{err: &Error{Code: ServerFailure, Cause: errors.New("too many aliases")}, ttl: failureTTL}
}

// ask puts a question to one name server after the other until one knows the
// answer, all have been asked and one says that it cannot tell, or ctx ends.
func (l *lookup) ask(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	for patience := firstPatience; ; patience = min(2*patience, maxPatience) {
		began := time.Now()
		var verdict *Error
		for i := range l.servers {
			server := l.servers[(l.first+i)%len(l.servers)]
			try, cancel := context.WithTimeout(ctx, patience)
			m, err := l.exchange(try, server, question(name, qtype, uint16(rand.Uint32())))
			cancel()
			switch {
			case ctx.Err() != nil:
				l.note(server, err)
				return nil, ctx.Err()
			case err != nil:
				l.note(server, err)
			case m.Rcode == dns.RcodeSuccess, m.Rcode == dns.RcodeNameError:
				return m, nil
			default:
				verdict = &Error{Code: Code(m.Rcode), Cause: fmt.Errorf("name server %s: %s", server, dns.RcodeToString[m.Rcode])}
			}
		}
		if verdict != nil {
			return nil, verdict
		}
		if err := sleep(ctx, pause-time.Since(began)); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
