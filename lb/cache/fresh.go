package cache

import (
	"net/http"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// Flags of a stored reply, in store.Meta.
const (
	flagNoCache  uint32 = 1 << iota // never used without asking first
	flagStrict                      // must-revalidate or proxy-revalidate: never stale
	flagShared                      // s-maxage: stale only as the reply itself allows
	flagRanges                      // the upstream offers ranges
	flagNoRanges                    // the upstream refuses ranges
	flagPartial                     // a part of a whole: sent as it is
)

// rules are what decides about storing beside the messages themselves.
type rules struct {
	rfc    bool
	valid  []config.CacheValid
	ignore uint64 // fields of replies that are not heeded, as bits
	// partial lets 206 be stored: the key tells the ranges apart, as the
	// operator has set it up.
	partial bool
}

// candidate is a reply about whose storing is decided.
type candidate struct {
	status     int
	head       *request.Head
	authorized bool    // the request had Authorization
	asked      control // Cache-Control of the request
	now        int64   // seconds of Unix time
	validator  bool    // there is an ETag or a Last-Modified
	sliced     bool    // a slice was asked for
}

// terms say how long a reply may be used; seconds of Unix time.
type terms struct {
	valid, staleWhile, staleError int64
	age                           int64 // when it came
	flags                         uint32
	without                       [2][]byte // lists of fields that are not stored
}

func (t *terms) put(m *store.Meta) {
	m.Valid, m.StaleWhile, m.StaleError = t.valid, t.staleWhile, t.staleError
	m.Age, m.Flags = t.age, t.flags
}

func (u *rules) heeds(id request.FieldID) bool { return u.ignore&(1<<id) == 0 }

// judge decides whether a reply may be stored, and for how long.
func (u *rules) judge(k *candidate) (t terms, why Reason) {
	if k.status < 200 {
		return t, LeavesHTTP
	}
	if (k.status == http.StatusPartialContent || k.head.Has(request.FieldContentRange)) && !u.partial && !k.sliced {
		return t, PartialReply
	}
	if k.head.Has(request.FieldXAccelRedirect) && u.heeds(request.FieldXAccelRedirect) {
		return t, AccelRedirected
	}
	if u.rfc {
		why = u.judgeRFC(k, &t)
	} else {
		why = u.judgeOld(k, &t)
	}
	if v, ok := k.head.Get(request.FieldAcceptRanges); ok {
		if t.flags |= flagRanges; request.EqualFold(v, []byte("none")) {
			t.flags ^= flagRanges | flagNoRanges
		}
	}
	if k.status == http.StatusPartialContent {
		t.flags |= flagPartial
	}
	return t, why
}

// judgeOld is nginx's way: only the reply counts, and Age is not known.
func (u *rules) judgeOld(k *candidate, t *terms) Reason {
	if k.head.Has(request.FieldSetCookie) && u.heeds(request.FieldSetCookie) {
		return SetsCookie
	}
	until, accel := u.accelExpires(k)
	if accel {
		return t.accel(until)
	}
	lifetime, given := int64(0), false
	if u.heeds(request.FieldCacheControl) {
		c := controlOf(k.head)
		switch {
		case c.noStore:
			return SaysNoStore
		case c.private || c.privateFields != nil:
			return SaysPrivate
		case c.noCache || c.noCacheFields != nil:
			return SaysNoCache
		}
		if lifetime = c.maxAge; c.sMaxAge >= 0 {
			lifetime = c.sMaxAge
		}
		if lifetime == 0 {
			return AlreadyStale
		}
		given = lifetime > 0
		t.staleWhile, t.staleError = max(c.staleWhile, 0), max(c.staleError, 0)
	}
	if v, ok := k.head.Get(request.FieldExpires); ok && !given && u.heeds(request.FieldExpires) {
		at, ok := request.ParseDate(v)
		if !ok || at.Unix() < k.now {
			return AlreadyStale
		}
		lifetime, given = at.Unix()-k.now, true
	}
	if !given {
		lifetime = u.byStatus(k.status)
		if lifetime <= 0 {
			return NoLifetime
		}
	}
	t.until(k.now + lifetime)
	return Stored
}

// until makes the windows of staleness, which are lengths before, begin where
// the reply's freshness ends.
func (t *terms) until(valid int64) {
	t.valid = valid
	if t.staleWhile > 0 {
		t.staleWhile += valid
	}
	if t.staleError > 0 {
		t.staleError += valid
	}
}

// accelExpires reads X-Accel-Expires: seconds, or "@" and a time, which may
// have passed. until is 0 where nothing is to be stored.
func (u *rules) accelExpires(k *candidate) (until int64, given bool) {
	v, ok := k.head.Get(request.FieldXAccelExpires)
	if !ok || !u.heeds(request.FieldXAccelExpires) || len(v) == 0 {
		return 0, false
	}
	if v[0] == '@' {
		until = seconds64(v[1:])
		return max(until, 0), until >= 0
	}
	n := seconds(v)
	if n <= 0 {
		return 0, n == 0
	}
	return k.now + n, true
}

// accel takes the word of X-Accel-Expires.
func (t *terms) accel(until int64) Reason {
	if until == 0 {
		return SaysAccelExpires
	}
	t.until(until)
	return Stored
}

// seconds64 is seconds for points in time.
func seconds64(v []byte) int64 {
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' || n > 1<<50 {
			return -1
		}
		n = 10*n + int64(c-'0')
	}
	if len(v) == 0 {
		return -1
	}
	return n
}

