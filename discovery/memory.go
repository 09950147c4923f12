package discovery

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// lookupsAtOnce bounds the questions about targets of SRV records that are
// under way for one name.
const lookupsAtOnce = 16

// firstTurn bounds how long a name of which nothing is known yet waits for those
// of its questions that are not answered: some name servers never say anything
// about AAAA, and its servers are wanted.
const firstTurn = 5 * time.Second

// memory is what is known of each name and type that a followed name leads to.
type memory map[asked]*memo

// memo is the last good answer to a question.
type memo struct {
	answer   answer
	expires  time.Time // when to ask again
	failures int       // in a row, since answer came
	err      error     // the last of them
}

// due returns what is to be asked for again, first what has failed least, and
// forgets what is not wanted any more.
func (m memory) due(wanted []asked) []asked {
	var list []asked
	keep := map[asked]bool{}
	for _, k := range wanted {
		if m[k] == nil {
			m[k] = &memo{}
		}
		if !keep[k] && m[k].isDue() {
			list = append(list, k)
		}
		keep[k] = true
	}
	slices.SortStableFunc(list, func(a, b asked) int { return cmp.Compare(m[a].failures, m[b].failures) })
	for k := range m {
		if !keep[k] && k.qtype != dns.TypeSRV {
			delete(m, k)
		}
	}
	return list
}

// isDue reports whether to ask again now: better a moment early and together
// with others.
func (e *memo) isDue() bool { return time.Until(e.expires) < minRefresh/2 }

// next returns how long it is until something is to be asked for again.
func (m memory) next(now time.Time) time.Duration {
	wait := maxRefresh
	for _, e := range m {
		wait = min(wait, e.expires.Sub(now))
	}
	return max(wait, minRefresh)
}

// align lets both families of a name expire together: a name that has no
// addresses in one is asked about it no more often than about the other.
func (m memory) align(name string) {
	a, b := m[asked{name, dns.TypeA}], m[asked{name, dns.TypeAAAA}]
	switch {
	case a == nil || b == nil || a.err != nil || b.err != nil:
	case a.answer.empty():
		a.expires = b.expires
	case b.answer.empty():
		b.expires = a.expires
	case a.expires.Before(b.expires):
		b.expires = a.expires
	default:
		a.expires = b.expires
	}
}

// learn takes the end of a look-up in. A failure leaves what was known.
func (e *memo) learn(a answer, err error, valid time.Duration) {
	if err != nil {
		e.failures++
		e.err = err
		e.expires = time.Now().Add(retryAfter(e.failures))
		return
	}
	if valid > 0 && !a.empty() {
		a.ttl = valid
	}
	*e = memo{answer: a, expires: time.Now().Add(refreshAfter(a.ttl))}
}

func (a *answer) empty() bool { return len(a.addrs) == 0 && len(a.targets) == 0 }

// ask puts one question and remembers what it came to.
func (f *follow) ask(ctx context.Context, k asked, e *memo) {
	a, err := f.resolver.lookup(f.query.Resolver).records(ctx, k.name, k.qtype)
	e.learn(a, err, f.query.Resolver.Valid)
}

// targets returns the SRV records as far as they are known.
func (f *follow) targets(ctx context.Context) []Record {
	k := asked{f.key.host, dns.TypeSRV}
	e := f.memory[k]
	if e == nil {
		e = &memo{}
		f.memory[k] = e
	}
	if !e.isDue() {
		return e.answer.targets
	}
	ctx, cancel := context.WithTimeout(ctx, f.query.Timeout)
	defer cancel()
	f.ask(ctx, k, e)
	if e.err == nil {
		f.remember(e)
	}
	return e.answer.targets
}

// remember takes in what came along with the SRV records of e about their
// targets. All of it is to be asked for again together.
func (f *follow) remember(e *memo) {
	came := []*memo{e}
	for _, t := range e.answer.targets {
		for _, qtype := range f.types() {
			k := asked{t.Target, qtype}
			extra, ok := e.answer.extra[k]
			if !ok {
				continue
			}
			if f.memory[k] == nil {
				f.memory[k] = &memo{}
			}
			f.memory[k].learn(extra, nil, f.query.Resolver.Valid)
			came = append(came, f.memory[k])
		}
	}
	e.answer.extra = nil
	first := slices.MinFunc(came, func(a, b *memo) int { return a.expires.Compare(b.expires) }).expires
	for _, c := range came {
		c.expires = first
	}
}

