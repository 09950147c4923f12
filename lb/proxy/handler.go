package proxy

import (
	"github.com/weir-lb/weir/lb/request"
)

// Handler proxies the requests of one location: it delivers to clients what a
// Fetcher gets from the upstream, or from a cache before it.
type Handler struct {
	rules
	// Source is where replies come from; at first the upstream. What is put
	// before it must hand on to it.
	Source request.Fetcher
}

// Serve implements request.Handler: the story of one reply.
func (h *Handler) Serve(r *request.Request) request.Verdict {
	body, verdict := h.Source.Fetch(r)
	if body == nil {
		return verdict
	}
	d := delivery{h: h, r: r, body: body}
	defer d.close()

	// Some replies are not for the client: an error that a page stands ready
	// for, and one that only names another location.
	if r.Reply.Status == 101 {
		return d.tunnel()
	}
	if h.InterceptErrors && r.Reply.Status >= 300 && r.Site.Catches(r.Reply.Status) {
		return d.intercept()
	}
	if verdict, taken := d.accelerate(); taken {
		return verdict
	}
	// The head, less what concerns weir only, then the body as it comes.
	d.filter()
	if err := r.Out.Begin(); err != nil {
		return d.lost()
	}
	return d.pass()
}
