package cache

import (
	"sync"
	"sync/atomic"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// Zone is what stands behind one `proxy_cache_path`: the store, the fetches at
// work, and the counters. It outlives configurations.
type Zone struct {
	*store.Zone
	flights   flights
	refreshes refreshes
	counters  [request.CacheStatuses]counter
	users     int // guarded by Set.mu
	set       *Set
}

// counter counts the replies of one status.
type counter struct {
	responses, bytes         atomic.Int64
	responsesKept, bytesKept atomic.Int64 // of those: what was stored
}

// Count is what a counter has come to.
type Count struct {
	Responses, Bytes         int64
	ResponsesKept, BytesKept int64 // of those that were fetched: what was stored
}

// Counted returns how many replies of a status there were, and their bytes.
func (z *Zone) Counted(s request.CacheStatus) Count {
	c := &z.counters[s]
	return Count{c.responses.Load(), c.bytes.Load(), c.responsesKept.Load(), c.bytesKept.Load()}
}

// Set holds the zones of one balancer. The zero Set is ready; it is safe for
// concurrent use.
type Set struct {
	stores store.Set
	mu     sync.Mutex
	zones  map[*store.Zone]*Zone
}

// Open returns the zone of a directory, made where there is none yet; each
// Open is followed by a Close in the end. See store.Set.Open.
func (s *Set) Open(o store.Options) (*Zone, error) {
	under, err := s.stores.Open(o)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.zones[under]
	if z == nil {
		z = &Zone{Zone: under, set: s}
		if s.zones == nil {
			s.zones = map[*store.Zone]*Zone{}
		}
		s.zones[under] = z
	}
	z.users++
	return z, nil
}

// Close gives up one Open.
func (z *Zone) Close() {
	z.set.mu.Lock()
	z.users--
	last := z.users == 0
	if last {
		delete(z.set.zones, z.Zone)
	}
	z.set.mu.Unlock()
	if last {
		z.refreshes.end()
	}
	z.Zone.Close()
}

// note counts a reply.
func (z *Zone) note(s request.CacheStatus, bytes int64) {
	c := &z.counters[s]
	c.responses.Add(1)
	c.bytes.Add(bytes)
}

// noteKept counts a reply that was stored.
func (z *Zone) noteKept(s request.CacheStatus, bytes int64) {
	c := &z.counters[s]
	c.responsesKept.Add(1)
	c.bytesKept.Add(bytes)
}
