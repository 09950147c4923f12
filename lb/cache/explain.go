package cache

import (
	"time"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// explain tells what the cache would do with a request that only asks, and
// lets it go on.
func (c *Cache) explain(r *request.Request, z *Zone) (request.Incoming, request.Verdict) {
	l := lookup{c: c, r: r, z: z, now: r.Start.Unix(), text: c.key.Value(r)}
	r.Explainf("cache %q: key %q", z.Name(), l.text)
	switch {
	case holdsAny(c.purge, r):
		r.Explainf("cache %q: proxy_cache_purge removes what is stored", z.Name())
	case !c.handles(r.Verb):
		r.Explainf("cache %q: the method is not one of proxy_cache_methods", z.Name())
	case holdsAny(c.bypass, r):
		r.Explainf("cache %q: proxy_cache_bypass says not to look", z.Name())
	case len(l.text) > store.MaxText:
		r.Explainf("cache %q: %v", z.Name(), KeyTooLong)
	default:
		l.explainStored()
	}
	return c.next.Fetch(r)
}

// explainStored tells what is there for the request.
func (l *lookup) explainStored() {
	l.main = store.KeyOf(l.text)
	l.asks()
	e := l.find()
	if e == nil {
		l.r.Explainf("cache %q: nothing is stored", l.z.Name())
		return
	}
	defer e.Release()
	fresh := time.Duration(e.Meta().Valid-l.now) * time.Second
	switch l.c.usable(e.Meta(), &l.asked, l.now) {
	case useFresh, useAccept:
		l.r.Explainf("cache %q: a reply of status %d is stored and answers, fresh for %v", l.z.Name(), e.Meta().Status, fresh)
	default:
		l.r.Explainf("cache %q: a reply of status %d is stored, but not used without asking, fresh for %v", l.z.Name(), e.Meta().Status, fresh)
	}
}
