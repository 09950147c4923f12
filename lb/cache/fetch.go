package cache

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// through has the request fetched as it is; nothing of it is stored.
func (l *lookup) through(s request.CacheStatus, why Reason) (request.Incoming, request.Verdict) {
	l.land(false)
	l.drop()
	l.r.Cached.Status = s
	body, verdict := l.c.next.Fetch(l.r)
	if body == nil {
		return nil, verdict
	}
	l.tell(why)
	return l.c.force(l.r, body)
}

// tell writes down why a reply is not stored.
func (l *lookup) tell(why Reason) {
	if l.r.Explains() {
		l.r.Explainf("cache %q: not stored: %v", l.z.Name(), why)
	}
}

// ask says that the upstream is about to be asked for a reply to store.
func (l *lookup) ask() {
	before := l.expect
	l.expect = l.z.Expect(l.main, l.text)
	if l.flight != nil {
		l.z.flights.asks(l.flight, l.expect)
	}
	if before != nil {
		before.End()
	}
}

// land ends the fetch that this request leads, if it leads one.
func (l *lookup) land(again bool) {
	if l.flight != nil {
		l.z.flights.land(l.leads, l.flight, again)
		l.flight = nil
	}
	if l.expect != nil {
		l.expect.End()
		l.expect = nil
	}
}

// anew fetches the reply, to be stored if it may be.
func (l *lookup) anew(s request.CacheStatus) (request.Incoming, request.Verdict) {
	c, r := l.c, l.r
	switch {
	case r.Verb == request.VerbHead && !c.ConvertHead:
		return l.through(s, HeadReply)
	case c.MaxRangeOffset >= 0 && c.tooFar(r):
		return l.through(s, RangeTooFar)
	}
	l.status, r.Cached.Status = s, s
	asked := l.wish()
	l.ask()
	body, verdict := c.next.Fetch(r)
	r.Wish = request.Wish{Stay: !l.alone} // as far as it concerns what is still to come
	if body == nil {
		return l.failed(verdict)
	}
	if asked && r.Reply.Status == http.StatusNotModified {
		return l.revalidated(body)
	}
	if l.entry != nil && l.serveInstead(staleStatus(r.Reply.Status)) {
		body.Close()
		l.land(true)
		return l.serve(l.take(), request.CacheStale)
	}
	l.drop()
	return l.keep(body)
}

// wish says what the upstream is asked for: the whole reply, and whether the
// stored one still holds where there is something to ask with.
func (l *lookup) wish() (asked bool) {
	c, r := l.c, l.r
	r.Wish = request.Wish{Whole: true, Get: r.Verb == request.VerbHead, Stay: !l.alone, Range: r.Cached.Slice}
	if l.entry == nil || !c.rfc && !c.Revalidate {
		return false
	}
	m := l.entry.Meta()
	if len(m.ETag) > 0 {
		r.Wish.ETag = r.Arena().Copy(m.ETag)
	}
	if m.LastModified > 0 {
		at := time.Unix(m.LastModified, 0).UTC()
		r.Wish.LastModified = r.Arena().Keep(at.AppendFormat(r.Arena().Take(), http.TimeFormat))
	}
	r.Cached.ETag, r.Cached.LastModified = r.Wish.ETag, r.Wish.LastModified
	return r.Wish.ETag != nil || r.Wish.LastModified != nil
}

// failed answers when the fetch brought no reply: with what is stored, where
// that is allowed.
func (l *lookup) failed(verdict request.Verdict) (request.Incoming, request.Verdict) {
	l.land(true)
	r := l.r
	r.Wish = request.Wish{}
	if l.entry == nil || r.Fault == request.FaultNone {
		l.drop()
		return nil, verdict
	}
	if l.serveInstead(staleFault(r.Fault)) {
		return l.serve(l.take(), request.CacheStale)
	}
	strict := l.c.rfc && l.entry.Meta().Flags&(flagStrict|flagShared|flagNoCache) != 0
	if l.drop(); strict { // RFC 9111, 5.2.2.2
		return nil, r.Reject(http.StatusGatewayTimeout)
	}
	return nil, verdict
}

// serveInstead tells whether the stored reply takes the place of a failure.
func (l *lookup) serveInstead(of config.UseStale) bool {
	c, m := l.c, l.entry.Meta()
	until := m.StaleError
	if of&stalePermitted == 0 {
		until = 0
	}
	return of != 0 && c.mayServe(m, c.UseStale&of != 0, until, l.now)
}

// stalePermitted are the failures that stale-if-error speaks of (RFC 5861, 4).
const stalePermitted = config.StaleError | config.StaleTimeout | config.StaleInvalidHeader | config.StaleHTTP500 |
	config.StaleHTTP502 | config.StaleHTTP503 | config.StaleHTTP504

func staleFault(f request.Fault) config.UseStale {
	switch f {
	case request.FaultTimeout:
		return config.StaleTimeout
	case request.FaultInvalid:
		return config.StaleInvalidHeader
	}
	return config.StaleError
}

func staleStatus(status int) config.UseStale {
	switch status {
	case 500:
		return config.StaleHTTP500
	case 502:
		return config.StaleHTTP502
	case 503:
		return config.StaleHTTP503
	case 504:
		return config.StaleHTTP504
	case 403:
		return config.StaleHTTP403
	case 404:
		return config.StaleHTTP404
	case 429:
		return config.StaleHTTP429
	}
	return 0
}

// updating tells whether stale replies are served while they are updated.
func (c *Cache) updating() bool { return c.UseStale&config.StaleUpdating != 0 }

