package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// clientSessions is how many upstream sessions are kept for resumption by one configuration.
const clientSessions = 256

// ClientOptions are the proxy_ssl_* settings. The zero value of each field but SessionReuse is nginx's default: nothing is verified
// and no server name is sent.
type ClientOptions struct {
	Pair         Pair     // proxy_ssl_certificate and proxy_ssl_certificate_key; no certificate is sent if empty
	PasswordFile string   // proxy_ssl_password_file
	Files        *Files   // shared while a generation is built; nil reads everything anew
	Protocols    []string // proxy_ssl_protocols
	Ciphers      string   // proxy_ssl_ciphers; empty is DEFAULT
	ALPN         []string // protocols offered; none disables ALPN

	Name         string // proxy_ssl_name, rendered: verified, and sent if ServerName
	ServerName   bool   // proxy_ssl_server_name
	SessionReuse bool   // proxy_ssl_session_reuse, which is on by default

	Verify         bool   // proxy_ssl_verify
	VerifyDepth    int    // proxy_ssl_verify_depth; see VerifyDepthSet
	VerifyDepthSet bool   // VerifyDepth was given; otherwise it is 1
	TrustedCA      string // proxy_ssl_trusted_certificate
	CRL            string // proxy_ssl_crl
}

// Client is the TLS side of connections to upstream servers, immutable and safe for use by many goroutines.
type Client struct {
	config *tls.Config
	verify *verifier // nil: nothing is verified
	sni    bool
}

// NewClient reads the files the options name and checks all settings.
func NewClient(o *ClientOptions) (*Client, error) {
	p, err := parseParameters(o.Protocols, o.Ciphers, "DEFAULT", "")
	if err != nil {
		return nil, err
	}
	c := &Client{config: p.config(), sni: o.ServerName}
	c.config.NextProtos = o.ALPN
	c.config.InsecureSkipVerify = true // done in VerifyConnection, by nginx's rules and in OpenSSL's words
	if o.Pair.Certificate != "" {
		if err := c.setCertificate(o); err != nil {
			return nil, err
		}
	}
	if o.SessionReuse {
		c.config.ClientSessionCache = tls.NewLRUClientSessionCache(clientSessions)
	}
	if o.Verify {
		if err := c.setVerify(o); err != nil {
			return nil, err
		}
	}
	c.setName(c.config, o.Name)
	return c, nil
}

// Config returns the configuration for the name of the options. All connections share it; it must not be altered.
func (c *Client) Config() *tls.Config { return c.config }

// WithName returns a configuration for another name, for proxy_ssl_name with variables. It shares certificates and sessions with
// Config, and is to be kept as long as the name is in use since making it costs a copy.
func (c *Client) WithName(name string) *tls.Config {
	config := c.config.Clone()
	c.setName(config, name)
	return config
}

// As is WithName for a client certificate that is known per connection only, nil for none. Sessions are not resumed, for they
// would stand for the certificate of another connection.
func (c *Client) As(name string, certificate *tls.Certificate) *tls.Config {
	config := c.WithName(name)
	config.ClientSessionCache = nil
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return config
}

func (c *Client) setName(config *tls.Config, name string) {
	host := name
	if h, _, err := net.SplitHostPort(name); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	// Without a name crypto/tls would file resumable sessions under the remote address, which is right for unnamed servers.
	config.ServerName = ""
	if _, err := netip.ParseAddr(host); c.sni && err != nil {
		config.ServerName = host // RFC 6066, section 3: literal addresses are not sent
	}
	if c.verify != nil {
		config.VerifyConnection = func(state tls.ConnectionState) error { return c.check(&state, host) }
	}
}

func (c *Client) setCertificate(o *ClientOptions) error {
	files := o.Files
	if files == nil {
		files = &Files{}
	}
	certificate, err := files.Load(o.Pair, o.PasswordFile)
	if err != nil {
		return err
	}
	// As a function, so that it is sent even if the server's list of authorities does not name its issuer, as OpenSSL does.
	c.config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	return nil
}

func (c *Client) setVerify(o *ClientOptions) error {
	if o.TrustedCA == "" {
		return errors.New(`no proxy_ssl_trusted_certificate for proxy_ssl_verify`)
	}
	roots := x509.NewCertPool()
	if err := addAuthorities(roots, o.TrustedCA); err != nil {
		return err
	}
	depth := defaultMaxDepth
	if o.VerifyDepthSet {
		depth = o.VerifyDepth
	}
	var err error
	c.verify, err = newVerifier(roots, o.CRL, depth, x509.ExtKeyUsageServerAuth)
	return err
}

// check verifies the upstream's certificate; it runs at resumed handshakes too.
func (c *Client) check(state *tls.ConnectionState, name string) error {
	if code := c.verify.check(state.PeerCertificates, time.Now()); code != 0 {
		return fmt.Errorf("upstream SSL certificate verify error: (%d:%s)", code, reasonText(code))
	}
	if !matchesName(state.PeerCertificates[0], name) {
		return fmt.Errorf("upstream SSL certificate does not match %q", name)
	}
	return nil
}

// matchesName checks a host name against the alternative names of a certificate, and against its common name if it has none of kind
// DNS, which crypto/x509 no longer does and OpenSSL still does.
func matchesName(c *x509.Certificate, name string) bool {
	if c.VerifyHostname(name) == nil {
		return true
	}
	if len(c.DNSNames) > 0 {
		return false
	}
	common := &x509.Certificate{DNSNames: []string{c.Subject.CommonName}}
	return c.Subject.CommonName != "" && common.VerifyHostname(name) == nil
}
