package lb

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/accesslog"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/listen"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/variable"
)

// compiler builds a generation. Everything that can fail fails here, before
// anything that serves is touched.
type compiler struct {
	b       *Balancer
	g       *generation
	before  map[string]*pool // of the generation that serves
	loggers map[string]*errorlog.Logger
	tickets map[string]*cert.TicketKeys           // by the names of their files
	input   *sync.Pool                            // of http2_recv_buffer_size
	files   cert.Files                            // certificates and passwords read so far
	asked   map[*config.Resolver]*config.Resolver // with addresses instead of names
	told    map[config.Pos]bool                   // ssl_ciphers of which was told what is left out
	env     proxy.Env
	wanted  []wantedCheck
	learned map[string]*sessions // of the generation that serves
}

// compile turns a configuration into a generation.
func (b *Balancer) compile(conf *config.Config) (*compiler, error) {
	c := &compiler{b: b, loggers: map[string]*errorlog.Logger{}, tickets: map[string]*cert.TicketKeys{}, told: map[config.Pos]bool{}, asked: map[*config.Resolver]*config.Resolver{}}
	c.g = &generation{
		number: b.numbers.Add(1), conf: conf, table: variable.NewTable(), zones: map[string]*pool{}, folded: map[string]*pool{},
		sessions: map[string]*sessions{},
		retired:  make(chan struct{}),
	}
	c.g.users.Store(1)
	c.g.tunnels.Store(1)
	if g := b.current.Load(); g != nil {
		c.before, c.learned = g.zones, g.sessions
	}
	c.env = proxy.Env{Table: c.g.table, Target: c.target, Resolve: c.resolver(), Files: &c.files, ConfPrefix: conf.ConfPrefix}
	if conf.HTTP == nil {
		return c, nil
	}
	if err := c.http(conf.HTTP); err != nil {
		_ = c.g.discard() // the error that counts is err
		return nil, err
	}
	c.g.slots = c.g.table.Slots()
	if err := c.checks(); err != nil {
		_ = c.g.discard() // the error that counts is err
		return nil, err
	}
	for _, a := range c.g.sites {
		a.notesHello = c.g.table.Used("ssl_ciphers", "ssl_curves", "ssl_session_id")
	}
	for name, z := range c.g.zones {
		c.g.folded[strings.ToLower(name)] = z
	}
	for _, x := range c.g.table.SlowRegexes() {
		reason, _ := x.Slow()
		b.options.Log.Logf(errorlog.Warn, 0, "regular expression %q needs backtracking (%s) and runs under a time limit in %s", x, reason, x.Pos())
	}
	return c, nil
}

// http compiles in an order in which every name is known before it is used.
func (c *compiler) http(h *config.HTTP) error {
	if err := c.variables(h); err != nil {
		return err
	}
	c.g.logs = accesslog.NewSet(accesslog.Options{
		Outputs: c.b.options.Logs, Variables: c.g.table, Formats: h.LogFormats, Errors: c.b.options.Log,
		Prefix: c.g.conf.Prefix, RootExists: rootExists,
	})
	if err := c.fileKeys(h.StickyKeys); err != nil {
		return err
	}
	for _, u := range h.Upstreams {
		if err := c.upstream(u); err != nil {
			return err
		}
	}
	if err := c.caches(h); err != nil {
		return err
	}
	if err := c.matches(h); err != nil {
		return err
	}
	servers := make([]*server, len(h.Servers))
	for i, s := range h.Servers {
		var err error
		if servers[i], err = c.server(s); err != nil {
			return err
		}
	}
	return c.addresses(servers)
}

// variables fills the table: what requests tell, then what the file declares,
// and only then the texts of the latter, which may name each other.
func (c *compiler) variables(h *config.HTTP) error {
	t := c.g.table
	request.AddVariables(t, request.Env{
		Hostname: c.b.options.Hostname, PID: os.Getpid(), Version: c.b.options.Version, Counts: c.b.counts,
	})
	proxy.AddVariables(t)
	if err := route.DeclareVariables(t, h); err != nil {
		return err
	}
	var later []interface{ Compile(*variable.Table) error }
	for _, m := range h.Maps {
		later = append(later, variable.NewMapping(t, m))
	}
	for _, g := range h.Geos {
		later = append(later, variable.NewGeo(t, g))
	}
	for _, s := range h.SplitClients {
		later = append(later, variable.NewSplit(t, s))
	}
	for _, l := range later {
		if err := l.Compile(t); err != nil {
			return err
		}
	}
	return nil
}

