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
func (j *job) handle() {
	v := j.host()
	if v == request.Next {
		v = j.rewriteServer()
	}
	for v != request.Done {
		switch v {
		case request.Reroute:
			v = j.route()
		case request.Next:
			v = j.content()
		case request.Respond:
			v = j.respond()
		}
	}
}

// host finds the virtual server.
func (j *job) host() request.Verdict {
	r := &j.r
	j.srv = j.c.site.def
	raw := r.Head.Bytes(r.HostRaw)
	if len(raw) > 0 {
		host, _, ok := http1.NormalizeHost(r.Arena().Take(), raw)
		if !ok {
			j.enterServer()
			r.LogError(errorlog.Info, "client sent invalid host header")
			r.Reply.Close = true
			return r.Reject(400)
		}
		r.Host = r.Arena().Copy(host)
	}
	j.srv = j.c.site.hosts.Find(r.Host, r)
	j.enterServer()
	if len(r.Host) == 0 {
		r.Host = j.srv.name
	}
	if s := j.c.sni; s != nil && s != j.srv && j.srv.verifies() && !j.c.sni.sameAs(j.srv) {
		r.LogError(errorlog.Info, "client attempted to request the server name different from the one that was negotiated")
		return r.Reject(421)
	}
	target, args, hasArgs := http1.SplitTarget(r.URI())
	path, plain, bad := http1.DecodePath(r.Arena().Take(), target, j.srv.conf.MergeSlashes)
	if bad != nil {
		r.LogError(errorlog.Info, bad.Error())
		r.Reply.Close = true
		return r.Reject(bad.Status)
	}
	if !plain {
		path = r.Arena().Keep(path)
	}
	r.Path, r.Plain, r.Args, r.HasArgs = path, plain, args, hasArgs
	if status := j.c.tlsStatus(j.srv); status != 0 {
		return r.Reject(status)
	}
	if p := j.srv.own.realip; p != nil {
		return p.Serve(r)
	}
	return request.Next
}

// enterServer makes the server's own settings hold until a location is found.
func (j *job) enterServer() {
	j.r.ServerName = j.srv.name
	j.enter(j.srv.own)
}

// enter makes a location's settings hold.
func (j *job) enter(loc *location) {
	j.loc = loc
	r := &j.r
	r.Site, r.Log = loc, loc.log
	r.Root, r.Alias, r.AliasCut = loc.root, loc.conf.Root.Alias, loc.aliasCut
	loc.limitRate(r)
}

// rewriteServer runs the server's script.
func (j *job) rewriteServer() request.Verdict {
	o := j.srv.script.Run(&j.r)
	if o.Branch >= 0 {
		j.enter(j.srv.own.branches[o.Branch])
	}
	if o.Action == route.Respond {
		return j.outcome(&o)
	}
	return request.Reroute
}

// route finds the location and runs its script until the path stays.
func (j *job) route() request.Verdict {
	r := &j.r
	for {
		if r.Redirects > route.MaxRedirects {
			r.LogError(errorlog.Error, "rewrite or internal redirection cycle while processing \""+string(r.Path)+"\"")
			return j.fail(500)
		}
		loc, v := j.find()
		if v != request.Next {
			return v
		}
		j.enter(loc)
		r.Moved = false
		if loc.internal && !r.Internal {
			return r.Reject(404)
		}
		if e := loc.except; e != nil && !e.allows(r.MethodName()) {
			loc = e.body // in whose place not even the location's script runs
			j.enter(loc)
		}
		if v := j.checkLength(); v != request.Next {
			return v
		}
		o := loc.script.Run(r)
		if o.Action == route.Relocate {
			r.Redirects++
			r.Named = nil
			continue
		}
		if o.Branch >= 0 {
			j.enter(loc.branches[o.Branch])
		}
		if o.Action == route.Respond {
			return j.outcome(&o)
		}
		return request.Next
	}
}

// find looks the location up.
func (j *job) find() (*location, request.Verdict) {
	r := &j.r
	if r.Named != nil {
		loc, ok := j.srv.locations.Named(r.Named)
		if !ok {
			r.LogError(errorlog.Error, "could not find named location \""+string(r.Named)+"\"")
			return nil, j.fail(500)
		}
		return loc, request.Next
	}
	hit := j.srv.locations.Find(r.Path, r)
	if hit.Redirect != nil {
		r.Reply.Location = hit.Redirect
		if len(r.Args) > 0 {
			to := append(append(append(r.Arena().Take(), hit.Redirect...), '?'), r.Args...)
			r.Reply.Location = r.Arena().Keep(to)
		}
		return nil, r.Reject(301)
	}
	if !hit.Found {
		return j.srv.own, request.Next
	}
	return hit.Value, request.Next
}

// checkLength refuses a body that is announced too large.
func (j *job) checkLength() request.Verdict {
	r, limit := &j.r, j.loc.conf.ClientMaxBodySize
	if limit == 0 || r.Body.Framing != request.FramingLength || r.Body.Length <= limit {
		return request.Next
	}
	r.LogError(errorlog.Error, "client intended to send too large body: "+itoa(r.Body.Length)+" bytes")
	r.Reply.Close = true
	return r.Reject(413)
}

// outcome answers as a script said.
func (j *job) outcome(o *route.Outcome) request.Verdict {
	r := &j.r
	if o.Status == statusNoReply {
		j.c.timedOut(j.loc)
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
		r.Reply.ContentType = j.loc.defaultType
	}
	return j.replyText(o.Body)
}

// statusNoReply closes the connection without an answer.
const statusNoReply = 444

// content runs the rest of the phases of the location that was found.
func (j *job) content() request.Verdict {
	for _, h := range j.loc.handlers {
		if v := h.Serve(&j.r); v != request.Next {
			return j.followed(v)
		}
	}
	return j.r.Reject(404)
}

// followed counts an internal redirect.
func (j *job) followed(v request.Verdict) request.Verdict {
	if v == request.Reroute {
		j.r.Redirects++
	}
	return v
}

// log writes the access log. It is reached on every path of a request that
// was received.
func (j *job) log() {
	if j.loc == nil {
		return
	}
	j.loc.access.Write(&j.r)
}
