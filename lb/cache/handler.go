package cache

import (
	"net/http"
	"time"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// logUnknown is the level of a zone that variables name and nobody defined.
const logUnknown = errorlog.Error

// Fetch implements request.Fetcher: the story of one request and the cache.
func (c *Cache) Fetch(r *request.Request) (request.Incoming, request.Verdict) {
	z := c.zoneOf(r)
	if z == nil {
		return c.next.Fetch(r)
	}
	if c.name != nil {
		c.name(r)
	}
	if r.Explanation != nil {
		return c.explain(r, z)
	}
	if holdsAny(c.purge, r) {
		return nil, c.purgeKey(r, z)
	}
	if !c.handles(r.Verb) {
		return c.pass(r, z)
	}
	if c.slicing && r.Verb != request.VerbPost {
		return c.sliced(r, z)
	}
	l := lookup{c: c, r: r, z: z, now: r.Start.Unix()}
	return l.fetch()
}

// fetch finds what is stored, or gets it.
func (l *lookup) fetch() (request.Incoming, request.Verdict) {
	c, r := l.c, l.r
	l.text = c.key.Value(r)
	if r.Cached.Slice != nil && !c.keyTellsSlice {
		text := append(r.Arena().Take(), l.text...)
		l.text = r.Arena().Keep(append(text, r.Cached.Slice...))
	}
	if len(l.text) > store.MaxText {
		return l.through(request.CacheMiss, KeyTooLong)
	}
	l.main = store.KeyOf(l.text)
	l.asks()
	if holdsAny(c.bypass, r) {
		return l.anew(request.CacheBypass)
	}
	for turn := 0; ; turn++ {
		// Hit: the reply is there, and may be used.
		e := l.find()
		if e != nil {
			switch use := c.usable(e.Meta(), &l.asked, l.now); use {
			case useFresh:
				return l.serve(e, request.CacheHit)
			case useAccept:
				return l.serve(e, request.CacheStale)
			default:
				l.entry = e
				if body, verdict, done := l.stale(use); done {
					return body, verdict
				}
			}
		} else if l.asked.onlyIfCached {
			return nil, r.Reject(http.StatusGatewayTimeout)
		} else if few := c.MinUses > 1 && l.z.Count(l.main, l.now) < c.MinUses; few && turn == 0 {
			return l.through(request.CacheMiss, TooFewUses)
		}
		// Miss, or too old: one fetch for all who ask, where that is wanted.
		switch l.board() {
		case boardAgain:
			l.drop()
			l.now = time.Now().Unix()
			continue
		case boardAlone:
			return l.through(l.missed(), LockTimedOut)
		case boardLeft:
			l.drop()
			r.Reply.Broken = true
			return nil, r.Reject(statusClientGone)
		case boardShared:
			if body, verdict, ok := l.share(); ok {
				return body, verdict
			}
			l.drop()
			continue
		}
		return l.anew(l.missed())
	}
}

// statusClientGone is what the log shows for a client that left.
const statusClientGone = 499

// asks reads what the client's Cache-Control says, or Pragma in its place;
// nginx does not listen to either.
func (l *lookup) asks() {
	h := &l.r.Head
	l.asked = control{maxAge: -1, minFresh: -1, maxStale: -1}
	if !l.c.rfc {
		return
	}
	if h.Has(request.FieldCacheControl) {
		l.asked = controlOf(h)
	} else if v, ok := h.Get(request.FieldPragma); ok && lists(v, []byte("no-cache")) {
		l.asked.noCache = true
	}
}

// missed is how the request counts when it has to be fetched.
func (l *lookup) missed() request.CacheStatus {
	if l.entry != nil {
		return request.CacheExpired
	}
	return request.CacheMiss
}

// stale decides about a stored reply that is too old, or that the client
// wants asked about: whether it is sent all the same, while it is updated.
func (l *lookup) stale(why use) (request.Incoming, request.Verdict, bool) {
	c, m := l.c, l.entry.Meta()
	if why == useAsked || l.asked.noCache || l.asked.maxAge >= 0 {
		return nil, 0, false
	}
	if l.asked.onlyIfCached {
		l.drop()
		return nil, l.r.Reject(http.StatusGatewayTimeout), true
	}
	byReply := l.now < m.StaleWhile
	if !c.mayServe(m, c.updating(), m.StaleWhile, l.now) {
		return nil, 0, false
	}
	if l.z.flights.busy(l.key, time.Now(), c.LockAge) {
		body, verdict := l.serve(l.take(), request.CacheUpdating)
		return body, verdict, true
	}
	if (c.Background || byReply && c.backgroundByReply) && l.update() {
		body, verdict := l.serve(l.take(), request.CacheStale)
		return body, verdict, true
	}
	return nil, 0, false
}

// take hands the stored reply over to the caller.
func (l *lookup) take() *store.Entry {
	e := l.entry
	l.entry = nil
	return e
}

// boarding is how a request gets on with the fetches of its key.
type boarding uint8

const (
	boardLead   boarding = iota // fetch, for the others too, or without regard to them
	boardShared                 // another's reply arrives
	boardAgain                  // look again for what is stored
	boardAlone                  // waited for too long
	boardLeft                   // the client has gone
)

// board joins the fetch that is at work for the key, or begins one.
func (l *lookup) board() boarding {
	c := l.c
	waits := c.Lock || l.entry != nil && c.rfc && l.asked.forces()
	if !waits && l.entry == nil {
		return boardLead // as many fetches as there are requests, as in nginx
	}
	now := time.Now()
	if l.arrived.IsZero() {
		l.arrived = now
	}
	f, leads := l.z.flights.lead(l.key, now, c.LockAge)
	if leads {
		l.flight, l.leads = f, l.key
		return boardLead
	}
	if !waits {
		return boardLead
	}
	limit := c.LockTimeout - now.Sub(l.arrived)
	if limit <= 0 {
		return boardAlone
	}
	switch wait(l.r, f.settled, min(limit, f.began.Add(c.LockAge).Sub(now))) {
	case waitLeft:
		return boardLeft
	case waitTimedOut:
		return boardAgain
	}
	switch {
	case f.fill != nil:
		l.flight = f
		return boardShared
	case f.again:
		return boardAgain
	}
	return boardLead // what came is not for sharing
}

// forces tells that a request does not take what is fresh.
func (c *control) forces() bool { return c.noCache || c.maxAge >= 0 || c.minFresh >= 0 }

// pass has a request fetched that the cache has no part in. One that changes
// the resource makes what is stored invalid (RFC 9111, 4.4).
func (c *Cache) pass(r *request.Request, z *Zone) (request.Incoming, request.Verdict) {
	text := c.key.Value(r)
	body, verdict := c.next.Fetch(r)
	if body == nil || !c.rfc || isSafe(r.Verb) || len(text) > store.MaxText {
		return body, verdict
	}
	if s := r.Reply.Status; s >= 200 && s < 400 {
		z.invalidate(text, r.Start.Unix())
	}
	return body, verdict
}

// isSafe tells the methods that change nothing; what is not known may.
func isSafe(v request.Verb) bool {
	return v == request.VerbGet || v == request.VerbHead || v == request.VerbOptions || v == request.VerbTrace
}
