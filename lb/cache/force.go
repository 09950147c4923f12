package cache

import (
	"net/http"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
)

// Ranger cuts ranges out of what another Fetcher brings, whether the upstream
// knows ranges or not (proxy_force_ranges).
type Ranger struct {
	next  request.Fetcher
	force force
}

// NewRanger makes the Ranger of a location without a cache.
func NewRanger(conf *config.Location, next request.Fetcher) *Ranger {
	return &Ranger{next: next, force: force{conf.ProxySettings.Cache.ForceRanges, conf.MaxRanges}}
}

// Fetch implements request.Fetcher.
func (f *Ranger) Fetch(r *request.Request) (request.Incoming, request.Verdict) {
	body, verdict := f.next.Fetch(r)
	if body == nil {
		return nil, verdict
	}
	return f.force.cut(r, body)
}

// force is proxy_force_ranges with max_ranges.
type force struct {
	on        bool
	maxRanges int
}

// force cuts a reply that is not stored.
func (c *Cache) force(r *request.Request, body request.Incoming) (request.Incoming, request.Verdict) {
	return force{c.ForceRanges, c.maxRanges}.cut(r, body)
}

// cut restricts a whole reply to the one range that was asked for.
func (f force) cut(r *request.Request, body request.Incoming) (request.Incoming, request.Verdict) {
	p := &r.Reply
	if !f.on || p.Status != http.StatusOK || f.maxRanges == 0 || p.Length < 0 {
		return body, request.Next
	}
	r.Upstream.SkipAll(request.FieldAcceptRanges)
	p.Ranges = true
	value, ok := r.Head.Get(request.FieldRange)
	if !ok || !request.RangeHolds(&r.Head, validators(&r.Upstream)) {
		return body, request.Next
	}
	ranges, outcome := request.ParseRanges(nil, value, p.Length, 1)
	switch outcome {
	case request.RangeUnsatisfiable:
		body.Close()
		p.Add("Content-Range", r.Arena().Keep(request.AppendUnsatisfied(r.Arena().Take(), p.Length)))
		return nil, r.Reject(http.StatusRequestedRangeNotSatisfiable)
	case request.RangePartial:
		p.Add("Content-Range", r.Arena().Keep(request.AppendContentRange(r.Arena().Take(), ranges[0], p.Length)))
		p.Status, p.Reason, p.Length, p.Ranges = http.StatusPartialContent, nil, ranges[0].Len(), false
		return &trimmed{Incoming: body, from: ranges[0].Start, to: ranges[0].End}, request.Next
	}
	return body, request.Next
}

// validators are those of an upstream's reply.
func validators(h *request.Head) (v request.Validators) {
	v.ETag, _ = h.Get(request.FieldETag)
	if text, ok := h.Get(request.FieldLastModified); ok {
		v.LastModified, _ = request.ParseDate(text)
	}
	return v
}
