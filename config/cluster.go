package config

import (
	"net/netip"
	"slices"
	"strings"
)

// setData reads where a node keeps what must outlive it. In main and in the
// cluster block it is the same thing.
func setData(s *scope, d *Directive) error {
	switch {
	case d.Args[0] == "":
		return fail(d, "invalid value")
	case s.main.Data != "":
		return fail(d, "is duplicate")
	}
	s.main.Data = s.prefixPath(d.Args[0])
	return nil
}

// setCluster walks the cluster block.
func setCluster(s *scope, d *Directive) error {
	c := s.child(d, InCluster)
	c.cluster = &Cluster{Pos: d.Pos, Node: s.opts.Hostname}
	s.cfg.Cluster = c.cluster
	s.after = append(s.after, func() error { return c.checkCluster() })
	return c.walk(d.Block)
}

// checkCluster applies what a cluster block cannot do without.
func (s *scope) checkCluster() error {
	c := s.cluster
	for _, needed := range []struct {
		name  string
		given bool
	}{{"name", c.Name != ""}, {"listen", c.Listen.IsValid()}, {"secret", c.Secret != ""}, {"data", s.main.Data != ""}} {
		if !needed.given {
			return c.Pos.Errorf(`no "%s" is defined in the "cluster" block`, needed.name)
		}
	}
	if !isNodeName(c.Node) {
		return c.Pos.Errorf(`the host name "%s" cannot be the name of a node, define "node" in the "cluster" block`, c.Node)
	}
	s.checkAllow()
	if !s.seen["expect"] && len(c.Join) == 0 {
		c.Expect = 1
	}
	return nil
}

// checkAllow warns when other nodes that have the same list would not listen to
// this one: a typing error, unless each node lists only the others.
func (s *scope) checkAllow() {
	own := s.cluster.Listen.Addr()
	if len(s.cluster.Allow) > 0 && !slices.ContainsFunc(s.cluster.Allow, func(p netip.Prefix) bool { return p.Contains(own) }) {
		s.warn(s.cluster.Pos, `"allow" in the "cluster" block does not name `+own.String()+`, the address of this node`,
			"another node with the same list would refuse this one")
	}
}

// nodeName sets a name that goes to other nodes.
func nodeName(at func(*Cluster) *string) setter {
	return func(s *scope, d *Directive) error {
		if !isNodeName(d.Args[0]) {
			return fail(d, "invalid value")
		}
		*at(s.cluster) = d.Args[0]
		return nil
	}
}

// maxNodeName is the longest name of a node or a cluster, in bytes.
const maxNodeName = 63

// isNodeName tells whether s can name a node or a cluster: host names can, and
// nothing that needs quoting anywhere.
func isNodeName(s string) bool {
	return len(s) <= maxNodeName && !strings.Contains("."+s+".", "..") && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._-", c)
	})
}

func setClusterListen(s *scope, d *Directive) error {
	hp, bad := parseHostPort(d.Args[0], DefaultClusterPort, false)
	if bad != "" {
		return d.Pos.Errorf(`%s in "%s" of the "listen" directive`, bad, d.Args[0])
	}
	addr, err := netip.ParseAddr(strings.Trim(hp.host, "[]"))
	switch {
	case err != nil || addr.IsUnspecified() || hp.unix != "":
		return d.Pos.Errorf(`"listen" in the "cluster" block needs the IP address at which the other nodes reach this one, not "%s"`, d.Args[0])
	case hp.port == 65535:
		return d.Pos.Errorf(`invalid port in "%s" of the "listen" directive: the next one is needed, too`, d.Args[0])
	}
	s.cluster.Listen = netip.AddrPortFrom(addr, hp.port)
	return nil
}

func setJoin(s *scope, d *Directive) error {
	for _, a := range d.Args {
		j, bad := parseJoin(a)
		if bad != "" {
			return d.Pos.Errorf(`%s in "%s" of the "join" directive`, bad, a)
		}
		s.cluster.Join = append(s.cluster.Join, j)
	}
	s.after = append(s.after, func() error { return s.checkJoin(d) })
	return nil
}

// checkJoin refuses an address that can never be joined, because what its node
// answers is not allowed.
func (s *scope) checkJoin(d *Directive) error {
	for _, a := range d.Args {
		j, _ := parseJoin(a)
		if addr, err := netip.ParseAddr(j.Host); err == nil && !s.cluster.Allows(addr) {
			return d.Pos.Errorf(`"%s" of the "join" directive is not among the addresses of the "allow" directive`, a)
		}
	}
	return nil
}

// setClusterAllow reads addresses and networks, spelled as those of allow in a
// server. A unix socket is none of them: no node comes through one.
func setClusterAllow(s *scope, d *Directive) error {
	for _, a := range d.Args {
		if a == "all" {
			s.cluster.Allow = append(s.cluster.Allow, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
			continue
		}
		p, ok := s.cidr(d, a)
		if !ok {
			return d.Pos.Errorf(`invalid parameter "%s"`, a)
		}
		s.cluster.Allow = append(s.cluster.Allow, p)
	}
	return nil
}

// parseJoin reads "address", "address:port", "name", "name:port", or the name
// of SRV records, which begins with an underscore.
func parseJoin(a string) (JoinAddress, string) {
	hp, bad := parseHostPort(a, DefaultClusterPort, false)
	service := strings.HasPrefix(hp.host, "_")
	switch {
	case bad != "":
		return JoinAddress{}, bad
	case hp.unix != "":
		return JoinAddress{}, "invalid host"
	case service && hp.portSet:
		return JoinAddress{}, "unexpected port"
	case service:
		return JoinAddress{Host: hp.host, Service: true}, ""
	}
	host := strings.Trim(hp.host, "[]")
	if _, err := netip.ParseAddr(host); err != nil && (hp.host != host || strings.ContainsAny(host, " :@")) {
		return JoinAddress{}, "invalid host"
	}
	return JoinAddress{Host: host, Port: hp.port}, ""
}

func setExpect(s *scope, d *Directive) error {
	n, ok := parseNumber(d.Args[0])
	if !ok || n == 0 {
		return fail(d, "invalid value")
	}
	s.cluster.Expect = n
	return nil
}

func setSecret(s *scope, d *Directive) error {
	if d.Args[0] == "" {
		return fail(d, "invalid value")
	}
	s.cluster.Secret = s.confPath(d.Args[0])
	return nil
}