// server compiles one server block.
func (c *compiler) server(conf *config.Server) (*server, error) {
	s := &server{conf: conf, name: []byte(firstName(conf)), limits: http1.Limits{
		LineSize: int(conf.LargeHeaderBuffers.Size), FieldSize: int(conf.LargeHeaderBuffers.Size),
		TotalSize: int(conf.LargeHeaderBuffers.Size) * conf.LargeHeaderBuffers.Number,
		MaxFields: conf.MaxHeaders, Underscores: conf.UnderscoresInHeaders, IgnoreInvalid: conf.IgnoreInvalidHeaders,
	}}
	s.http2 = http2.Limits{
		MaxStreams: conf.HTTP2.MaxStreams, Window: int32(conf.HTTP2.BodyPrereadWindow),
		HeadSize: s.limits.TotalSize, FieldSize: s.limits.FieldSize, MaxFields: s.limits.MaxFields,
		Underscores: s.limits.Underscores, IgnoreInvalid: s.limits.IgnoreInvalid,
	}
	s.input = c.inputs(int(conf.HTTP2.RecvBufferSize))
	own := &config.Location{Pos: conf.Pos, Settings: conf.Settings, TryFiles: conf.TryFiles}
	var err error
	if s.own, err = c.location(own); err != nil {
		return nil, err
	}
	if s.script, err = c.scriptOf(conf.Rewrite); err != nil {
		return nil, err
	}
	if s.own.branches, err = c.branches(s.script); err != nil {
		return nil, err
	}
	var failed error
	s.locations, err = route.CompileLocations(c.g.table, conf.Locations, func(l *config.Location) *location {
		loc, err := c.location(l)
		if err != nil && failed == nil {
			failed = err
		}
		return loc
	})
	if failed != nil {
		return nil, failed
	}
	return s, err
}

// inputs returns the buffers of one size; servers share them, since the size
// is one for all of http.
func (c *compiler) inputs(size int) *sync.Pool {
	if c.input == nil {
		c.input = &sync.Pool{New: func() any { b := make([]byte, size); return &b }}
	}
	return c.input
}

// firstName is $server_name; a regular expression shows as it was written.
func firstName(conf *config.Server) string {
	n := conf.Names[0]
	if n.Kind == config.NameRegex {
		return "~" + n.Name
	}
	return n.Name
}

// addresses groups the servers by the addresses they listen on.
func (c *compiler) addresses(servers []*server) error {
	byName := map[string]*address{}
	for _, s := range servers {
		for i := range s.conf.Listens {
			l := &s.conf.Listens[i]
			spec, err := c.spec(l)
			if err != nil {
				return err
			}
			a := byName[spec.Name()]
			if a == nil {
				a = &address{spec: len(c.g.specs), def: s}
				byName[spec.Name()] = a
				c.g.sites = append(c.g.sites, a)
				c.g.specs = append(c.g.specs, spec)
			} else if l.OptionsSet {
				c.g.specs[a.spec] = spec
			}
			if l.DefaultServer {
				a.def = s
			}
			a.ssl = a.ssl || l.SSL
			a.http2 = a.http2 || l.HTTP2
			a.proxyProtocol = a.proxyProtocol || l.ProxyProtocol
			a.headLimit = max(a.headLimit, s.limits.TotalSize)
		}
	}
	for _, s := range servers {
		if err := c.join(s, byName); err != nil {
			return err
		}
	}
	return nil
}

// join makes a server's names known on its addresses, and its certificate
// ready where one of them is for TLS.
func (c *compiler) join(s *server, byName map[string]*address) error {
	for i := range s.conf.Listens {
		spec, err := c.spec(&s.conf.Listens[i])
		if err != nil {
			return err
		}
		a := byName[spec.Name()]
		if a.hosts == nil {
			a.hosts = route.NewHosts(a.def)
		}
		for _, n := range s.conf.Names {
			if _, err := a.hosts.Add(c.g.table, n, s); err != nil {
				return err
			}
		}
		if a.ssl && s.tls == nil && (len(s.conf.TLS.Certificates) > 0 || s.conf.TLS.RejectHandshake) {
			if err := c.tlsServer(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// spec is what package listen is asked for; a host name is looked up.
func (c *compiler) spec(l *config.Listen) (listen.Spec, error) {
	s := listen.Spec{Addr: l.Addr, Path: l.Unix, Bind: l.Options.Bind || l.OptionsSet, Options: listenOptions(&l.Options)}
	if l.Host != "" {
		addrs, err := lookup(l.Host)
		if err != nil {
			return s, l.Pos.Errorf("host not found in %q of the \"listen\" directive", l.Text)
		}
		s.Addr = netip.AddrPortFrom(addrs[0], l.Port)
	}
	return s, nil
}

func listenOptions(o *config.ListenOptions) listen.Options {
	out := listen.Options{
		Backlog: o.Backlog, ReusePort: o.ReusePort, DualStack: !o.IPv6Only, FastOpen: max(o.FastOpen, 0),
		RcvBuf: int(o.RcvBuf), SndBuf: int(o.SndBuf), Multipath: o.Multipath,
	}
	if o.Deferred {
		out.Deferred = time.Second
	}
	k := o.KeepAlive
	out.KeepAlive = listen.KeepAlive{Idle: k.Idle, Interval: k.Interval, Count: k.Count}
	switch k.Mode {
	case config.FlagOn:
		out.KeepAlive.Mode = listen.KeepAliveOn
	case config.FlagOff:
		out.KeepAlive.Mode = listen.KeepAliveOff
	}
	return out
}

// lookupLimit bounds a name's look-up while a configuration is loaded.
const lookupLimit = 5 * time.Second

// lookup resolves a name with the system's resolver.
func lookup(host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}
