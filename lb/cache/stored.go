package cache

import (
	"io"
	"strconv"
	"sync"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// serve answers with a stored reply, which it takes over.
func (l *lookup) serve(e *store.Entry, s request.CacheStatus) (request.Incoming, request.Verdict) {
	b := storedBodies.Get().(*storedBody)
	b.e, b.z, b.r, b.status = e, l.z, l.r, s
	b.one[0] = request.Range{End: e.Len()}
	b.ranges = b.one[:1]
	l.r.Cached.Status = s
	l.reply(e.Meta(), e.Len())
	body, verdict := l.present(b, e.Meta(), e.Len())
	if body != nil {
		l.addAge(e.Meta())
	}
	return body, verdict
}

// reply makes a stored head the upstream's.
func (l *lookup) reply(m *store.Meta, length int64) {
	r := l.r
	p := &r.Reply
	p.Status, p.Length = m.Status, length
	p.NoBody = r.Verb == request.VerbHead || bodyless(m.Status)
	if p.Reason = readHead(&r.Upstream, m.Head); len(p.Reason) == 0 {
		p.Reason = nil // HTTP/2 has none
	}
	r.Trailers.Reset(nil)
}

// addAge tells how old a stored reply is (RFC 9111, 5.1), which nginx does not.
func (l *lookup) addAge(m *store.Meta) {
	if !l.c.rfc {
		return
	}
	r := l.r
	r.Upstream.SkipAll(request.FieldAge)
	age := max(m.Age+l.now-m.Stored, 0)
	r.Reply.Add("Age", r.Arena().Keep(strconv.AppendInt(r.Arena().Take(), age, 10)))
}

// storedBody is the body of a stored reply, or the ranges of it that were
// asked for.
type storedBody struct {
	e      *store.Entry
	z      *Zone
	r      *request.Request
	status request.CacheStatus
	ranges []request.Range
	one    [1]request.Range
	parts  *request.Multipart // several ranges; nil: one
	next   int                // of ranges
	inside bool               // the part's head has been sent
	head   []byte
}

var storedBodies = sync.Pool{New: func() any { return &storedBody{} }}

// Next implements request.Incoming.
func (b *storedBody) Next() (request.Piece, error) {
	if b.next == len(b.ranges) {
		if b.parts == nil || b.inside {
			return request.Piece{}, io.EOF
		}
		b.inside = true // the end is sent once
		b.head = b.parts.AppendEnd(b.head[:0])
		return request.Piece{Bytes: b.head}, nil
	}
	part := b.ranges[b.next]
	if b.parts != nil && !b.inside {
		b.inside = true
		b.head = b.parts.AppendPart(b.head[:0], part)
		return request.Piece{Bytes: b.head}, nil
	}
	b.inside = false
	b.next++
	if mem, ok := b.e.Bytes(); ok {
		return request.Piece{Bytes: mem[part.Start:part.End:part.End], Held: true}, nil
	}
	f, offset := b.e.File()
	return request.Piece{File: f, Offset: offset + part.Start, Length: part.Len()}, nil
}

// Left implements request.Incoming.
func (b *storedBody) Left() int64 {
	left := int64(0)
	for _, part := range b.ranges[b.next:] {
		left += part.Len()
	}
	if left == 0 && b.parts != nil && !b.inside {
		return -1 // its end
	}
	return left
}

// Describe implements request.Incoming: no upstream took part.
func (b *storedBody) Describe() {}

// Close implements request.Incoming.
func (b *storedBody) Close() {
	b.z.note(b.status, b.r.Reply.BodySent)
	b.e.Release()
	*b = storedBody{head: b.head[:0]}
	storedBodies.Put(b)
}

// pick restricts the body to some of its ranges; several are framed as parts.
func (b *storedBody) pick(ranges []request.Range, parts *request.Multipart) {
	b.ranges, b.parts = ranges, parts
}

// share answers with the reply that another request has begun to store; ok is
// false where it has arrived meanwhile, and has to be looked for again.
func (l *lookup) share() (body request.Incoming, verdict request.Verdict, ok bool) {
	f := l.flight
	fill := f.fill
	l.flight = nil
	m := fill.Meta()
	if len(m.Vary) > 0 && l.c.heeds(request.FieldVary) && digest(l.r, m.Vary) != m.Variant {
		body, verdict = l.anew(l.missed()) // it is another variant
		return body, verdict, true
	}
	reader := fill.Reader(0)
	if reader == nil {
		wait(l.r, f.landed, l.c.LockTimeout) // it is being put in its place
		return nil, 0, false
	}
	l.drop()
	l.status, l.r.Cached.Status = request.CacheHit, request.CacheHit
	l.reply(m, fill.Length())
	b := &arriving{r: l.r, z: l.z, reader: reader, left: fill.Length()}
	if body, verdict = l.present(b, m, fill.Length()); body != nil {
		l.addAge(m)
	}
	return body, verdict, true
}

// arriving is the body of a reply that another request stores at the moment.
type arriving struct {
	r       *request.Request
	z       *Zone
	reader  *store.FillReader
	left    int64 // -1: unknown
	buf     []byte
	watched bool
}

// arrivingBuffer is how much is read at once.
const arrivingBuffer = 32 << 10

// Next implements request.Incoming.
func (b *arriving) Next() (request.Piece, error) {
	if b.buf == nil {
		b.buf = make([]byte, arrivingBuffer)
	}
	if b.r.Reply.HeadSent && !b.r.Reply.Aside {
		if err := b.r.Out.Flush(); err != nil { // what comes next may take its time
			return request.Piece{}, request.ErrLeft
		}
	}
	if !b.watched {
		b.watched = true
		b.r.Out.Watch(b.reader.Interrupt)
	}
	p, err := b.reader.Next(b.buf)
	switch err {
	case nil:
	case io.EOF:
		b.left = 0
		return request.Piece{}, io.EOF
	case store.ErrInterrupted:
		return request.Piece{}, request.ErrLeft
	default:
		return request.Piece{}, &request.Error{Source: request.Upstream, Reason: BrokeOff.String(), Cause: err}
	}
	if b.left > 0 {
		b.left -= int64(len(p))
	}
	return request.Piece{Bytes: p}, nil
}

// Left implements request.Incoming.
func (b *arriving) Left() int64 { return b.left }

// Describe implements request.Incoming: the other request tells of its
// upstream.
func (b *arriving) Describe() {}

// Close implements request.Incoming.
func (b *arriving) Close() {
	if b.watched {
		b.r.Out.Unwatch()
	}
	b.z.note(request.CacheHit, b.r.Reply.BodySent)
	b.reader.Close()
}
