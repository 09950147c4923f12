package discovery

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
)

// ZoneStatus is what the resolvers of one status zone have done so far. Each
// question counts, so a name that is asked for in both families counts twice.
type ZoneStatus struct {
	Requests  Requests
	Responses Responses
}

// Requests are questions by what was asked for.
type Requests struct {
	Name uint64 // the addresses of a name
	SRV  uint64 // the SRV records of a name
	Addr uint64 // the name of an address, which weir does not ask for
}

// Responses are the questions that have ended, by how they did.
type Responses struct {
	NoError       uint64 // also where the name has no such record
	FormatError   uint64
	ServerFailure uint64
	NotFound      uint64 // NXDOMAIN
	Unimplemented uint64
	Refused       uint64
	TimedOut      uint64
	Unknown       uint64 // any other response code
}

// counters are a ZoneStatus that many can add to.
type counters struct {
	name, srv atomic.Uint64
	responses [len(outcomes) + 1]atomic.Uint64 // the last one: others
}

// outcomes are the codes that are counted apart; 0 is success.
var outcomes = [...]Code{0, FormatError, ServerFailure, NotFound, Unimplemented, Refused, TimedOut}

// request counts a question; c may be nil.
func (c *counters) request(qtype uint16) {
	switch {
	case c == nil:
	case qtype == dns.TypeSRV:
		c.srv.Add(1)
	default:
		c.name.Add(1)
	}
}

// response counts what a question came to; c may be nil. A question that
// nobody waits for any more has no end of its own and is not counted.
func (c *counters) response(m *dns.Msg, err error) {
	code := Code(0)
	switch e, failed := errors.AsType[*Error](err); {
	case c == nil || err != nil && !failed:
		return
	case failed:
		code = e.Code
	default:
		code = Code(m.Rcode)
	}
	i := slices.Index(outcomes[:], code)
	if i < 0 {
		i = len(outcomes)
	}
	c.responses[i].Add(1)
}

func (c *counters) status() ZoneStatus {
	n := func(i int) uint64 { return c.responses[i].Load() }
	return ZoneStatus{
		Requests: Requests{Name: c.name.Load(), SRV: c.srv.Load()},
		Responses: Responses{
			NoError: n(0), FormatError: n(1), ServerFailure: n(2), NotFound: n(3),
			Unimplemented: n(4), Refused: n(5), TimedOut: n(6), Unknown: n(7),
		},
	}
}

// zones are the counters of each status zone.
type zones struct {
	mu     sync.Mutex
	byName map[string]*counters
}

// get returns the counters of a zone, nil where none is named.
func (z *zones) get(name string) *counters {
	if name == "" {
		return nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	c := z.byName[name]
	if c == nil {
		c = &counters{}
		z.byName[name] = c
	}
	return c
}

// Status returns what each status zone has counted since it was first used, or
// since ResetStatistics.
func (r *Resolver) Status() map[string]ZoneStatus {
	r.zones.mu.Lock()
	defer r.zones.mu.Unlock()
	all := map[string]ZoneStatus{}
	for name, c := range r.zones.byName {
		all[name] = c.status()
	}
	return all
}

// ResetStatistics sets the counters of a status zone back to zero.
func (r *Resolver) ResetStatistics(zone string) {
	c := r.zones.get(zone)
	if c == nil {
		return
	}
	c.name.Store(0)
	c.srv.Store(0)
	for i := range c.responses {
		c.responses[i].Store(0)
	}
}
