package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// setUpstream builds an upstream block.
func setUpstream(s *scope, d *Directive) error {
	name := d.Args[0]
	for _, u := range s.http.Upstreams {
		if u.Name == name {
			return d.Pos.Errorf(`duplicate upstream "%s"`, name)
		}
	}
	u := &Upstream{Pos: d.Pos, Name: name, Keepalive: DefaultKeepalive()}
	c := s.child(d, InUpstream)
	c.upstream = u
	if err := c.walk(d.Block); err != nil {
		return err
	}
	if err := u.checkState(); err != nil {
		return err
	}
	if len(u.Servers) == 0 && u.Zone == "" {
		return d.End.Errorf("no servers are inside upstream")
	}
	if len(u.Servers) > 0 && !slices.ContainsFunc(u.Servers, func(s UpstreamServer) bool { return !s.Backup }) {
		return d.Pos.Errorf(`no servers in upstream "%s"`, name)
	}
	s.http.Upstreams = append(s.http.Upstreams, u)
	return nil
}

func setZone(s *scope, d *Directive) error {
	u := s.upstream
	if d.Args[0] == "" {
		return d.Pos.Errorf(`invalid zone name "%s"`, d.Args[0])
	}
	u.Zone, u.ZoneSize = d.Args[0], 0
	if len(d.Args) == 1 {
		return nil
	}
	n, ok := parseSize(d.Args[1])
	if !ok {
		return d.Pos.Errorf(`invalid zone size "%s"`, d.Args[1])
	}
	if n < 8*pageSize {
		return d.Pos.Errorf(`zone "%s" is too small`, u.Zone)
	}
	for _, other := range s.http.Upstreams {
		if other.Zone == u.Zone && other.ZoneSize != 0 && other.ZoneSize != n {
			return d.Pos.Errorf(`the size %d of shared memory zone "%s" conflicts with already declared size %d`, n, u.Zone, other.ZoneSize)
		}
	}
	u.ZoneSize = n
	return nil
}

// setMethod makes the setter of a balancing method. The last one in a block
// wins, with a warning.
func setMethod(arguments func(*Method, *Directive) error) setter {
	return func(s *scope, d *Directive) error {
		m := Method{Pos: d.Pos, Kind: map[string]MethodKind{
			"ip_hash": IPHash, "least_conn": LeastConn, "hash": Hash, "random": Random, "least_time": LeastTime,
		}[d.Name]}
		if err := arguments(&m, d); err != nil {
			return err
		}
		switch sticky := &s.upstream.Sticky; {
		case !sticky.Pos.IsZero(): // as in nginx
			s.warn(d.Pos, "load balancing method redefined", `"sticky" is not in force: write it after the method`)
			*sticky = Sticky{}
		case !s.upstream.Method.Pos.IsZero():
			s.warn(d.Pos, "load balancing method redefined", "")
		}
		s.upstream.Method = m
		return nil
	}
}

func (m *Method) hash(d *Directive) error {
	m.Key = d.text(0)
	if len(d.Args) == 2 {
		if d.Args[1] != "consistent" {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
		}
		m.Consistent = true
	}
	return nil
}

func (m *Method) random(d *Directive) error {
	if len(d.Args) == 0 {
		return nil
	}
	if d.Args[0] != "two" {
		return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[0])
	}
	m.Two = true
	if len(d.Args) == 1 || d.Args[1] == "least_conn" {
		return nil
	}
	what, ok := strings.CutPrefix(d.Args[1], "least_time=")
	if !ok || !m.time(what) {
		return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
	}
	return nil
}

func (m *Method) leastTime(d *Directive) error {
	if !m.time(d.Args[0]) {
		return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[0])
	}
	if len(d.Args) == 2 {
		if d.Args[1] != "inflight" {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
		}
		m.Inflight = true
	}
	return nil
}

func (m *Method) time(what string) (ok bool) {
	m.Time, ok = exact([]word[TimeKind]{{"header", TimeHeader}, {"last_byte", TimeLastByte}}, what)
	return ok
}

func setKeepalive(s *scope, d *Directive) error {
	n, ok := parseNumber(d.Args[0])
	if !ok {
		return d.Pos.Errorf(`invalid value "%s" in "%s" directive`, d.Args[0], d.Name)
	}
	k := &s.upstream.Keepalive
	k.Connections, k.Local, k.Written = n, false, true
	if len(d.Args) == 2 {
		if d.Args[1] != "local" {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
		}
		k.Local = true
		s.note(d, "keepalive ... local", Meaningless, "idle connections are shared only by locations that reach the servers in the same way")
	}
	return nil
}

