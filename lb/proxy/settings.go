package proxy

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// settings are the proxy_* or grpc_* directives of a location that say how
// replies are fetched, made ready.
type settings struct {
	Method, SetBody       *variable.Text // nil: the client's own
	PassHeaders, PassBody bool
	RequestBuffering      bool
	IgnoreClientAbort     bool

	ConnectTimeout, SendTimeout, ReadTimeout time.Duration

	NextUpstream config.NextUpstream
	NextTries    int
	NextTimeout  time.Duration

	http2           bool // spoken to peers
	grpc            bool // grpc_pass
	passTE          bool // a client that takes trailers is announced as such
	requestTrailers bool // HTTP/2: trailers of the request go on to the peer

	set         []setField
	strip       fieldSet // fields of the request that are not passed on
	versionLine []byte   // " HTTP/1.1" and the line's end
	plainOld    bool     // HTTP/1.0: a body's length must be known
	keeping     request.Keeping
	earlyHints  []*variable.Text
	limits      http1.Limits // of reply heads

	limitRate *variable.Text // proxy_limit_rate; nil: none

	url         *variable.Text // of proxy_pass with variables
	uri, prefix []byte         // what replaces the location's part of the path
}

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
	c := compiler{table: env.Table}
	h := &Handler{rules: c.rules(conf)}
	if c.err != nil {
		return nil, c.err
	}
	source, err := newFetcher(conf, env)
	if err != nil {
		return nil, err
	}
	h.Source = source
	return h, nil
}

// newFetcher compiles the way to the upstream.
func newFetcher(conf *config.Location, env *Env) (*Fetcher, error) {
	pass, ps := conf.Proxy, conf.Exchanges()
	h := &Fetcher{resolve: env.Resolve, via: overHTTP1{}}
	if h.take(conf); h.http2 {
		h.via = overHTTP2{}
	}
	c := compiler{table: env.Table}
	h.limitRate = c.optional(ps.LimitRate)
	h.Method, h.SetBody = c.optional(ps.Method), c.optional(ps.SetBody)
	for _, t := range conf.EarlyHints {
		h.earlyHints = append(h.earlyHints, c.text(t))
	}
	h.set, h.strip = c.setFields(ps)
	h.passTE = pass.GRPC && !slices.ContainsFunc(ps.SetHeaders, func(s config.SetHeader) bool { return strings.EqualFold(s.Name, "TE") })
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
	ps := conf.Exchanges()
	s.PassHeaders, s.PassBody = ps.PassHeaders, ps.PassBody
	s.IgnoreClientAbort, s.RequestBuffering = ps.IgnoreClientAbort, ps.RequestBuffering
	s.ConnectTimeout, s.SendTimeout, s.ReadTimeout = ps.ConnectTimeout, ps.SendTimeout, ps.ReadTimeout
	s.NextUpstream, s.NextTries, s.NextTimeout = ps.NextUpstream, ps.NextUpstreamTries, ps.NextUpstreamTimeout
	s.http2, s.grpc, s.requestTrailers = ps.HTTPVersion == config.HTTP20, conf.Proxy.GRPC, ps.PassTrailers
	s.versionLine = []byte(" HTTP/1.1\r\n")
	if ps.HTTPVersion == config.HTTP10 {
		s.versionLine, s.plainOld = []byte(" HTTP/1.0\r\n"), true
	}
	s.keeping = request.Keeping{Memory: conf.ClientBodyBufferSize, Dir: conf.ClientBodyTempPath.Path}
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
		f := setField{name: s.Name, lead: []byte(s.Name + ": "), value: c.text(s.Value)}
		if value, static := f.value.Static(); static { // the operator's own text
			f.line = append(append(slices.Clone(f.lead), value...), "\r\n"...)
		}
		set = append(set, f)
	}
	return set, strip
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
