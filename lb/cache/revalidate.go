package cache

import (
	"bytes"
	"sync"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// revalidated answers with the stored reply, which the upstream says still
// holds; it gets the lifetime that comes with this.
func (l *lookup) revalidated(body request.Incoming) (request.Incoming, request.Verdict) {
	r, e := l.r, l.take()
	body.Close()
	old := e.Meta()
	if tag, ok := r.Upstream.Get(request.FieldETag); ok && len(old.ETag) > 0 && !sameTag(tag, old.ETag) {
		// It speaks of another state than ours: what we have is of no use.
		l.z.Delete(e)
		e.Release()
		r.Wish, r.Cached.ETag, r.Cached.LastModified = request.Wish{}, nil, nil
		return l.anew(request.CacheExpired)
	}
	head, reason := &r.Upstream, []byte(nil)
	if l.c.rfc {
		head, reason = merged(old.Head, &r.Upstream)
	}
	m, why := l.terms(head, old.Status)
	switch {
	case why != Stored: // it may be sent this once
		l.z.Delete(e)
		l.land(true)
		l.tell(why)
		return l.serve(e, request.CacheRevalidated)
	case l.c.rfc:
		m.Head = writeHead(nil, reason, head, l.without[:]...)
	default:
		m.Head, m.ETag, m.LastModified = old.Head, old.ETag, old.LastModified
		m.Flags = old.Flags
	}
	m.Vary, m.Variant = old.Vary, old.Variant
	next := l.z.Update(e, m, l.expect)
	e.Release()
	l.land(true)
	return l.serve(next, request.CacheRevalidated)
}

// sameTag compares entity tags without regard to weakness.
func sameTag(a, b []byte) bool {
	return bytes.Equal(bytes.TrimPrefix(a, []byte("W/")), bytes.TrimPrefix(b, []byte("W/")))
}

// update begins to update the stored reply in the background; false where
// somebody else does, or the request cannot be repeated.
func (l *lookup) update() bool {
	if l.r.Verb != request.VerbGet && l.r.Verb != request.VerbHead {
		return false
	}
	f, leads := l.z.flights.lead(l.key, time.Now(), l.c.LockAge)
	if !leads {
		return true // it is being done
	}
	own := &lookup{
		c: l.c, r: l.r.Sub(), z: l.z, text: bytes.Clone(l.text), main: l.main, key: l.key, now: l.now,
		asked: l.asked, flight: f, leads: l.key,
	}
	own.asked.noCacheFields, own.asked.privateFields = nil, nil // they lie in the client's request
	own.r.Cached.Slice = bytes.Clone(l.r.Cached.Slice)
	own.r.Out = &refreshOut{all: &l.z.refreshes}
	own.alone = true
	release := l.r.Site.Hold()
	if !l.z.refreshes.begin() {
		own.land(true)
		release()
		return true // the zone ends
	}
	all := &l.z.refreshes
	go func() {
		defer release() // which may end the zone, that waits for the refreshes
		defer all.done.Done()
		own.refresh()
	}()
	return true
}

// refresh fetches a reply for nobody but the cache.
func (l *lookup) refresh() {
	defer l.land(true) // after a fault, which must not keep others waiting
	l.entry = l.z.Get(l.key, l.text, l.now)
	l.r.Verb = request.VerbGet
	body, _ := l.anew(request.CacheExpired)
	if body != nil {
		body.Close()
	}
}

// refreshes are the fetches of a zone for which no client waits.
type refreshes struct {
	done  sync.WaitGroup
	mu    sync.Mutex
	ended bool
	outs  map[*refreshOut]func()
}

// begin counts one more; false when the zone has ended.
func (s *refreshes) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.done.Add(1)
	return true
}

// end gives all of them up, and waits for that.
func (s *refreshes) end() {
	s.mu.Lock()
	s.ended = true
	for _, gone := range s.outs {
		gone()
	}
	s.mu.Unlock()
	s.done.Wait()
}

// refreshOut is the Out of a refresh: its client leaves when the zone ends.
type refreshOut struct {
	request.Nowhere
	all *refreshes
}

// Watch implements request.Out.
func (o *refreshOut) Watch(gone func()) {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	if o.all.ended {
		gone()
		return
	}
	if o.all.outs == nil {
		o.all.outs = map[*refreshOut]func(){}
	}
	o.all.outs[o] = gone
}

// Unwatch implements request.Out.
func (o *refreshOut) Unwatch() {
	o.all.mu.Lock()
	delete(o.all.outs, o)
	o.all.mu.Unlock()
}