// setQueue reads how many requests may wait for a server.
func setQueue(s *scope, d *Directive) error {
	q := Queue{Pos: d.Pos, Timeout: defaultQueueTimeout}
	var ok bool
	if q.Length, ok = parseNumber(d.Args[0]); !ok || q.Length == 0 {
		return d.Pos.Errorf(`invalid value "%s" in "%s" directive`, d.Args[0], d.Name)
	}
	if len(d.Args) == 2 {
		v, named := strings.CutPrefix(d.Args[1], "timeout=")
		if q.Timeout, ok = parseTime(v, false); !named || !ok || q.Timeout == 0 {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
		}
	}
	s.upstream.Queue = q
	return nil
}

// defaultQueueTimeout is how long a request waits for a server.
const defaultQueueTimeout = 60 * time.Second

// setUpstreamServer reads a server line of an upstream.
func setUpstreamServer(s *scope, d *Directive) error {
	line, err := s.upstream.server(d)
	if err != nil {
		return err
	}
	s.upstream.Servers = append(s.upstream.Servers, line)
	return nil
}

// server reads a server line.
func (u *Upstream) server(d *Directive) (UpstreamServer, error) {
	hp, bad := parseHostPort(d.Args[0], 80, false)
	if bad != "" {
		return UpstreamServer{}, d.Pos.Errorf(`%s in upstream "%s"`, bad, d.Args[0])
	}
	line := UpstreamServer{Pos: d.Pos, Address: d.Args[0], Host: hp.host, Port: hp.port, PortSet: hp.portSet, Unix: hp.unix,
		Weight: 1, MaxFails: 1, FailTimeout: DefaultFailTimeout}
	for _, p := range d.Args[1:] {
		if err := u.param(&line, d, p); err != nil {
			return UpstreamServer{}, err
		}
	}
	return line, line.checkService(d)
}

// param reads a parameter of a server line.
func (u *Upstream) param(line *UpstreamServer, d *Directive, p string) error {
	if unfit(u.Method.Kind, p) {
		return d.Pos.Errorf(`balancing method does not support parameter "%s"`, p)
	}
	ok, err := line.param(d, p)
	if err == nil && !ok {
		return d.Pos.Errorf(`invalid parameter "%s"`, p)
	}
	return err
}

// unfit reports whether a method, written before the server line, has no use
// for a parameter.
func unfit(m MethodKind, p string) bool {
	if m != Hash && m != IPHash && m != Random {
		return false
	}
	return p == "backup" || strings.HasPrefix(p, "slow_start=")
}

func (u *UpstreamServer) param(d *Directive, p string) (ok bool, err error) {
	name, v, _ := strings.Cut(p, "=")
	switch {
	case name == "weight":
		u.Weight, ok = parseNumber(v)
		return ok && u.Weight > 0, nil
	case name == "max_conns":
		u.MaxConns, ok = parseNumber(v)
		return ok, nil
	case name == "max_fails":
		u.MaxFails, ok = parseNumber(v)
		return ok, nil
	case name == "fail_timeout":
		u.FailTimeout, ok = parseTime(v, true)
		return ok, nil
	case name == "slow_start":
		u.SlowStart, ok = parseTime(v, true)
		return ok, nil
	case name == "route":
		return true, u.setRoute(d, v)
	case name == "service":
		u.Service = v
		if v == "" {
			return false, d.Pos.Errorf("service is empty")
		}
		return true, nil
	}
	return u.mark(p), nil
}

// mark reads a parameter without a value.
func (u *UpstreamServer) mark(p string) bool {
	switch p {
	case "backup":
		u.Backup = true
	case "down":
		u.Down = true
	case "drain":
		u.Drain = true
	case "resolve":
		u.Resolve = true
	default:
		return false
	}
	return true
}

func (u *UpstreamServer) setRoute(d *Directive, v string) error {
	switch {
	case v == "":
		return d.Pos.Errorf("route is empty")
	case len(v) > 32:
		return d.Pos.Errorf("route is longer than 32")
	}
	u.Route = v
	return nil
}

// checkService applies what service= asks of the rest of the line.
func (u *UpstreamServer) checkService(d *Directive) error {
	if u.Service == "" {
		return nil
	}
	switch {
	case !u.Resolve:
		return d.Pos.Errorf(`service upstream "%s" requires "resolve" parameter`, u.Address)
	case u.PortSet:
		return d.Pos.Errorf(`service upstream "%s" may not have port`, u.Address)
	case !u.IsName():
		return d.Pos.Errorf(`service upstream "%s" requires domain name`, u.Address)
	}
	return nil
}

// IsName reports whether the address is a name to be resolved.
func (u *UpstreamServer) IsName() bool {
	if u.Unix != "" || strings.HasPrefix(u.Host, "[") {
		return false
	}
	_, _, ok := parseCIDR(u.Host)
	return !ok
}

// Fixed returns the address and port that the line is written with; false for
// names and unix sockets.
func (u *UpstreamServer) Fixed() (at netip.AddrPort, ok bool) {
	host := u.Host
	if len(host) > 1 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	addr, err := netip.ParseAddr(host)
	return netip.AddrPortFrom(addr, u.Port), err == nil
}