// byStatus is what proxy_cache_valid says, in seconds.
func (u *rules) byStatus(status int) int64 {
	for _, v := range u.valid {
		if v.Status == 0 || v.Status == status {
			return int64(v.Time / time.Second)
		}
	}
	return 0
}

// judgeRFC follows RFC 9111, 3 and 4.2. X-Accel-Expires speaks to this very
// cache, so that it comes before everything that speaks to caches in general.
func (u *rules) judgeRFC(k *candidate, t *terms) Reason {
	c := control{maxAge: -1, sMaxAge: -1}
	if u.heeds(request.FieldCacheControl) {
		c = controlOf(k.head)
	}
	t.without = [2][]byte{c.noCacheFields, c.privateFields}
	until, accel := u.accelExpires(k)
	switch {
	case k.asked.noStore:
		return RequestNoStore
	case k.head.Has(request.FieldSetCookie) && u.heeds(request.FieldSetCookie) && !isListed([]byte("set-cookie"), t.without[:]):
		return SetsCookie
	case accel:
		t.age = apparentAge(k)
		return t.accel(until)
	case c.mustUnderstand && !understood(k.status):
		return NotUnderstood
	case c.noStore && !c.mustUnderstand:
		return SaysNoStore
	case c.private:
		return SaysPrivate
	case k.authorized && !c.public && !c.mustRevalidate && c.sMaxAge < 0:
		return RequestAuthorized
	}
	t.constrain(&c)
	return u.lifetimeRFC(k, &c, t)
}

// constrain notes what Cache-Control says of stale use.
func (t *terms) constrain(c *control) {
	if c.noCache {
		t.flags |= flagNoCache
	}
	if c.sMaxAge >= 0 {
		t.flags |= flagShared
	}
	if c.mustRevalidate || c.proxyRevalidate {
		t.flags |= flagStrict
		return
	}
	t.staleWhile, t.staleError = max(c.staleWhile, 0), max(c.staleError, 0)
}

// lifetimeRFC is how long the reply is fresh (RFC 9111, 4.2.1), without
// heuristics.
func (u *rules) lifetimeRFC(k *candidate, c *control, t *terms) Reason {
	t.age = apparentAge(k)
	lifetime, given := c.sMaxAge, c.sMaxAge >= 0
	if !given {
		lifetime, given = c.maxAge, c.maxAge >= 0
	}
	if !given && u.heeds(request.FieldExpires) {
		lifetime, given = expiresAfter(k)
	}
	age := t.age
	if !given {
		lifetime, age = u.byStatus(k.status), 0 // the operator's word counts from now
		if lifetime <= 0 && !c.noCache {
			return NoLifetime
		}
	}
	if c.noCache {
		if t.until(k.now); !k.validator {
			return SaysNoCache
		}
		return Stored
	}
	if t.until(k.now + lifetime - age); t.valid <= k.now && !k.validator && t.staleWhile <= k.now && t.staleError <= k.now {
		return AlreadyStale
	}
	return Stored
}

// expiresAfter is the lifetime that Expires gives, counted from Date. What is
// not a date has expired.
func expiresAfter(k *candidate) (lifetime int64, given bool) {
	v, ok := k.head.Get(request.FieldExpires)
	if !ok {
		return 0, false
	}
	at, ok := request.ParseDate(v)
	if !ok {
		return 0, true
	}
	return max(at.Unix()-dateOf(k), 0), true
}

// dateOf is when the reply was made; now where it does not say so.
func dateOf(k *candidate) int64 {
	if v, ok := k.head.Get(request.FieldDate); ok {
		if at, ok := request.ParseDate(v); ok {
			return at.Unix()
		}
	}
	return k.now
}

// apparentAge is the age of the reply as it came (RFC 9111, 4.2.3).
func apparentAge(k *candidate) int64 {
	age := max(k.now-dateOf(k), 0)
	if v, ok := k.head.Get(request.FieldAge); ok {
		age = max(age, seconds(v))
	}
	return age
}

// understood tells the statuses of which weir knows all that caching needs.
func understood(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501:
		return true
	}
	return false
}

// use is what may be done with a stored reply.
type use uint8

const (
	useFresh  use = iota // send it
	useStale             // it is too old
	useAsked             // the client wants it asked about
	useAccept            // it is too old, but the client takes it so
)

// usable tells what a request may get of a stored reply (RFC 9111, 4 and 5.2.1).
func (u *rules) usable(m *store.Meta, asked *control, now int64) use {
	if !u.rfc {
		if m.Valid >= now {
			return useFresh
		}
		return useStale
	}
	age := m.Age + now - m.Stored
	fresh := m.Valid > now && m.Flags&flagNoCache == 0
	// A client can have each entry asked about once a second, no more often.
	if now > m.Stored && (asked.noCache || asked.maxAge >= 0 && age > asked.maxAge) {
		if !fresh {
			return useStale
		}
		return useAsked
	}
	switch {
	case fresh && asked.minFresh >= 0 && m.Valid-now < asked.minFresh:
		return useAsked
	case fresh:
		return useFresh
	case asked.maxStale >= 0 && m.Flags&(flagNoCache|flagStrict|flagShared) == 0 && now-m.Valid <= asked.maxStale:
		return useAccept
	}
	return useStale
}

// mayServe tells whether a stale reply may be sent where the configuration
// (listed) or the reply's own window, up to until, allows it.
func (u *rules) mayServe(m *store.Meta, listed bool, until, now int64) bool {
	if now < until {
		return !u.rfc || m.Flags&flagNoCache == 0
	}
	return listed && (!u.rfc || m.Flags&(flagNoCache|flagStrict|flagShared) == 0)
}
