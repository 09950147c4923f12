package proxy

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// Resolve finds the upstream that a request's variables name: a group of that
// name, or the addresses of a host. A status that is not 0 is the answer where
// there is none; the reason has been logged.
type Resolve func(r *request.Request, host string, port uint16) (target *Target, status int)

// aim finds the request's upstream; a status that is not 0 is the answer.
func (x *exchange) aim() int {
	h := x.h
	if h.url == nil {
		x.target, x.tls = h.target, h.conn.secure
		x.r.ProxyHost, x.r.ProxyPort = h.host, h.port
		return x.identify()
	}
	u, err := h.parseURL(h.url.Value(x.r))
	if err != nil {
		x.r.Logf(errorlog.Error, "%v", err)
		return 500
	}
	x.tls, x.dynamicURI = u.tls, u.uri
	x.r.ProxyHost, x.r.ProxyPort = u.host, []byte(strconv.Itoa(int(u.port)))
	var status int
	if x.target, status = h.resolve(x.r, string(u.name), u.port); status != 0 {
		return status
	}
	return x.identify()
}

// NameTarget sets what proxy_pass names ($proxy_host, $proxy_port) ahead of
// Fetch, for a cache whose key tells upstreams apart by it. Where the variables
// give no URL there is no name, and Fetch tells why.
func (h *Fetcher) NameTarget(r *request.Request) {
	r.ProxyHost, r.ProxyPort = h.host, h.port
	if h.url == nil {
		return
	}
	if u, err := h.parseURL(h.url.Value(r)); err == nil {
		r.ProxyHost, r.ProxyPort = u.host, []byte(strconv.Itoa(int(u.port)))
	}
}

// dynamicURL is what the variables of a proxy_pass gave.
type dynamicURL struct {
	tls  bool
	host []byte // with the port where one was written
	name []byte // without; "unix:/path" for a socket
	port uint16
	uri  []byte // nil: none was written
}

// parseURL reads the URL in the manner of proxy_pass or of grpc_pass.
func (h *Fetcher) parseURL(raw []byte) (dynamicURL, error) {
	if h.grpc {
		return parseGRPC(raw)
	}
	return parseURL(raw)
}

func parseURL(raw []byte) (u dynamicURL, err error) {
	rest, ok := bytes.CutPrefix(raw, []byte("http://"))
	u.port = 80
	if !ok {
		if rest, ok = bytes.CutPrefix(raw, []byte("https://")); !ok {
			return u, fmt.Errorf("invalid URL prefix in %q", raw)
		}
		u.tls, u.port = true, 443
	}
	return u, u.address(raw, rest)
}

// parseGRPC is parseURL for grpc_pass: the scheme may be left out, and there
// is no URI and no port by default.
func parseGRPC(raw []byte) (u dynamicURL, err error) {
	rest, ok := bytes.CutPrefix(raw, []byte("grpc://"))
	if !ok {
		rest, u.tls = bytes.CutPrefix(raw, []byte("grpcs://"))
	}
	if err := u.address(raw, rest); err != nil {
		return u, err
	}
	if u.uri != nil {
		return u, fmt.Errorf("invalid host in upstream %q", rest)
	}
	return u, nil
}

// address takes apart what follows the scheme.
func (u *dynamicURL) address(raw, rest []byte) error {
	if bytes.HasPrefix(rest, []byte("unix:")) {
		path, uri, _ := bytes.Cut(rest[len("unix:"):], []byte(":"))
		u.name, u.host = rest[:len("unix:")+len(path)], []byte("localhost")
		switch {
		case len(path) == 0:
			return fmt.Errorf("no path in the unix domain socket in upstream %q", raw)
		case len(uri) > 0 && uri[0] != '/':
			u.uri = append([]byte("/"), uri...)
		case len(uri) > 0:
			u.uri = uri
		}
		return nil
	}
	end := bytes.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	} else if u.uri = rest[end:]; u.uri[0] != '/' {
		u.uri = append([]byte("/"), u.uri...)
	}
	u.host = rest[:end]
	u.name = u.host
	if i := bytes.LastIndexByte(u.host, ':'); i >= 0 && !bytes.HasSuffix(u.host, []byte("]")) {
		n, bad := strconv.ParseUint(string(u.host[i+1:]), 10, 16)
		if bad != nil || n == 0 {
			return fmt.Errorf("invalid port in upstream %q", u.host)
		}
		u.name, u.port = u.host[:i], uint16(n)
	}
	if len(u.name) == 0 {
		return fmt.Errorf("no host in upstream %q", raw)
	}
	return nil
}

