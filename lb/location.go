package lb

import (
	"bytes"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/access"
	"github.com/weir-lb/weir/lb/accesslog"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/static"
	"github.com/weir-lb/weir/lb/variable"
)

// location is one compiled location, or the settings of a server, an `if` or
// a `limit_except` block, which are nameless locations.
type location struct {
	conf     *config.Location
	gen      *generation
	internal bool
	script   *route.Script
	branches []*location // bodies of the script's `if` blocks
	except   *except
	realip   *access.RealIP
	handlers []request.Handler // realip, access and content, in this order

	log     *errorlog.Logger
	access  *accesslog.Log
	pages   *route.ErrorPages
	headers []addedHeader

	trailers []addedHeader
	expires  *variable.Text // of `expires` with variables

	defaultType      []byte
	serverTokens     *variable.Text
	usualToken       bool // it names weir and its version
	keepaliveTimeout time.Duration
	keepaliveHeader  []byte
	rate, rateAfter  *variable.Text // nil: none
	root             *variable.Text
	aliasCut         int // bytes of the path that an alias replaces, -1: all
	shuns            shuns
	resolver         *config.Resolver // with the addresses of its name servers; nil: none
}

// addedHeader is one add_header or add_trailer.
type addedHeader struct {
	name   string
	value  *variable.Text
	always bool
}

// except is a limit_except block.
type except struct {
	methods []string
	body    *location
}

func (e *except) allows(method []byte) bool {
	for _, m := range e.methods {
		if m == string(method) {
			return true
		}
	}
	return false
}

// shuns are the browsers whose connections are not kept open.
type shuns struct{ msie6, safari bool }

