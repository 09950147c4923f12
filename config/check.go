package config

import (
	"slices"
	"strings"
)

// address is what all servers say together of one listening address.
type address struct {
	listen  *Listen // the first one
	options *Listen // the one with socket options, if any
	def     *Server // the server written as default_server, if any
	servers []*Server
	ssl     bool
}

// defaultServer gives the server that takes requests for unknown names.
func (a *address) defaultServer() *Server {
	if a.def != nil {
		return a.def
	}
	return a.servers[0]
}

// check applies the rules that only the whole http block can show.
func (b *builder) check() error {
	list, err := b.addresses()
	if err != nil {
		return err
	}
	for _, a := range list {
		if err := b.checkNames(a); err != nil {
			return err
		}
		if a.ssl {
			if err := a.checkCertificates(); err != nil {
				return err
			}
		}
	}
	for _, srv := range b.cfg.HTTP.Servers {
		if err := checkTLS(srv); err != nil {
			return err
		}
	}
	if err := b.checkResolve(); err != nil {
		return err
	}
	if err := b.checkHealth(); err != nil {
		return err
	}
	if err := b.checkCaches(); err != nil {
		return err
	}
	return b.checkProxies()
}

// addresses collects the listen directives of all servers by address.
func (b *builder) addresses() ([]*address, error) {
	var list []*address
	byKey := map[string]*address{}
	for _, srv := range b.cfg.HTTP.Servers {
		for i := range srv.Listens {
			l := &srv.Listens[i]
			a := byKey[l.Key()]
			if a == nil {
				a = &address{listen: l}
				byKey[l.Key()] = a
				list = append(list, a)
			}
			if err := a.add(srv, l); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

func (a *address) add(srv *Server, l *Listen) error {
	a.servers = append(a.servers, srv)
	a.ssl = a.ssl || l.SSL
	if l.OptionsSet {
		if a.options != nil {
			return l.Pos.Errorf("duplicate listen options for %s", l.Key())
		}
		a.options = l
	}
	if l.DefaultServer {
		if a.def != nil {
			return l.Pos.Errorf("a duplicate default server for %s", l.Key())
		}
		a.def = srv
	}
	return nil
}

// checkNames refuses malformed names, which do no harm where there is only one
// server, and warns of names that two servers share: the first one has them.
func (b *builder) checkNames(a *address) error {
	seen := map[string]bool{}
	for _, srv := range a.servers {
		for _, n := range srv.Names {
			if len(a.servers) > 1 && !n.valid() {
				return n.Pos.Errorf(`invalid server name or wildcard "%s" on %s`, n.Name, a.listen.Key())
			}
			if n.Kind == NameRegex {
				continue
			}
			key := string(rune('0'+n.Kind)) + n.Name
			if seen[key] {
				b.cfg.Warnings = append(b.cfg.Warnings, Warning{
					Pos: n.place(srv),
					Msg: `conflicting server name "` + n.Name + `" on ` + a.listen.Key() + ", ignored",
				})
			}
			seen[key] = true
		}
	}
	return nil
}

// place gives where a name was written, or the server for the default name.
func (n *ServerName) place(srv *Server) Pos {
	if n.Pos.IsZero() {
		return srv.Pos
	}
	return n.Pos
}

// checkCertificates applies nginx's rule: the default server of a TLS address
// has a certificate or rejects handshakes, and in the latter case the others
// have one.
func (a *address) checkCertificates() error {
	if len(a.defaultServer().TLS.Certificates) > 0 {
		return nil
	}
	without := func(srv *Server) bool { return len(srv.TLS.Certificates) == 0 && !srv.TLS.RejectHandshake }
	if i := slices.IndexFunc(append([]*Server{a.defaultServer()}, a.servers...), without); i >= 0 {
		srv := append([]*Server{a.defaultServer()}, a.servers...)[i]
		return srv.Pos.Errorf(`no "ssl_certificate" is defined for the "listen ... ssl" directive`)
	}
	return nil
}

// checkTLS applies the rules between the ssl_* directives of a server.
func checkTLS(srv *Server) error {
	t := &srv.TLS
	if n := len(t.CertificateKeys); n < len(t.Certificates) {
		c := t.Certificates[len(t.Certificates)-1]
		return c.Pos.Errorf(`no "ssl_certificate_key" is defined for certificate "%s"`, c.Value)
	}
	if len(t.Certificates) == 0 {
		return nil
	}
	needsCA := t.VerifyClient == VerifyOn || t.VerifyClient == VerifyOptional
	if needsCA && t.ClientCertificate == "" && t.TrustedCertificate == "" {
		return t.Pos.VerifyClient.Errorf("no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client")
	}
	if t.Ciphers == "" {
		return t.Pos.Ciphers.Errorf(`"ssl_ciphers" must not be empty`)
	}
	return nil
}

// checkResolve applies what "resolve" asks of the upstream around it, which
// inherits what it does not say itself. Servers that are added to an upstream in
// a zone may need a resolver, too.
func (b *builder) checkResolve() error {
	for _, u := range b.cfg.HTTP.Upstreams {
		if u.Resolver == nil && u.Zone != "" {
			u.Resolver = b.cfg.HTTP.Resolver
		}
		if u.ResolverTimeout == 0 && u.Resolver != nil {
			u.ResolverTimeout = b.cfg.HTTP.ResolverTimeout
		}
		for _, s := range u.Servers {
			switch {
			case !s.Resolve:
			case u.Zone == "":
				return s.Pos.Errorf(`resolving names at run time requires upstream "%s" to be in shared memory`, u.Name)
			case u.Resolver == nil:
				return s.Pos.Errorf(`no resolver defined to resolve names at run time in upstream "%s"`, u.Name)
			}
		}
	}
	return nil
}

// bodies gives the locations inside l, with the bodies of if and limit_except.
func (l *Location) bodies() []*Location {
	list := slices.Clone(l.Locations)
	for _, in := range l.Rewrite {
		if op, ok := in.(*If); ok {
			list = append(list, op.Body)
		}
	}
	if l.LimitExcept != nil {
		list = append(list, l.LimitExcept.Body)
	}
	return list
}

// locations gives every location of the configuration, with the bodies of if
// and limit_except, outer ones first.
func (b *builder) locations() []*Location {
	var list []*Location
	var walk func([]*Location)
	walk = func(inner []*Location) {
		for _, l := range inner {
			list = append(list, l)
			walk(l.bodies())
		}
	}
	for _, srv := range b.cfg.HTTP.Servers {
		walk(srv.Locations)
	}
	return list
}

// proxies gives every proxy_pass and grpc_pass of the configuration, once each.
func (b *builder) proxies() []*ProxyPass {
	var list []*ProxyPass
	seen := map[*ProxyPass]bool{nil: true}
	for _, l := range b.locations() {
		if !seen[l.Proxy] {
			seen[l.Proxy] = true
			list = append(list, l.Proxy)
		}
	}
	return list
}

// Exchanges gives the settings that hold for exchanges with the location's
// upstream.
func (l *Location) Exchanges() *ProxySettings {
	if l.Proxy != nil && l.Proxy.GRPC {
		return &l.GRPCSettings
	}
	return &l.ProxySettings
}

// checkProxies refuses a port after the name of an upstream block, a missing
// one elsewhere, and TLS settings that are not complete.
func (b *builder) checkProxies() error {
	for _, l := range b.locations() {
		p := l.Proxy
		if p == nil {
			continue
		}
		group := b.findUpstream(p.Host) != nil
		switch {
		case p.PortSet && group:
			return p.Pos.Errorf(`upstream "%s" may not have port %d`, p.Host, p.Port)
		case p.Port == 0 && !group && !p.Vars && p.Unix == "":
			return p.Pos.Errorf(`no port in upstream "%s"`, p.Host)
		}
		if p.TLS || p.Vars {
			if err := checkProxyTLS(&l.Exchanges().TLS, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkProxyTLS(t *ProxyTLS, p *ProxyPass) error {
	family := "proxy"
	if p.GRPC {
		family = "grpc"
	}
	if c := t.Certificate; c.Value != "" && t.CertificateKey.Value == "" {
		return c.Pos.Errorf(`no "%s_ssl_certificate_key" is defined for certificate "%s"`, family, c.Value)
	}
	if t.Verify && t.TrustedCertificate == "" {
		return t.Pos.Verify.Errorf("no %s_ssl_trusted_certificate for %[1]s_ssl_verify", family)
	}
	return nil
}

func (b *builder) findUpstream(name string) *Upstream {
	for _, u := range b.cfg.HTTP.Upstreams {
		if strings.EqualFold(u.Name, name) {
			return u
		}
	}
	return nil
}