// keep stores the reply on its way to the client, if it may be stored.
func (l *lookup) keep(body request.Incoming) (request.Incoming, request.Verdict) {
	m, why := l.terms(&l.r.Upstream, l.r.Reply.Status)
	if why == Stored && l.unbuffered() {
		why = PassedUnbuffered
	}
	if why == Stored && holdsAny(l.c.noStore, l.r) {
		why = ByDirective
	}
	if why != Stored {
		return l.notKept(body, why)
	}
	m.Head = writeHead(l.r.Arena().Take(), l.r.Reply.Reason, &l.r.Upstream, l.without[:]...)
	m.Head = l.r.Arena().Keep(m.Head)
	length := l.r.Reply.Length
	if bodyless(m.Status) {
		length = 0
	}
	fill, err := l.z.Begin(store.FillOptions{Key: l.place(&m), Text: l.text, Meta: m, Length: length, Expected: l.expect})
	switch {
	case errors.Is(err, store.ErrPurged):
		l.land(true) // who waits may ask anew, and that may be stored
		return l.notKept(body, Purged)
	case errors.Is(err, store.ErrTooLarge):
		return l.notKept(body, TooLarge)
	case err != nil:
		return l.notKept(body, StoreFailed)
	}
	f := &filling{Incoming: body, fill: fill, l: *l}
	l.expect = nil // it is f's to end
	if l.flight != nil {
		l.z.flights.filling(l.flight, fill)
		l.flight = nil // it is f's to land
	}
	return l.present(headOnly(l.r, f), fill.Meta(), length)
}

// headOnly keeps a client that asked for a head from waiting for the body that
// was fetched in its place.
func headOnly(r *request.Request, body request.Incoming) request.Incoming {
	if r.Verb == request.VerbHead {
		return &trimmed{Incoming: body}
	}
	return body
}

// bodyless tells the statuses without a body.
func bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// notKept passes a reply on that is not stored.
func (l *lookup) notKept(body request.Incoming, why Reason) (request.Incoming, request.Verdict) {
	l.land(false)
	l.tell(why)
	l.r.Wish.Stay = false
	return l.c.force(l.r, headOnly(l.r, body))
}

// unbuffered tells whether the reply goes on as it comes, and is not for
// others.
func (l *lookup) unbuffered() bool {
	if v, ok := l.r.Upstream.Get(request.FieldXAccelBuffering); ok && l.c.heeds(request.FieldXAccelBuffering) {
		if request.EqualFold(v, []byte("no")) {
			return true
		}
		if request.EqualFold(v, []byte("yes")) {
			return false
		}
	}
	return !l.c.buffering
}

// terms decides about a reply, and begins what is stored of it.
func (l *lookup) terms(head *request.Head, status int) (m store.Meta, why Reason) {
	l.now = time.Now().Unix()
	k := candidate{
		status: status, head: head, authorized: l.r.Head.Has(request.FieldAuthorization), asked: l.asked, now: l.now,
		validator: head.Has(request.FieldETag) || head.Has(request.FieldLastModified),
		sliced:    l.r.Cached.Slice != nil,
	}
	t, why := l.c.judge(&k)
	if why != Stored {
		return m, why
	}
	l.without = t.without
	m = store.Meta{Status: status, Stored: l.now}
	t.put(&m)
	m.ETag, _ = head.Get(request.FieldETag)
	if v, ok := head.Get(request.FieldLastModified); ok {
		if at, ok := request.ParseDate(v); ok {
			m.LastModified = at.Unix()
		}
	}
	if !l.c.heeds(request.FieldVary) {
		return m, Stored
	}
	if m.Vary, why = varyOf(l.r.Arena(), head); why == Stored && m.Vary != nil {
		m.Variant = digest(l.r, m.Vary)
	}
	return m, why
}

// place is the key under which a reply is stored: the main one, or that of a
// variant where another variant has the main one already.
func (l *lookup) place(m *store.Meta) store.Key {
	if m.Vary == nil {
		return l.main
	}
	e := l.z.Get(l.main, l.text, l.now)
	if e == nil {
		return l.main
	}
	defer e.Release()
	if string(e.Meta().Vary) == string(m.Vary) && e.Meta().Variant != m.Variant {
		return l.main.Variant(m.Variant)
	}
	return l.main
}

// filling is a reply's body that is stored on its way to the client.
type filling struct {
	request.Incoming
	fill  *store.Fill
	l     lookup
	bytes int64
	ended bool // the fill is
}

// Next implements request.Incoming.
func (f *filling) Next() (request.Piece, error) {
	p, err := f.Incoming.Next()
	switch {
	case f.ended:
	case err == io.EOF:
		f.end(f.fill.Commit() == nil)
	case err != nil:
		f.fill.Abort()
		f.end(false)
		f.l.tell(BrokeOff)
	default:
		f.bytes += int64(len(p.Bytes))
		_, bad := f.fill.Write(p.Bytes)
		if bad != nil {
			f.fill.Abort()
			f.end(false)
			f.l.tell(StoreFailed)
		}
	}
	return p, err
}

// end lets those who wait for the reply go on.
func (f *filling) end(kept bool) {
	f.ended = true
	f.l.land(true)
	if kept {
		f.l.z.noteKept(f.l.status, f.bytes)
	}
}

// Close implements request.Incoming. What the client does not want, because
// it has left or asked for a part, is still stored.
func (f *filling) Close() {
	for !f.ended {
		if _, err := f.Next(); err != nil {
			break
		}
	}
	f.l.r.Wish = request.Wish{}
	f.l.z.note(f.l.status, f.l.r.Reply.BodySent)
	f.Incoming.Close()
}
