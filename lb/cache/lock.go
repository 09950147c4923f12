package cache

import (
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// flight is one fetch for a key, for which others may wait.
type flight struct {
	began   time.Time
	asked   *store.Expected // while it is; guarded by flights.mu
	landed  chan struct{}   // closed when it is over
	settled chan struct{}   // closed when it is known what comes of it:
	fill    *store.Fill     // the entry in the making; nil: none
	again   bool            // no fill, but it is worth to look again, or to try
}

// flights are the fetches at work in a zone, one for each key.
type flights struct {
	mu  sync.Mutex
	all map[store.Key]*flight
}

// lead returns the fetch of a key, and whether it is the caller's to do. One
// that has begun longer than age ago does not count any more.
func (s *flights) lead(key store.Key, now time.Time, age time.Duration) (f *flight, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.all[key]; f != nil && f.counts(now, age) {
		return f, false
	}
	f = &flight{began: now, settled: make(chan struct{}), landed: make(chan struct{})}
	if s.all == nil {
		s.all = map[store.Key]*flight{}
	}
	s.all[key] = f
	return f, true
}

// busy tells whether a fetch of the key is at work that counts.
func (s *flights) busy(key store.Key, now time.Time, age time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.all[key]
	return f != nil && f.counts(now, age)
}

// counts tells whether those who come now wait for the fetch: not if it takes
// too long to begin, or brings what was purged meanwhile; flights.mu is locked.
func (f *flight) counts(now time.Time, age time.Duration) bool {
	if f.asked != nil && f.asked.Purged() {
		return false
	}
	return now.Sub(f.began) < age || f.fill != nil
}

// asks notes that the upstream is asked.
func (s *flights) asks(f *flight, x *store.Expected) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.asked = x
}

// filling tells those who wait that the reply is being stored.
func (s *flights) filling(f *flight, fill *store.Fill) {
	s.mu.Lock()
	f.fill = fill
	s.mu.Unlock()
	close(f.settled)
}

// land ends a fetch. Those who wait still look again, or go their own ways
// where what came is not for sharing.
func (s *flights) land(key store.Key, f *flight, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.asked = nil
	if s.all[key] == f {
		delete(s.all, key)
	}
	if f.fill == nil {
		f.again = again
		close(f.settled)
	}
	close(f.landed)
}

// waited is how a wait ended.
type waited uint8

const (
	waitSettled waited = iota
	waitTimedOut
	waitLeft // the client has gone
)

// wait waits for what happens to a fetch, holding nothing.
func wait(r *request.Request, what <-chan struct{}, limit time.Duration) waited {
	select {
	case <-what:
		return waitSettled
	default:
	}
	if limit <= 0 {
		return waitTimedOut
	}
	gone := make(chan struct{})
	r.Out.Watch(func() { close(gone) })
	defer r.Out.Unwatch()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-what:
		return waitSettled
	case <-t.C:
		return waitTimedOut
	case <-gone:
		return waitLeft
	}
}
