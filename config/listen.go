package config

import (
	"math"
	"net/netip"
	"strings"
	"time"
)

func defaultListenOptions() ListenOptions {
	return ListenOptions{Backlog: 511, FastOpen: -1, IPv6Only: true}
}

// defaultListen is the address of a server that has no listen directive.
func defaultListen(port uint16) Listen {
	addr := netip.AddrPortFrom(netip.IPv4Unspecified(), port)
	return Listen{Text: addr.String(), Addr: addr, Port: port, Options: defaultListenOptions()}
}

func setListen(s *scope, d *Directive) error {
	l := Listen{Pos: d.Pos, Text: d.Args[0], Options: defaultListenOptions()}
	last, bad := l.parseAddress(d.Args[0])
	if bad != "" {
		return d.Pos.Errorf(`%s in "%s" of the "listen" directive`, bad, d.Args[0])
	}
	for _, p := range d.Args[1:] {
		if err := l.param(s, d, p); err != nil {
			return err
		}
	}
	for port := int(l.Port); port <= int(last); port++ {
		l.Port = uint16(port)
		if l.Addr.IsValid() {
			l.Addr = netip.AddrPortFrom(l.Addr.Addr(), l.Port)
		}
		for _, old := range s.server.Listens {
			if old.Key() == l.Key() {
				return d.Pos.Errorf("a duplicate listen %s", l.Key())
			}
		}
		s.server.Listens = append(s.server.Listens, l)
	}
	return nil
}

// Key gives the address in the form by which addresses are told apart and named
// in messages: "0.0.0.0:80", "[::]:80", "unix:/path" or "name:80".
func (l *Listen) Key() string {
	switch {
	case l.Unix != "":
		return "unix:" + l.Unix
	case l.Addr.IsValid():
		return l.Addr.String()
	}
	return hostPort{host: l.Host, port: l.Port}.String()
}

// parseAddress reads the address of a listen and gives the last port, which is
// the first one too unless a range is written.
func (l *Listen) parseAddress(s string) (last uint16, bad string) {
	if len(s) >= 5 && strings.EqualFold(s[:5], "unix:") {
		hp, bad := parseUnix(s[5:], false)
		l.Unix = hp.unix
		return 0, bad
	}
	host, ports := "*", s
	if strings.Trim(s, "0123456789-") != "" {
		host, ports = splitListen(s)
	}
	if l.Port, last, bad = parsePorts(ports); bad != "" {
		return 0, bad
	}
	switch {
	case host == "":
		return 0, "no host"
	case host == "*":
		l.Addr = netip.AddrPortFrom(netip.IPv4Unspecified(), l.Port)
	case strings.HasPrefix(host, "["):
		if !strings.HasSuffix(host, "]") {
			return 0, "invalid host"
		}
		a, err := netip.ParseAddr(host[1 : len(host)-1])
		if err != nil || !a.Is6() {
			return 0, "invalid IPv6 address"
		}
		l.Addr = netip.AddrPortFrom(a, l.Port)
	case strings.ContainsAny(host, "/?"):
		return 0, "invalid host"
	default:
		if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
			l.Addr = netip.AddrPortFrom(a, l.Port)
		} else {
			l.Host = host
		}
	}
	return last, ""
}

// splitListen parts an address from its ports; without ports it is port 80.
func splitListen(s string) (host, ports string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, ']') {
		return s, "80"
	}
	return s[:i], s[i+1:]
}

func parsePorts(s string) (first, last uint16, bad string) {
	a, b, isRange := strings.Cut(s, "-")
	if !isRange {
		b = a
	}
	n, ok1 := parseNumber(a)
	m, ok2 := parseNumber(b)
	switch {
	case !ok1 || !ok2 || n < 1 || m < 1 || n > math.MaxUint16 || m > math.MaxUint16:
		return 0, 0, "invalid port"
	case n > m:
		return 0, 0, "invalid port range"
	}
	return uint16(n), uint16(m), ""
}

// param reads one word after the address.
func (l *Listen) param(s *scope, d *Directive, p string) error {
	switch p {
	case "default_server", "default":
		l.DefaultServer = true
	case "ssl":
		l.SSL = true
	case "proxy_protocol":
		l.ProxyProtocol = true
	case "http2":
		l.HTTP2 = true
		s.warn(d.Pos, `the "listen ... http2" directive is deprecated, use the "http2" directive instead`, "")
	case "quic":
		return d.Pos.Errorf(`the "quic" parameter of "listen" is not supported by weir: it has no HTTP/3`)
	default:
		l.OptionsSet, l.Options.Bind = true, true
		return l.option(s, d, p)
	}
	return nil
}

// option reads a word that sets an option of the socket.
func (l *Listen) option(s *scope, d *Directive, p string) error {
	o := &l.Options
	name, v, _ := strings.Cut(p, "=")
	n, isNumber := parseNumber(v)
	bytes, isSize := parseSize(v)
	switch {
	case p == "bind":
	case p == "deferred":
		o.Deferred = true
	case p == "reuseport":
		o.ReusePort = true
	case p == "multipath":
		o.Multipath = true
	case name == "backlog":
		if o.Backlog = n; !isNumber || n == 0 {
			return d.Pos.Errorf(`invalid backlog "%s"`, p)
		}
	case name == "fastopen":
		if o.FastOpen = n; !isNumber {
			return d.Pos.Errorf(`invalid fastopen "%s"`, p)
		}
	case name == "rcvbuf":
		if o.RcvBuf = bytes; !isSize || bytes == 0 {
			return d.Pos.Errorf(`invalid rcvbuf "%s"`, p)
		}
	case name == "sndbuf":
		if o.SndBuf = bytes; !isSize || bytes == 0 {
			return d.Pos.Errorf(`invalid sndbuf "%s"`, p)
		}
	case p == "ipv6only=on":
		o.IPv6Only = true
	case p == "ipv6only=off":
		o.IPv6Only = false
	case name == "so_keepalive":
		return o.keepalive(d, v)
	case name == "setfib" || name == "accept_filter":
		s.note(d, "listen ... "+name, Meaningless, "only BSD systems have it")
	default:
		return d.Pos.Errorf(`invalid parameter "%s"`, p)
	}
	return nil
}

// keepalive reads "on", "off" or "idle:interval:count", each of which may be
// left out.
func (o *ListenOptions) keepalive(d *Directive, v string) error {
	switch v {
	case "on":
		o.KeepAlive.Mode = FlagOn
		return nil
	case "off":
		o.KeepAlive.Mode = FlagOff
		return nil
	}
	parts := strings.Split(v, ":")
	if len(parts) > 3 || strings.Trim(v, ":") == "" {
		return d.Pos.Errorf(`invalid so_keepalive value: "%s"`, v)
	}
	parts = append(parts, "", "")
	ok := true
	seconds := func(s string) (t time.Duration) {
		if s != "" && ok {
			t, ok = parseTime(s, true)
		}
		return t
	}
	k := KeepAliveOption{Mode: FlagOn, Idle: seconds(parts[0]), Interval: seconds(parts[1])}
	if parts[2] != "" && ok {
		k.Count, ok = parseNumber(parts[2])
	}
	if !ok {
		return d.Pos.Errorf(`invalid so_keepalive value: "%s"`, v)
	}
	o.KeepAlive = k
	return nil
}
