package lb

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/variable"
)

// pool is an upstream over all generations that know it: the peers' counters
// and the idle connections outlive a reload.
type pool struct {
	roster *upstream.Roster
	idle   *connect.Group
	target *proxy.Target
	state  *stateFile // nil: none

	// How its names are followed; nil: there is no resolver.
	resolver        *config.Resolver
	resolverTimeout time.Duration

	// What becomes of it when the generation starts.
	change *upstream.Change
	limits connect.Keepalive
}

// upstream compiles one upstream block.
func (c *compiler) upstream(u *config.Upstream) error {
	cfg := upstream.Config{Name: u.Name, Method: methodOf(&u.Method), Sticky: c.sticky(u), AllowEmpty: u.Zone != "", FromState: u.State != "",
		Unjudged: unjudged(u), Queue: upstream.Queue{Length: u.Queue.Length, Timeout: u.Queue.Timeout}}
	for i := range u.Servers {
		s, err := upstreamServer(&u.Servers[i])
		if err != nil {
			return err
		}
		cfg.Servers = append(cfg.Servers, s)
	}
	p, err := c.pool(cfg, keepalive(&u.Keepalive))
	if err != nil {
		return u.Pos.Errorf("%v", err)
	}
	if p.resolver, err = c.nameServers(u.Resolver); err != nil {
		return err
	}
	if p.state, err = newStateFile(u); err != nil {
		return u.StatePos.Errorf("%v", err)
	}
	p.resolverTimeout = u.ResolverTimeout
	p.target = &proxy.Target{Name: u.Name, Pool: p.roster.Current(), Idle: p.idle}
	if p.target.Sticky, err = proxy.NewSticky(c.g.table, &u.Sticky); err != nil {
		return err
	}
	if cfg.Method.UsesKey() {
		if p.target.Key, err = variable.Compile(c.g.table, u.Method.Key.Value); err != nil {
			return u.Method.Pos.Errorf("%v", err)
		}
	}
	return nil
}

// pool builds the peers of an upstream, on what the serving generation has of
// the same name.
func (c *compiler) pool(cfg upstream.Config, limits connect.Keepalive) (*pool, error) {
	change, err := c.b.table.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	// The pool object is new, since its target belongs to the generation; what
	// it holds is the old one's where there is one.
	p := &pool{roster: change.Roster(), change: change, limits: limits}
	if known := c.before[cfg.Name]; known != nil {
		p.idle = known.idle
	} else {
		p.idle = connect.NewGroup(limits)
	}
	c.g.zones[cfg.Name] = p
	return p, nil
}

// target finds the upstream of a proxy_pass: a group, or a host of its own.
func (c *compiler) target(p *config.ProxyPass) (*proxy.Target, error) {
	if z := c.g.zones[p.Host]; z != nil && p.Unix == "" && !p.PortSet {
		return z.target, nil
	}
	server := config.UpstreamServer{
		Pos: p.Pos, Host: p.Host, Port: p.Port, Unix: p.Unix,
		Weight: 1, MaxFails: 1, FailTimeout: config.DefaultFailTimeout,
	}
	if p.Unix != "" {
		server.Address = "unix:" + p.Unix
	} else {
		server.Address = p.Host + ":" + strconv.Itoa(int(p.Port))
	}
	if z := c.g.zones[server.Address]; z != nil {
		return z.target, nil
	}
	s, err := upstreamServer(&server)
	if err != nil {
		written := p.Host
		if p.PortSet {
			written = server.Address
		}
		return nil, p.Pos.Errorf("host not found in upstream %q", written)
	}
	unwritten := config.DefaultKeepalive()
	z, err := c.pool(upstream.Config{Name: server.Address, Servers: []upstream.Server{s}}, keepalive(&unwritten))
	if err != nil {
		return nil, p.Pos.Errorf("%v", err)
	}
	z.target = &proxy.Target{Name: p.Host, Pool: z.roster.Current(), Idle: z.idle}
	return z.target, nil
}

// upstreamServer translates one server line. Its name is resolved once, unless
// it is followed while weir runs.
func upstreamServer(s *config.UpstreamServer) (upstream.Server, error) {
	out := upstream.Server{
		Name: s.Address, Weight: s.Weight, MaxConns: s.MaxConns, MaxFails: s.MaxFails, FailTimeout: s.FailTimeout, SlowStart: s.SlowStart,
		Backup: s.Backup, Down: s.Down, Drain: s.Drain, Route: s.Route,
	}
	if s.Unix != "" {
		out.Addrs = []upstream.Addr{{Path: s.Unix}}
		return out, nil
	}
	if at, fixed := s.Fixed(); fixed {
		out.Addrs = []upstream.Addr{{AddrPort: at}}
		return out, nil
	}
	if s.Resolve {
		out.Question, out.Port = upstream.Question{Host: s.Host, Service: s.Service}, s.Port
		return out, nil
	}
	addrs, err := lookup(s.Host)
	if err != nil || len(addrs) == 0 {
		return out, s.Pos.Errorf("host not found in upstream %q", s.Address)
	}
	for _, a := range addrs {
		out.Addrs = append(out.Addrs, upstream.Addr{AddrPort: netip.AddrPortFrom(a, s.Port)})
	}
	return out, nil
}

// methodOf translates a balancing method.
func methodOf(m *config.Method) upstream.Method {
	out := upstream.Method{Inflight: m.Inflight}
	switch m.Time {
	case config.TimeHeader:
		out.Measure = upstream.Header
	case config.TimeLastByte:
		out.Measure = upstream.LastByte
	}
	switch m.Kind {
	case config.LeastConn:
		out.Kind = upstream.LeastConn
	case config.IPHash:
		out.Kind = upstream.IPHash
	case config.Hash:
		out.Kind = upstream.Hash
		if m.Consistent {
			out.Kind = upstream.ConsistentHash
		}
	case config.Random:
		out.Kind = upstream.Random
		if m.Two {
			out.Kind = upstream.RandomTwo
		}
	case config.LeastTime:
		out.Kind = upstream.LeastTime
	}
	return out
}

// keepalive are the limits of an upstream; without any it sizes itself.
func keepalive(k *config.Keepalive) connect.Keepalive {
	out := connect.Keepalive{Connections: k.Connections, Requests: k.Requests, Time: k.Time, Timeout: k.Timeout}
	if !k.Written {
		out.Connections = connect.Auto
	}
	return out
}
