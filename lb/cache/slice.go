package cache

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/weir-lb/weir/lb/cache/store"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// sliced answers from slices: parts of a reply that are fetched and stored one
// by one, as far as the client wants them.
func (c *Cache) sliced(r *request.Request, z *Zone) (request.Incoming, request.Verdict) {
	start := int64(0)
	if v, ok := r.Head.Get(request.FieldRange); ok && !r.Head.Has(request.FieldIfRange) && bytes.IndexByte(v, ',') < 0 {
		from, _ := rangeBegins(v)
		start = from / c.Slice * c.Slice
	}
	j := &joined{c: c, z: z, r: r, next: start}
	body, verdict := j.slice(r)
	if body == nil || r.Reply.Status != http.StatusPartialContent {
		return body, verdict
	}
	if !j.fits() {
		body.Close()
		j.complain("unexpected range in slice response")
		return nil, r.Reject(http.StatusBadGateway)
	}
	j.body, j.at, j.end = body, start, j.total
	tag, _ := r.Upstream.Get(request.FieldETag)
	j.tag = bytes.Clone(tag)
	r.Upstream.SkipAll(request.FieldContentRange)
	p := &r.Reply
	p.Status, p.Reason, p.Length = http.StatusOK, nil, j.total
	return j.present()
}

// joined is a body made of slices, of which one is at hand at a time.
type joined struct {
	c     *Cache
	z     *Zone
	r     *request.Request
	sub   *request.Request // that fetches the slices after the first
	body  request.Incoming // the slice at hand
	span  request.Range    // of it
	total int64            // length of the whole
	tag   []byte           // entity tag of the first slice
	next  int64            // where the next slice begins
	at    int64            // how far the pieces came
	from  int64            // where those begin that the client gets,
	end   int64            // and end
}

// slice looks for, or fetches, the slice at j.next.
func (j *joined) slice(r *request.Request) (request.Incoming, request.Verdict) {
	dst := append(r.Arena().Take(), "bytes="...)
	dst = append(strconv.AppendInt(dst, j.next, 10), '-')
	r.Cached.Slice = r.Arena().Keep(strconv.AppendInt(dst, j.next+j.c.Slice-1, 10))
	l := lookup{c: j.c, r: r, z: j.z, now: r.Start.Unix()}
	body, verdict := l.fetch()
	if body == nil || r.Reply.Status != http.StatusPartialContent {
		return body, verdict
	}
	value, _ := r.Upstream.Get(request.FieldContentRange)
	j.span, j.total = contentRange(value)
	return body, verdict
}

// fits tells whether the slice is as long as it was asked for, but for the
// last one.
func (j *joined) fits() bool {
	return j.total > 0 && j.span.Start == j.next && j.span.End == min(j.next+j.c.Slice, j.total)
}

// contentRange reads "bytes 0-9/100"; what is not so is an empty range.
func contentRange(v []byte) (span request.Range, total int64) {
	v, ok := bytes.CutPrefix(v, []byte("bytes "))
	first, rest, ok2 := bytes.Cut(v, []byte("-"))
	last, all, ok3 := bytes.Cut(rest, []byte("/"))
	from, to, total := seconds64(first), seconds64(last), seconds64(all)
	if !ok || !ok2 || !ok3 || from < 0 || to < from || total <= to {
		return request.Range{}, 0
	}
	return request.Range{Start: from, End: to + 1}, total
}

// present answers the client's conditions and range from the whole.
func (j *joined) present() (request.Incoming, request.Verdict) {
	l := lookup{c: j.c, r: j.r, z: j.z}
	m := store.Meta{Status: http.StatusOK, ETag: j.tag, Flags: flagRanges}
	if v, ok := j.r.Upstream.Get(request.FieldLastModified); ok {
		if at, ok := request.ParseDate(v); ok {
			m.LastModified = at.Unix()
		}
	}
	body, verdict := l.present(j, &m, j.total)
	if t, ok := body.(*trimmed); ok { // the slices themselves are picked here
		j.from, j.end = t.from, t.to
		body = j
	}
	if j.r.Verb == request.VerbHead {
		j.end = j.from
	}
	return body, verdict
}

// Next implements request.Incoming.
func (j *joined) Next() (request.Piece, error) {
	for j.at < j.end {
		if j.at == j.span.End {
			if err := j.advance(); err != nil {
				return request.Piece{}, err
			}
		}
		p, err := j.body.Next()
		if err == io.EOF && j.at != j.span.End {
			j.complain("a slice is shorter than it says")
			return request.Piece{}, broken()
		}
		if err == io.EOF {
			continue
		}
		if err != nil {
			return request.Piece{}, err
		}
		start := j.at
		j.at += pieceLen(p)
		if p, ok := cut(p, start, j.from, j.end); ok {
			return p, nil
		}
	}
	return request.Piece{}, io.EOF
}

func broken() error {
	return &request.Error{Source: request.Upstream, Status: http.StatusBadGateway, Reason: SliceMismatch.String()}
}

// advance goes on to the next slice, which must be of the same whole.
func (j *joined) advance() error {
	j.body.Close()
	j.body = nil
	if j.sub == nil {
		j.sub = j.r.Sub()
		j.sub.Start = time.Now()
	}
	if j.r.Reply.HeadSent && !j.r.Reply.Aside {
		if err := j.r.Out.Flush(); err != nil {
			return request.ErrLeft
		}
	}
	j.next = j.span.End
	total := j.total
	j.sub.Reply = request.Reply{Length: -1}
	body, _ := j.slice(j.sub)
	if j.body = body; body == nil || j.sub.Reply.Status != http.StatusPartialContent {
		j.complain("unexpected status in slice response")
		return broken()
	}
	tag, _ := j.sub.Upstream.Get(request.FieldETag)
	switch {
	case j.total != total || !j.fits():
		j.complain("unexpected range in slice response")
		return broken()
	case !bytes.Equal(tag, j.tag):
		j.complain("etag mismatch in slice response")
		return broken()
	}
	return nil
}

func (j *joined) complain(what string) { j.r.LogError(errorlog.Error, what) }

// Left implements request.Incoming.
func (j *joined) Left() int64 { return max(j.end-max(j.at, j.from), 0) }

// Describe implements request.Incoming.
func (j *joined) Describe() {
	if j.body != nil {
		j.body.Describe()
	}
}

// Close implements request.Incoming.
func (j *joined) Close() {
	if j.body != nil {
		j.body.Close()
	}
}
