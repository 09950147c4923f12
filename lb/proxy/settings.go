package proxy

import (
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// settings are the proxy_* directives of a location, made ready.
type settings struct {
	Method, SetBody             *variable.Text // nil: the client's own
	PassHeaders, PassBody       bool
	PassTrailers                bool
	InterceptErrors             bool
	Buffering, RequestBuffering bool
	IgnoreClientAbort           bool

	ConnectTimeout, SendTimeout, ReadTimeout time.Duration

	NextUpstream config.NextUpstream
	NextTries    int
	NextTimeout  time.Duration

	set         []setField
	strip       fieldSet // fields of the request that are not passed on
	hide        fieldSet // fields of the reply that are not passed on
	ignore      uint64   // fields of the reply that are not acted upon
	redirects   []redirectRule
	cookies     cookieRules
	versionLine []byte // " HTTP/1.1" and the line's end
	plainOld    bool   // HTTP/1.0: a body's length must be known
	keeping     request.Keeping
	earlyHints  []*variable.Text
	limits      http1.Limits // of reply heads

	limitRate    *variable.Text // proxy_limit_rate; nil: none
	bufferMemory int            // proxy_buffers in bytes
	maxTempFile  int64
	tempDir      string

	url         *variable.Text // of proxy_pass with variables
	uri, prefix []byte         // what replaces the location's part of the path
}

// heeds tells whether a field of the reply is acted upon.
func (s *settings) heeds(id request.FieldID) bool { return s.ignore&(1<<id) == 0 }

// Env is what the settings of a location need from outside.
type Env struct {
	Table *variable.Table
	// Target finds the upstream of a proxy_pass without variables.
	Target func(p *config.ProxyPass) (*Target, error)
	// Resolve finds that of one with variables, per request.
	Resolve Resolve
	Files   *cert.Files // what was read so far; nil: nothing is shared
	// ConfPrefix is the directory of relative names that variables give.
	ConfPrefix string
}

// New compiles the proxy settings of a location. Errors name the directive's
// place, as configuration errors do.
func New(conf *config.Location, env *Env) (*Handler, error) {
	pass, ps := conf.Proxy, &conf.ProxySettings
	h := &Handler{resolve: env.Resolve}
	h.take(conf)
	c := compiler{table: env.Table}
	h.limitRate = c.optional(ps.LimitRate)
	h.Method, h.SetBody = c.optional(ps.Method), c.optional(ps.SetBody)
	for _, t := range conf.EarlyHints {
		h.earlyHints = append(h.earlyHints, c.text(t))
	}
	h.set, h.strip = c.setFields(ps)
	h.hide, h.ignore = hidden(ps), ignored(ps)
	h.redirects = c.redirects(pass, ps)
	h.cookies = c.cookieRules(ps)
	if pass.Vars {
		h.url = c.text(pass.URL)
	}
	if c.err != nil {
		return nil, c.err
	}
	var err error
	if h.conn, err = newProfile(pass, ps, env); err != nil {
		return nil, err
	}
	if pass.Vars {
		return h, nil
	}
	h.host, h.port = hostPort(pass)
	if pass.HasURI {
		h.uri, h.prefix = []byte(pass.URI), []byte(pass.Prefix)
	}
	if h.target, err = env.Target(pass); err != nil {
		return nil, err
	}
	return h, nil
}

// take copies what needs no compiling.
func (s *settings) take(conf *config.Location) {
	ps := &conf.ProxySettings
	s.PassHeaders, s.PassBody, s.PassTrailers = ps.PassHeaders, ps.PassBody, ps.PassTrailers
	s.InterceptErrors, s.IgnoreClientAbort = ps.InterceptErrors, ps.IgnoreClientAbort
	s.Buffering, s.RequestBuffering = ps.Buffering, ps.RequestBuffering
	s.ConnectTimeout, s.SendTimeout, s.ReadTimeout = ps.ConnectTimeout, ps.SendTimeout, ps.ReadTimeout
	s.NextUpstream, s.NextTries, s.NextTimeout = ps.NextUpstream, ps.NextUpstreamTries, ps.NextUpstreamTimeout
	s.versionLine = []byte(" HTTP/1.1\r\n")
	if ps.HTTPVersion == config.HTTP10 {
		s.versionLine, s.plainOld = []byte(" HTTP/1.0\r\n"), true
	}
	s.keeping = request.Keeping{Memory: conf.ClientBodyBufferSize, Dir: conf.ClientBodyTempPath.Path}
	s.bufferMemory = int(ps.Buffers.Size) * int(ps.Buffers.Number)
	s.maxTempFile, s.tempDir = ps.MaxTempFileSize, ps.TempPath.Path
	size := int(ps.BufferSize)
	s.limits = http1.Limits{LineSize: size, FieldSize: size, TotalSize: size, Underscores: true, IgnoreInvalid: true}
}

// compiler compiles texts and keeps the first error.
type compiler struct {
	table *variable.Table
	err   error
}

func (c *compiler) text(t config.Text) *variable.Text {
	x, err := variable.Compile(c.table, t.Value)
	if err != nil && c.err == nil {
		c.err = t.Pos.Errorf("%v", err)
	}
	return x
}

// optional returns nil for a text that was not written.
func (c *compiler) optional(t config.Text) *variable.Text {
	if t.IsZero() {
		return nil
	}
	return c.text(t)
}

func (c *compiler) regex(x *config.Regex) *variable.Regex {
	re, err := variable.CompileRegex(c.table, *x)
	if err != nil && c.err == nil {
		c.err = err
	}
	return re
}

// setFields merges proxy_set_header with its defaults and tells which of the
// client's fields must stay behind for them.
func (c *compiler) setFields(ps *config.ProxySettings) (set []setField, strip fieldSet) {
	list := []config.SetHeader{{Name: "Host", Value: config.Text{Value: "$proxy_host"}}}
	if ps.HTTPVersion == config.HTTP10 {
		list = append(list, config.SetHeader{Name: "Connection", Value: config.Text{Value: "close"}})
	}
	strip.known = ownFields
	for i := range list {
		for _, s := range ps.SetHeaders {
			if request.EqualFold([]byte(s.Name), []byte(list[i].Name)) {
				list[i].Name = ""
			}
		}
	}
	for _, s := range append(list, ps.SetHeaders...) {
		if s.Name == "" {
			continue
		}
		strip.add(s.Name)
		if s.Value.Value == "" || request.Known([]byte(s.Name)) == request.FieldContentLength ||
			request.Known([]byte(s.Name)) == request.FieldTransferEncoding {
			continue // framing is never the operator's to set
		}
		set = append(set, setField{name: s.Name, lead: []byte(s.Name + ": "), value: c.text(s.Value)})
	}
	return set, strip
}

// hidden are the fields of a reply that concern weir and the upstream only.
func hidden(ps *config.ProxySettings) (hide fieldSet) {
	for _, id := range []request.FieldID{
		request.FieldDate, request.FieldServer, request.FieldXPad, request.FieldXAccelExpires,
		request.FieldXAccelRedirect, request.FieldXAccelLimitRate, request.FieldXAccelBuffering, request.FieldXAccelCharset,
	} {
		hide.known |= 1 << id
	}
	for _, name := range ps.HideHeaders {
		hide.add(name)
	}
	for _, name := range ps.PassFields {
		hide.remove(name)
	}
	return hide
}

func ignored(ps *config.ProxySettings) (mask uint64) {
	for _, name := range ps.IgnoreHeaders {
		mask |= 1 << request.Known([]byte(name))
	}
	return mask &^ (1 << request.FieldOther)
}

// redirects compiles proxy_redirect; its default makes what names the
// upstream's own URL name the location.
func (c *compiler) redirects(pass *config.ProxyPass, ps *config.ProxySettings) (rules []redirectRule) {
	if ps.RedirectOff {
		return nil
	}
	list := ps.Redirects
	if len(list) == 0 {
		list = []config.ProxyRedirect{{Default: true}}
	}
	for _, d := range list {
		if d.Default {
			if from, to, ok := defaultRedirect(pass); ok {
				rules = append(rules, redirectRule{from: c.text(from), to: c.text(to)})
			}
			continue
		}
		rule := redirectRule{to: c.text(d.To)}
		if d.Regex != nil {
			rule.regex = c.regex(d.Regex)
		} else {
			rule.from = c.text(d.From)
		}
		rules = append(rules, rule)
	}
	return rules
}

func defaultRedirect(pass *config.ProxyPass) (from, to config.Text, ok bool) {
	switch {
	case pass.Vars:
		return from, to, false
	case pass.HasURI:
		return config.Text{Value: pass.URL.Value}, config.Text{Value: pass.Prefix}, true
	}
	return config.Text{Value: pass.URL.Value + "/"}, config.Text{Value: "/"}, true
}

// AddVariables puts the variables of this package into a table.
func AddVariables(t *variable.Table) {
	t.Add(variable.Variable{Name: "proxy_host", Get: func(s variable.Source) ([]byte, bool) {
		r := s.(*request.Request)
		return r.ProxyHost, r.ProxyHost != nil
	}})
	t.Add(variable.Variable{Name: "proxy_port", Get: func(s variable.Source) ([]byte, bool) {
		r := s.(*request.Request)
		return r.ProxyPort, r.ProxyPort != nil
	}})
}

// Profile returns how the handler's connections are made; its idle ones are
// told apart by it.
func (x *exchange) profile() *connect.Profile { return x.h.conn.bind.bound(x, x.h.conn.of(x)) }
