package config

import "strings"

// setGRPCPass reads the address that gRPC requests are passed to. Its scheme
// may be left out; a port must be written unless it names an upstream block.
func setGRPCPass(s *scope, d *Directive) error {
	p := &ProxyPass{Pos: d.Pos, URL: d.text(0), GRPC: true}
	s.location.Proxy, s.location.StubStatus, s.location.Pending = p, false, ""
	if hasVars(p.URL.Value) {
		p.Vars = true
		return nil
	}
	rest := p.URL.Value
	if after, ok := cutPrefixFold(rest, "grpc://"); ok {
		rest = after
	} else if after, ok := cutPrefixFold(rest, "grpcs://"); ok {
		rest, p.TLS = after, true
	}
	hp, bad := parseHostPort(rest, 0, false)
	if bad != "" {
		return d.Pos.Errorf(`%s in upstream "%s"`, bad, rest)
	}
	p.Host, p.Port, p.PortSet, p.Unix = hp.host, hp.port, hp.portSet, hp.unix
	switch {
	case p.Unix != "":
		p.HostHeader = "localhost"
	case p.PortSet:
		p.HostHeader = hp.String()
	default:
		p.HostHeader = hp.host
	}
	return nil
}

// cutPrefixFold is strings.CutPrefix without regard to case.
func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
