package lb

import (
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
)

// The phases of a request are nginx's, and this file is their list:
//
//	host      the virtual server by Host, then its realip
//	server    the server's rewrite script
//	location  the location by path
//	rewrite   the location's rewrite script; a changed path leads back to location,
//	          at most ten times
//	realip    the location's own
//	access    allow, deny and what else `satisfy` combines
//	content   try_files, then the proxy, the files or what else the location serves
//	log       in finish, on every path
//
// A phase that answers with a status goes through `error_page`, which may lead
// back to location.

// handle takes a parsed request through the phases.
func (w *walk) handle() {
	v := w.host()
	if v == request.Next {
		v = w.rewriteServer()
	}
	for v != request.Done {
		switch v {
		case request.Reroute:
			v = w.route()
		case request.Next:
			v = w.content()
		case request.Respond:
			v = w.respond()
		}
	}
}

// host finds the virtual server.
func (w *walk) host() request.Verdict {
	r := &w.r
	w.srv = w.site.def
	r.Host = r.Head.Bytes(r.HostName)
	if r.HostUpper {
		r.Host = r.Arena().Keep(http1.AppendLower(r.Arena().Take(), r.Host))
	}
	w.srv = w.site.hosts.Find(r.Host, r)
	w.enterServer()
	if r.Explains() {
		w.explainServer()
	}
	if len(r.Host) == 0 {
		r.Host = w.srv.name
	}
	if s := w.sni; s != nil && s != w.srv && w.srv.verifies() && !s.sameAs(w.srv) {
		r.LogError(errorlog.Info, "client attempted to request the server name different from the one that was negotiated")
		return r.Reject(421)
	}
	target, args, hasArgs := http1.SplitTarget(r.URI())
	path, plain, bad := http1.DecodePath(r.Arena().Take(), target, w.srv.conf.MergeSlashes)
	if bad != nil {
		r.LogError(errorlog.Info, bad.Error())
		r.Reply.Close = true
		return r.Reject(bad.Status)
	}
	if !plain {
		path = r.Arena().Keep(path)
	}
	r.Path, r.Plain, r.Args, r.HasArgs = path, plain, args, hasArgs
	if status := w.tlsStatus(); status != 0 {
		return r.Reject(status)
	}
	if p := w.srv.own.realip; p != nil {
		return p.Serve(r)
	}
	return request.Next
}

// enterServer makes the server's own settings hold until a location is found.
func (w *walk) enterServer() {
	w.r.ServerName = w.srv.name
	w.enter(w.srv.own)
}

// enter makes a location's settings hold.
func (w *walk) enter(loc *location) {
	w.loc = loc
	r := &w.r
	r.Site, r.Log = loc, loc.log
	r.Root, r.Alias, r.AliasCut = loc.root, loc.conf.Root.Alias, loc.aliasCut
	loc.limitRate(r)
}

// rewriteServer runs the server's script.
func (w *walk) rewriteServer() request.Verdict {
	o := w.srv.script.Run(&w.r)
	if o.Branch >= 0 {
		w.enter(w.srv.own.branches[o.Branch])
		if w.r.Explains() {
			w.explainLocation()
		}
	}
	if o.Action == route.Respond {
		return w.outcome(&o)
	}
	return request.Reroute
}

// route finds the location and runs its script until the path stays.
func (w *walk) route() request.Verdict {
	r := &w.r
	for {
		if r.Redirects > route.MaxRedirects {
			r.LogError(errorlog.Error, "rewrite or internal redirection cycle while processing \""+string(r.Path)+"\"")
			return w.fail(500)
		}
		loc, v := w.find()
		if v != request.Next {
			return v
		}
		w.enter(loc)
		if r.Explains() {
			w.explainLocation()
		}
		r.Moved = false
		if loc.internal && !r.Internal {
			return r.Reject(404)
		}
		if e := loc.except; e != nil && !e.allows(r.MethodName()) {
			loc = e.body // in whose place not even the location's script runs
			w.enter(loc)
		}
		if v := w.checkLength(); v != request.Next {
			return v
		}
		o := loc.script.Run(r)
		if o.Action == route.Relocate {
			r.Redirects++
			r.Named = nil
			continue
		}
		if o.Branch >= 0 {
			w.enter(loc.branches[o.Branch])
			if r.Explains() {
				w.explainLocation()
			}
		}
		if o.Action == route.Respond {
			return w.outcome(&o)
		}
		return request.Next
	}
}

// find looks the location up.
func (w *walk) find() (*location, request.Verdict) {
	r := &w.r
	if r.Named != nil {
		loc, ok := w.srv.locations.Named(r.Named)
		if !ok {
			r.LogError(errorlog.Error, "could not find named location \""+string(r.Named)+"\"")
			return nil, w.fail(500)
		}
		return loc, request.Next
	}
	hit := w.srv.locations.Find(r.Path, r)
	if hit.Redirect != nil {
		if r.Explains() {
			r.Explainf("location: %s is not there, but is with a slash at its end", r.Path)
		}
		r.Reply.Location = hit.Redirect
		if len(r.Args) > 0 {
			to := append(append(append(r.Arena().Take(), hit.Redirect...), '?'), r.Args...)
			r.Reply.Location = r.Arena().Keep(to)
		}
		return nil, r.Reject(301)
	}
	if !hit.Found {
		return w.srv.own, request.Next
	}
	return hit.Value, request.Next
}

// checkLength refuses a body that is announced too large.
func (w *walk) checkLength() request.Verdict {
	r, limit := &w.r, w.loc.conf.ClientMaxBodySize
	if limit == 0 || r.Body.Framing != request.FramingLength || r.Body.Length <= limit {
		return request.Next
	}
	r.LogError(errorlog.Error, "client intended to send too large body: "+itoa(r.Body.Length)+" bytes")
	r.Reply.Close = true
	return r.Reject(413)
}

// outcome answers as a script said.
func (w *walk) outcome(o *route.Outcome) request.Verdict {
	r := &w.r
	if r.Explains() {
		w.explainOutcome(o)
	}
	if o.Status == statusNoReply {
		w.timedOut()
		r.Reply.Status = statusNoReply
		r.Reply.Broken = true
		return request.Done
	}
	if o.Location != nil {
		r.Reply.Location = o.Location
		return r.Reject(o.Status)
	}
	if o.Body == nil {
		return r.Reject(o.Status)
	}
	r.Reply.Status = o.Status
	if o.Status != 204 {
		r.Reply.ContentType = w.loc.defaultType
	}
	return w.replyText(o.Body)
}

// statusNoReply closes the connection without an answer.
const statusNoReply = 444

// content runs the rest of the phases of the location that was found.
func (w *walk) content() request.Verdict {
	last := len(w.loc.handlers) - 1
	for i, h := range w.loc.handlers {
		if w.r.Explains() {
			w.explainContent(h, i == last)
		}
		if v := h.Serve(&w.r); v != request.Next {
			return w.followed(v)
		}
	}
	return w.r.Reject(404)
}

// followed counts an internal redirect.
func (w *walk) followed(v request.Verdict) request.Verdict {
	if v == request.Reroute {
		w.r.Redirects++
	}
	return v
}

// log writes the access log. It is reached on every path of a request that
// was received.
func (w *walk) log() {
	if w.loc == nil {
		return
	}
	w.loc.access.Write(&w.r)
}
