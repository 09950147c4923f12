package cache

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/request"
)

// present answers the client's conditions and ranges from a whole reply, whose
// body it takes over. length is -1 where it is not known yet.
func (l *lookup) present(body request.Incoming, m *store.Meta, length int64) (request.Incoming, request.Verdict) {
	c, r := l.c, l.r
	l.offerRanges(m)
	h := &r.Head
	if r.Reply.Status != http.StatusOK || r.Verb == request.VerbPost || !isConditional(h) {
		return body, request.Next
	}
	v := request.Validators{ETag: m.ETag}
	if m.LastModified > 0 {
		v.LastModified = time.Unix(m.LastModified, 0).UTC()
	}
	switch c.condition(h, v) {
	case http.StatusPreconditionFailed:
		body.Close()
		return nil, r.Reject(http.StatusPreconditionFailed)
	case http.StatusNotModified:
		return &trimmed{Incoming: body, from: 0, to: 0}, l.notModified()
	}
	value, ok := h.Get(request.FieldRange)
	if !ok || length < 0 || !l.rangesAllowed(m) || !request.RangeHolds(h, v) {
		return body, request.Next
	}
	ranges, outcome := request.ParseRanges(nil, value, length, c.maxRanges)
	switch {
	case outcome == request.RangeUnsatisfiable:
		body.Close()
		r.Reply.Add("Content-Range", r.Arena().Keep(request.AppendUnsatisfied(r.Arena().Take(), length)))
		return nil, r.Reject(http.StatusRequestedRangeNotSatisfiable)
	case outcome == request.RangePartial:
		return l.partial(body, ranges, length)
	}
	return body, request.Next
}

// isConditional tells whether there is anything to judge.
func isConditional(h *request.Head) bool {
	return h.Has(request.FieldIfNoneMatch) || h.Has(request.FieldIfModifiedSince) || h.Has(request.FieldRange) ||
		h.Has(request.FieldIfMatch) || h.Has(request.FieldIfUnmodifiedSince)
}

// condition judges the conditional fields: in the order of RFC 9110, 13.2.2,
// or as nginx does.
func (c *Cache) condition(h *request.Head, v request.Validators) int {
	if c.rfc {
		return request.Precondition(h, v)
	}
	return request.Condition(h, v, c.modified)
}

// notModified makes the reply a 304.
func (l *lookup) notModified() request.Verdict {
	r := l.r
	p := &r.Reply
	p.Status, p.Reason, p.Length, p.NoBody, p.Ranges = http.StatusNotModified, nil, -1, true, false
	for _, id := range []request.FieldID{request.FieldContentType, request.FieldContentEncoding, request.FieldAcceptRanges} {
		r.Upstream.SkipAll(id)
	}
	return request.Next
}

// rangesAllowed tells whether parts of a reply are sent. By the RFC a cache
// may always do so; nginx asks that the upstream offers it.
func (l *lookup) rangesAllowed(m *store.Meta) bool {
	c := l.c
	switch {
	case c.maxRanges == 0 || m.Flags&flagPartial != 0:
		return false
	case c.ForceRanges || m.Flags&flagRanges != 0:
		return true
	}
	return c.rfc && m.Flags&flagNoRanges == 0
}

// offerRanges says Accept-Ranges on whole replies.
func (l *lookup) offerRanges(m *store.Meta) {
	if r := l.r; m.Status == http.StatusOK && l.rangesAllowed(m) {
		r.Upstream.SkipAll(request.FieldAcceptRanges)
		r.Reply.Ranges = true
	}
}

// partial makes the reply a 206.
func (l *lookup) partial(body request.Incoming, ranges []request.Range, length int64) (request.Incoming, request.Verdict) {
	r := l.r
	p := &r.Reply
	var parts *request.Multipart
	if len(ranges) > 1 {
		if _, ok := body.(*storedBody); !ok {
			return body, request.Next // its parts may come in another order than asked for
		}
		kind, _ := r.Upstream.Get(request.FieldContentType)
		parts = request.NewMultipart(bytes.Clone(kind), length)
		r.Upstream.SkipAll(request.FieldContentType)
		p.ContentType, p.Length = parts.ContentType(), parts.Length(ranges)
	} else {
		p.Length = ranges[0].Len()
		p.Add("Content-Range", r.Arena().Keep(request.AppendContentRange(r.Arena().Take(), ranges[0], length)))
	}
	p.Status, p.Reason, p.Ranges = http.StatusPartialContent, nil, false
	if b, ok := body.(*storedBody); ok {
		b.pick(ranges, parts)
		return b, request.Next
	}
	return &trimmed{Incoming: body, from: ranges[0].Start, to: ranges[0].End}, request.Next
}

// trimmed is a part of a body: what lies outside does not go to the client.
type trimmed struct {
	request.Incoming
	at, from, to int64
}

// Next implements request.Incoming.
func (t *trimmed) Next() (request.Piece, error) {
	for t.at < t.to {
		p, err := t.Incoming.Next()
		if err != nil {
			return request.Piece{}, err
		}
		start := t.at
		t.at += pieceLen(p)
		if p, ok := cut(p, start, t.from, t.to); ok {
			return p, nil
		}
	}
	return request.Piece{}, io.EOF
}

func pieceLen(p request.Piece) int64 {
	if p.File != nil {
		return p.Length
	}
	return int64(len(p.Bytes))
}

// cut returns what of a piece, which begins at start, lies between from and
// to; false where there is nothing.
func cut(p request.Piece, start, from, to int64) (request.Piece, bool) {
	first, last := max(from-start, 0), min(to-start, pieceLen(p))
	if first >= last {
		return p, false
	}
	if p.File != nil {
		p.Offset, p.Length = p.Offset+first, last-first
		return p, true
	}
	p.Bytes = p.Bytes[first:last:last]
	return p, true
}

// Left implements request.Incoming.
func (t *trimmed) Left() int64 { return max(t.to-max(t.at, t.from), 0) }

// tooFar tells whether a request is for a range that begins behind
// proxy_cache_max_range_offset, or for one that is counted from the end.
func (c *Cache) tooFar(r *request.Request) bool {
	v, ok := r.Head.Get(request.FieldRange)
	if !ok {
		return false
	}
	from, ok := rangeBegins(v)
	return !ok || from >= c.MaxRangeOffset
}

// rangeBegins is where the first range of a Range field begins; false where it
// does not say.
func rangeBegins(v []byte) (from int64, ok bool) {
	const unit = "bytes="
	if len(v) < len(unit) || !request.EqualFold(v[:len(unit)], []byte(unit)) {
		return 0, false
	}
	for _, c := range bytes.TrimLeft(v[len(unit):], " ") {
		if c < '0' || c > '9' || from > 1<<50 {
			break
		}
		from, ok = 10*from+int64(c-'0'), true
	}
	return from, ok
}
