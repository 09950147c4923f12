package discovery

import (
	"slices"
	"sync"
	"time"
)

// silenceMemory is how long a name server that did not answer is asked last.
const silenceMemory = 30 * time.Second

// servers decides which name server is asked first: they take turns, and those
// that were silent lately come last.
type servers struct {
	mu     sync.Mutex
	turn   int
	silent map[string]time.Time // when, of those that have not answered since
}

// inTurn returns the servers of a list in the order in which to ask them.
func (s *servers) inTurn(list []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.turn % len(list)
	s.turn++
	order := slices.Concat(list[first:], list[:first])
	slices.SortStableFunc(order, func(a, b string) int { return s.rank(a) - s.rank(b) })
	return order
}

// rank is 1 for a server that was silent lately; the lock is held.
func (s *servers) rank(server string) int {
	if at, silent := s.silent[server]; silent && time.Since(at) < silenceMemory {
		return 1
	}
	return 0
}

// heard notes whether a server answered, whatever it said.
func (s *servers) heard(server string, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answered {
		delete(s.silent, server)
	} else {
		s.silent[server] = time.Now()
	}
}