// location compiles one location.
func (c *compiler) location(conf *config.Location) (*location, error) {
	l := &location{
		conf: conf, gen: c.g, internal: conf.Internal, defaultType: []byte(conf.DefaultType),
		keepaliveTimeout: conf.KeepaliveTimeout,
	}
	if l.aliasCut = len(conf.Root.Prefix); conf.Root.Alias && l.aliasCut == 0 {
		l.aliasCut = -1
	}
	if s := conf.KeepaliveHeader; s > 0 {
		l.keepaliveHeader = []byte("timeout=" + strconv.Itoa(int(s/time.Second)))
	}
	for _, word := range conf.KeepaliveDisable {
		l.shuns.msie6 = l.shuns.msie6 || word == "msie6"
		l.shuns.safari = l.shuns.safari || word == "safari"
	}
	for _, step := range []func(*location) error{
		c.logging, c.texts, c.replies, c.rewriting, c.entering, c.resolving, c.serving,
	} {
		if err := step(l); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// logging opens the logs.
func (c *compiler) logging(l *location) (err error) {
	if c.b.options.Logs == nil {
		return nil
	}
	if l.log, err = c.errorLog(l.conf.ErrorLogs); err != nil {
		return err
	}
	l.access, err = c.g.logs.Open(l.conf.AccessLogs)
	return err
}

// texts compiles settings that may hold variables.
func (c *compiler) texts(l *location) error {
	for _, t := range []struct {
		conf config.Text
		to   **variable.Text
	}{
		{l.conf.ServerTokens, &l.serverTokens}, {l.conf.LimitRate, &l.rate}, {l.conf.LimitRateAfter, &l.rateAfter},
		{l.conf.Root.Path, &l.root},
	} {
		if t.conf.IsZero() {
			continue
		}
		x, err := variable.Compile(c.g.table, t.conf.Value)
		if err != nil {
			return t.conf.Pos.Errorf("%v", err)
		}
		*t.to = x
	}
	token, static := l.serverTokens.Static()
	l.usualToken = static && (string(token) == tokenOn || string(token) == tokenBuild)
	return nil
}

// replies compiles what is added to replies, and the error pages.
func (c *compiler) replies(l *location) (err error) {
	if l.headers, err = c.added(l.conf.AddHeaders); err != nil {
		return err
	}
	if l.trailers, err = c.added(l.conf.AddTrailers); err != nil {
		return err
	}
	if e := &l.conf.Expires; e.Kind == config.ExpiresText {
		if l.expires, err = variable.Compile(c.g.table, e.Value.Value); err != nil {
			return e.Value.Pos.Errorf("%v", err)
		}
	}
	l.pages, err = route.CompileErrorPages(c.g.table, l.conf.ErrorPages)
	return err
}

// added compiles the lines of add_header or add_trailer.
func (c *compiler) added(conf []config.AddHeader) (list []addedHeader, err error) {
	for _, h := range conf {
		x, err := variable.Compile(c.g.table, h.Value.Value)
		if err != nil {
			return nil, h.Pos.Errorf("%v", err)
		}
		list = append(list, addedHeader{name: h.Name, value: x, always: h.Always})
	}
	return list, nil
}

// rewriting compiles the script and the locations that it may lead into.
func (c *compiler) rewriting(l *location) (err error) {
	if l.script, err = c.scriptOf(l.conf.Rewrite); err != nil {
		return err
	}
	if l.branches, err = c.branches(l.script); err != nil {
		return err
	}
	if e := l.conf.LimitExcept; e != nil {
		body, err := c.location(e.Body)
		if err != nil {
			return err
		}
		l.except = &except{methods: e.Methods, body: body}
	}
	return nil
}

// scriptOf compiles a rewrite phase; an empty one is nil, which costs nothing.
func (c *compiler) scriptOf(list []config.Instruction) (*route.Script, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return route.CompileScript(c.g.table, list)
}

func (c *compiler) branches(s *route.Script) (list []*location, err error) {
	if s == nil {
		return nil, nil
	}
	for _, branch := range s.Branches() {
		l, err := c.location(branch.Body)
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// entering compiles who may ask.
func (c *compiler) entering(l *location) (err error) {
	find := func(host string) ([]netip.Addr, error) { return lookup(host) }
	if l.realip, err = access.NewRealIP(l.conf.RealIP, find); err != nil {
		return err
	}
	if l.realip != nil {
		l.handlers = append(l.handlers, l.realip)
	}
	if len(l.conf.AccessRules) > 0 {
		l.handlers = append(l.handlers, access.NewSatisfy(l.conf.SatisfyAny, access.Compile(l.conf.AccessRules)))
	}
	return nil
}

// serving compiles what makes the content.
func (c *compiler) serving(l *location) error {
	if l.conf.TryFiles != nil {
		h, err := static.NewTryFiles(l.conf.TryFiles, c.g.table)
		if err != nil {
			return err
		}
		l.handlers = append(l.handlers, h)
	}
	switch {
	case l.conf.Pending != "": // what would answer here is not there yet, and files must not be shown in its place
		l.handlers = append(l.handlers, unavailable{})
	case l.conf.StubStatus:
		l.handlers = append(l.handlers, &stubStatus{c.b})
	case l.conf.Proxy != nil:
		h, err := proxy.New(l.conf, &c.env)
		if err != nil {
			return err
		}
		fetcher := h.Source.(*proxy.Fetcher)
		if err := c.checking(l, fetcher); err != nil {
			return err
		}
		if h.Source, err = c.cached(l, fetcher); err != nil {
			return err
		}
		l.handlers = append(l.handlers, h)
	default:
		h, err := static.NewFiles(&l.conf.Settings, static.Options{Variables: c.g.table, EscapePath: route.AppendEscapedPath})
		if err != nil {
			return err
		}
		l.handlers = append(l.handlers, h)
	}
	return nil
}

// unavailable answers for content that this version cannot make.
type unavailable struct{}

// Serve implements request.Handler.
func (unavailable) Serve(r *request.Request) request.Verdict { return r.Reject(503) }

// errorLog opens an error log, once for equal settings. Where no logs are
// opened it is nil, which takes lines and drops them.
func (c *compiler) errorLog(logs []config.ErrorLog) (*errorlog.Logger, error) {
	if c.b.options.Logs == nil {
		return nil, nil
	}
	targets, key, err := errorTargets(logs)
	if err != nil {
		return nil, err
	}
	if l := c.loggers[key]; l != nil {
		return l, nil
	}
	l, err := c.b.options.Logs.Open(targets)
	if err != nil {
		return nil, logs[0].Pos.Errorf("%v", err)
	}
	c.loggers[key] = l
	c.g.errors = append(c.g.errors, l)
	return l, nil
}

// Catches implements request.Site.
func (l *location) Catches(status int) bool {
	if l.pages == nil {
		return false
	}
	_, ok := l.pages.Find(status, nil)
	return ok
}

// Hold implements request.Site; it is called while a request holds the
// generation, so that this has not ended.
func (l *location) Hold() (release func()) {
	l.gen.users.Add(1)
	return l.gen.release
}

// limitRate sets what `limit_rate` says.
func (l *location) limitRate(r *request.Request) {
	if l.rate == nil || r.RateSet {
		return
	}
	r.RateLimit = parseSize(l.rate.Value(r))
	r.RateAfter = parseSize(l.rateAfter.Value(r))
}

// parseSize reads a size at run time; what is none is 0.
func parseSize(p []byte) int64 {
	n, _ := config.ParseSize(string(p))
	return n
}

// decorate adds what the location adds to every reply.
func (l *location) decorate(w *walk) {
	r := &w.r
	p := &r.Reply
	if l.conf.Expires.Kind != config.ExpiresOff && addsHeaders(p.Status) {
		l.expire(r)
	}
	for i := range l.headers {
		h := &l.headers[i]
		if !h.always && !addsHeaders(p.Status) {
			continue
		}
		if v := h.value.Value(r); len(v) > 0 {
			p.Add(h.name, v)
		}
	}
	if len(p.Location) > 0 && p.Location[0] == '/' {
		host := r.Host
		if r.HostRaw.Len() == 0 { // it is the server's name then, which only server_name_in_redirect asks for
			host = nil
		}
		base := route.Base{
			Absolute: l.conf.AbsoluteRedirect, ServerName: l.conf.ServerNameInRedirect, PortIncluded: l.conf.PortInRedirect,
			TLS: w.c.Conn.TLS != nil, Local: w.c.Local, Host: host, Name: r.ServerName,
		}
		p.Location = r.Arena().Keep(route.AppendLocation(r.Arena().Take(), &base, p.Location))
	}
}

// expire applies `expires`, whose fields take the place of the upstream's.
func (l *location) expire(r *request.Request) {
	p := &r.Reply
	x, ok := static.Expires(l.conf.Expires, l.expires.Value(r), time.Now(), p.Modified())
	if !ok {
		return
	}
	if p.Head != nil {
		p.Head.SkipAll(request.FieldExpires)
		p.Head.SkipAll(request.FieldCacheControl)
	}
	p.Add("Expires", r.Arena().Keep(http1.AppendDate(r.Arena().Take(), x.Expires)))
	p.Add("Cache-Control", r.Arena().Keep(x.AppendCacheControl(r.Arena().Take())))
}

// addsHeaders tells whether add_header applies without "always".
func addsHeaders(status int) bool {
	switch status {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308:
		return true
	}
	return false
}

// refusesKeepalive tells whether keepalive_disable names the client.
func (l *location) refusesKeepalive(r *request.Request) bool {
	if !l.shuns.msie6 && !l.shuns.safari {
		return false
	}
	agent, ok := r.Head.Get(request.FieldUserAgent)
	if !ok {
		return false
	}
	if l.shuns.msie6 && r.Verb == request.VerbPost {
		if i := bytes.Index(agent, []byte("MSIE ")); i >= 0 && i+6 < len(agent) && agent[i+6] == '.' && agent[i+5] >= '4' && agent[i+5] <= '6' {
			return true
		}
	}
	return l.shuns.safari && bytes.Contains(agent, []byte("Safari/")) && bytes.Contains(agent, []byte("Mac OS X")) &&
		!bytes.Contains(agent, []byte("Chrome"))
}

// rootExists tells whether the directory that a request is served from
// exists, before a log named by variables is made for it.
func rootExists(s variable.Source) bool {
	r, ok := s.(*request.Request)
	if !ok || r.Root == nil {
		return false
	}
	info, err := os.Stat(string(r.Root.Value(r)))
	return err == nil && info.IsDir()
}