// addresses asks for those of names that are not known or have expired. All the
// questions together have the time of one, lest many silent targets hold up what
// is known of the others; what is left is asked for in the next turn.
func (f *follow) addresses(ctx context.Context, names []string) {
	limit := f.query.Timeout
	if !f.known { // only this goroutine writes it
		limit = min(limit, firstTurn)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var wanted []asked
	for _, name := range names {
		for _, qtype := range f.types() {
			wanted = append(wanted, asked{name, qtype})
		}
	}
	places := make(chan struct{}, lookupsAtOnce)
	var wg sync.WaitGroup
	for _, k := range f.memory.due(wanted) {
		e := f.memory[k]
		places <- struct{}{}
		wg.Go(func() {
			if ctx.Err() == nil {
				f.ask(ctx, k, e)
			} else if e.err == nil {
				e.err = &Error{Code: TimedOut} // and it stays due
			}
			<-places
		})
	}
	wg.Wait()
	for _, name := range names {
		f.memory.align(name)
	}
}

// types are those of the families that are enabled.
func (f *follow) types() []uint16 {
	switch {
	case f.key.noIPv4:
		return []uint16{dns.TypeAAAA}
	case f.key.noIPv6:
		return []uint16{dns.TypeA}
	}
	return []uint16{dns.TypeA, dns.TypeAAAA}
}

// assess makes news of all that is known. Where nothing is left because
// something could not be told, what was known before holds.
func (f *follow) assess(targets []Record) News {
	var t trouble
	list := []Record{{Target: f.key.host}}
	if f.key.service != "" {
		list = targets
		if e := f.memory[asked{f.key.host, dns.TypeSRV}]; e.err != nil {
			t.add("", e.err)
		} else if len(targets) == 0 {
			t.add("", errNotFound)
		}
	}
	var records []Record
	room := maxAddresses
	for _, r := range list {
		var err error
		r.Addrs, err = f.locate(r.Target)
		if r.Addrs = r.Addrs[:min(len(r.Addrs), room)]; f.key.service == "" {
			r.Target = ""
		}
		if room -= len(r.Addrs); len(r.Addrs) > 0 {
			records = append(records, r)
		}
		t.add(r.Target, err)
	}
	if len(records) > 0 {
		return News{Records: records, Err: t.err()}
	}
	// Only this goroutine writes what is known.
	if before := f.news.Records; t.failed || f.key.keep && len(before) > 0 {
		return News{Records: before, Err: t.err()}
	}
	return News{Gone: true, Err: t.err()}
}

// locate returns the addresses that are known of a name and what was wrong
// when they were asked for last.
func (f *follow) locate(name string) (addrs []netip.Addr, err error) {
	for _, qtype := range f.types() {
		e := f.memory[asked{name, qtype}]
		addrs = append(addrs, e.answer.addrs...)
		if e.err != nil {
			err = e.err
		}
	}
	if len(addrs) == 0 && err == nil {
		err = errNotFound
	}
	return bounded(addrs), err
}

// errNotFound is what is wrong where a name, or its addresses, do not exist, as
// its name servers agree. All other errors are failures to find out.
var errNotFound = &Error{Code: NotFound}

// trouble collects what is wrong with a name and the targets of its records.
type trouble struct {
	first  error
	more   int
	failed bool // something could not be told
}

func (t *trouble) add(target string, err error) {
	if err == nil {
		return
	}
	t.failed = t.failed || err != error(errNotFound)
	if t.first != nil {
		t.more++
		return
	}
	if t.first = err; target != "" {
		t.first = fmt.Errorf("target %s: %w", strings.TrimSuffix(target, "."), err)
	}
}

func (t *trouble) err() error {
	if t.more == 0 {
		return t.first
	}
	return fmt.Errorf("%w, and %d more", t.first, t.more)
}
