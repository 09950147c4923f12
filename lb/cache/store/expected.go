package store

import (
	"sync"
	"sync/atomic"
)

// Expected is a reply that an upstream has been asked for, or that arrives: a
// purge of its key, from then on until its End, keeps it from being stored.
type Expected struct {
	zone   *Zone
	text   []byte
	purged atomic.Bool

	// Guarded by zone.expected.mu.
	key        Key // where it will be stored, as far as that is known
	prev, next *Expected
}

// expectations are the replies on their way, for purges to find.
type expectations struct {
	mu    sync.Mutex
	ring  Expected  // its end
	ended sync.Pool // of *Expected
}

func (s *expectations) init() { s.ring.prev, s.ring.next = &s.ring, &s.ring }

// Expect says that a reply for a key will be asked for; the text is copied. It
// is called before the upstream is asked, and followed by one End, when the
// reply has been stored or will not be.
func (z *Zone) Expect(key Key, text []byte) *Expected {
	s := &z.expected
	x, ok := s.ended.Get().(*Expected)
	if !ok {
		x = &Expected{zone: z}
	}
	x.purged.Store(false)
	x.key, x.text = key, append(x.text[:0], text...)
	s.mu.Lock()
	defer s.mu.Unlock()
	x.prev, x.next = s.ring.prev, &s.ring
	x.prev.next, x.next.prev = x, x
	return x
}

// Purged tells whether the key was purged since. It may be called by any
// goroutine, until End is.
func (x *Expected) Purged() bool { return x.purged.Load() }

// End says that nothing is expected any more.
func (x *Expected) End() {
	s := &x.zone.expected
	s.mu.Lock()
	x.prev.next, x.next.prev = x.next, x.prev
	s.mu.Unlock()
	s.ended.Put(x)
}

// goesTo notes under which key the reply will be stored.
func (x *Expected) goesTo(key Key) {
	x.zone.expected.mu.Lock()
	defer x.zone.expected.mu.Unlock()
	x.key = key
}

// doom keeps replies on their way from being stored, and returns their keys:
// those that were being put in their places have files.
func (z *Zone) doom(hit func(*Expected) bool) (keys []Key) {
	s := &z.expected
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := s.ring.next; x != &s.ring; x = x.next {
		if hit(x) {
			x.purged.Store(true)
			keys = append(keys, x.key)
		}
	}
	return keys
}
