package proxy

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
)

// filter marks the fields of the reply that stay behind, and rewrites those
// that name the upstream.
func (d *delivery) filter() {
	h, r := &d.h.rules, d.r
	head := &r.Upstream
	r.Reply.Head = head
	r.Reply.Hurry = !h.Buffering
	if head.Seen()&minded != 0 {
		d.mind(head)
	}
	h.hide.skip(head)
	head.SkipAll(request.FieldContentLength) // written from Reply.Length
}

// minded are the fields of replies that are rewritten or acted upon.
var minded = request.Set(
	request.FieldLocation, request.FieldRefresh, request.FieldSetCookie,
	request.FieldXAccelBuffering, request.FieldXAccelLimitRate,
)

// mind rewrites the fields that name the upstream, and does what others ask for.
func (d *delivery) mind(head *request.Head) {
	h, r := &d.h.rules, d.r
	for i := range head.Fields {
		f := &head.Fields[i]
		if head.Skips(f) {
			continue
		}
		switch f.ID {
		case request.FieldLocation, request.FieldRefresh:
			d.redirect(f)
		case request.FieldSetCookie:
			d.cookie(f)
		case request.FieldXAccelBuffering:
			if h.heeds(request.FieldXAccelBuffering) {
				r.Reply.Hurry = !request.EqualFold(head.Value(f), []byte("yes")) && (r.Reply.Hurry || request.EqualFold(head.Value(f), []byte("no")))
			}
		case request.FieldXAccelLimitRate:
			d.limitRate(f)
		}
	}
}

// limitRate obeys X-Accel-Limit-Rate.
func (d *delivery) limitRate(f *request.Field) {
	n, err := strconv.ParseInt(string(d.r.Upstream.Value(f)), 10, 64)
	if err == nil && n >= 0 && d.h.heeds(request.FieldXAccelLimitRate) {
		d.r.RateLimit, d.r.RateSet = n, true
	}
}

// intercept leaves the answer to an error_page.
func (d *delivery) intercept() request.Verdict {
	r := d.r
	if challenge, ok := r.Upstream.Get(request.FieldWWWAuthenticate); ok && r.Reply.Status == http.StatusUnauthorized {
		r.Reply.Add("WWW-Authenticate", r.Arena().Copy(challenge))
	}
	return r.Reject(r.Reply.Status)
}

// accelerate follows X-Accel-Redirect: the reply is made by another location.
func (d *delivery) accelerate() (request.Verdict, bool) {
	to, ok := d.r.Upstream.Get(request.FieldXAccelRedirect)
	if !ok || len(to) == 0 || !d.h.heeds(request.FieldXAccelRedirect) {
		return request.Next, false
	}
	r := d.r
	p := &r.Reply
	p.Status, p.Reason, p.Length, p.NoBody = 0, nil, -1, false
	for i := range r.Upstream.Fields { // these describe what the other location sends, too
		f := &r.Upstream.Fields[i]
		switch f.ID {
		case request.FieldContentType, request.FieldSetCookie, request.FieldCacheControl, request.FieldExpires, request.FieldAcceptRanges:
			r.Reply.Add(f.ID.String(), r.Upstream.Value(f))
		case request.FieldXAccelLimitRate:
			d.limitRate(f)
		case request.FieldOther:
			if request.EqualFold(r.Upstream.Name(f), []byte("Content-Disposition")) {
				r.Reply.Add("Content-Disposition", r.Upstream.Value(f))
			}
		}
	}
	if to[0] == '@' {
		return r.RedirectTo(to, nil), true
	}
	if r.Verb != request.VerbHead {
		r.Verb = request.VerbGet
	}
	path, args, _ := bytes.Cut(to, []byte("?"))
	dst, _, bad := http1.DecodePath(r.Arena().Take(), path, false)
	if bad != nil {
		r.LogError(errorlog.Error, "upstream sent an invalid X-Accel-Redirect: "+bad.Error())
		return r.Reject(502), true
	}
	return r.RedirectTo(r.Arena().Copy(dst), args), true
}