// hostPort are $proxy_host and $proxy_port of a fixed target.
func hostPort(p *config.ProxyPass) (host, port []byte) {
	if p.Port != 0 {
		port = strconv.AppendUint(nil, uint64(p.Port), 10)
	}
	return []byte(p.HostHeader), port
}

// profile makes the connect.Profile of an exchange.
type profile struct {
	secure  bool
	plain   connect.Profile
	fixed   connect.Profile // over TLS, for a name without variables
	client  *cert.Client    // nil without TLS
	name    *variable.Text  // proxy_ssl_name; nil: the host of proxy_pass
	dynamic bool            // the name is known per request only
	bind    binding
	static  string // the name if it is not

	identity *identity // nil: client has the certificate to be shown, or there is none
}

func newProfile(pass *config.ProxyPass, ps *config.ProxySettings, env *Env) (*profile, error) {
	p := &profile{secure: pass.TLS}
	p.plain = connect.Profile{Keepalive: ps.SocketKeepalive}
	if ps.SocketKeepalive {
		p.plain.Key = "keepalive"
	}
	c := compiler{table: env.Table}
	p.bind = c.binding(ps.Bind)
	if c.err != nil {
		return nil, c.err
	}
	p.bind.from(&p.plain, p.bind.fixed)
	if !pass.TLS && !pass.Vars {
		return p, nil
	}
	name := ps.TLS.Name
	if name.IsZero() {
		name = config.Text{Value: "$proxy_host", Pos: pass.Pos}
	}
	p.name = c.text(name)
	if c.err != nil {
		return nil, c.err
	}
	p.static = serverName(pass.HostHeader)
	if literal, ok := p.name.Static(); ok {
		p.static = serverName(string(literal))
	} else if pass.Vars || name.Value != "$proxy_host" {
		p.dynamic = true
	}
	var err error
	o := clientOptions(&ps.TLS, p.static)
	o.Files = env.Files
	if ps.HTTPVersion == config.HTTP20 {
		o.ALPN = []string{"h2"}
	}
	if p.identity, err = newIdentity(&ps.TLS, env); err != nil {
		return nil, err
	}
	if p.identity != nil {
		o.Pair = cert.Pair{}
	}
	if p.client, err = cert.NewClient(o); err != nil {
		return nil, pass.Pos.Errorf("%v", err)
	}
	p.fixed = p.plain
	p.fixed.TLS = p.client.Config()
	settings := ps.TLS
	settings.Pos, settings.Name = config.ProxyTLSPos{}, config.Text{}
	settings.Certificate.Pos, settings.CertificateKey.Pos = config.Pos{}, config.Pos{}
	p.fixed.Key = fmt.Sprintf("%s tls %s %+v", p.plain.Key, p.static, settings)
	return p, nil
}

// serverName is a host without port and brackets.
func serverName(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.Trim(host, "[]")
}

func clientOptions(t *config.ProxyTLS, name string) *cert.ClientOptions {
	return &cert.ClientOptions{
		Pair:         cert.Pair{Certificate: t.Certificate.Value, Key: t.CertificateKey.Value},
		PasswordFile: t.PasswordFile, Protocols: t.Protocols, Ciphers: t.Ciphers,
		Name: name, ServerName: t.ServerName, SessionReuse: t.SessionReuse,
		Verify: t.Verify, VerifyDepth: t.VerifyDepth, VerifyDepthSet: true,
		TrustedCA: t.TrustedCertificate, CRL: t.CRL,
	}
}

// of returns the profile of one exchange.
func (p *profile) of(x *exchange) *connect.Profile {
	switch {
	case !x.tls:
		return &p.plain
	case !p.dynamic && p.identity == nil:
		return &p.fixed
	}
	name := p.static
	if p.dynamic {
		name = serverName(string(p.name.Value(x.r)))
	}
	made := p.fixed
	made.Key += " " + name
	if p.identity == nil {
		made.TLS = p.client.WithName(name)
		return &made
	}
	made.TLS = p.client.As(name, x.shown.certificate)
	made.Key += " as " + x.shown.name
	return &made
}
