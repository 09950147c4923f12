package cert

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"slices"
	"time"
)

// defaultSessionTimeout is nginx's ssl_session_timeout.
const defaultSessionTimeout = 5 * time.Minute

// ServerOptions are the ssl_* settings of a virtual server. The zero value of each field is nginx's default.
type ServerOptions struct {
	Pairs        []Pair // ssl_certificate with ssl_certificate_key, in order
	PasswordFile string // ssl_password_file
	Files        *Files // shared while a generation is built; nil reads everything anew

	// Deferred says that certificates are chosen at each handshake, as for names with variables: Pairs are not read, and every
	// connection needs WithCertificate.
	Deferred bool

	Protocols []string // ssl_protocols
	Ciphers   string   // ssl_ciphers; empty is HIGH:!aNULL:!MD5
	Curves    string   // ssl_ecdh_curve
	ALPN      []string // protocols offered, most wanted first; none disables ALPN

	TicketKeys     *TicketKeys   // nil, or NoTickets: sessions are not resumed
	NoTickets      bool          // ssl_session_tickets off
	SessionTimeout time.Duration // ssl_session_timeout; 0 is five minutes

	ClientVerify    VerifyMode // ssl_verify_client
	ClientCA        string     // ssl_client_certificate: trusted, and named to clients
	TrustedCA       string     // ssl_trusted_certificate: trusted only
	CRL             string     // ssl_crl
	VerifyDepth     int        // ssl_verify_depth; see VerifyDepthSet
	VerifyDepthSet  bool       // VerifyDepth was given; otherwise it is 1
	RejectHandshake bool       // ssl_reject_handshake on
}

// Server is the TLS side of one virtual server, immutable and safe for use by many goroutines.
type Server struct {
	config   *tls.Config
	mode     VerifyMode
	verifier *verifier
	ignored  []string
}

// NewServer reads the files the options name and checks everything that can be checked before a connection comes.
func NewServer(o *ServerOptions) (*Server, error) {
	s := &Server{mode: o.ClientVerify}
	if o.RejectHandshake {
		s.config = &tls.Config{} // without a certificate crypto/tls answers with the alert unrecognized_name
		return s, nil
	}
	suite, err := parseParameters(o.Protocols, o.Ciphers, "HIGH:!aNULL:!MD5", o.Curves)
	if err != nil {
		return nil, err
	}
	s.config, s.ignored = suite.config(), suite.ciphers.Ignored
	s.config.NextProtos = o.ALPN
	if err := s.setCertificates(o); err != nil {
		return nil, err
	}
	if err := s.setClientVerify(o); err != nil {
		return nil, err
	}
	s.config.SessionTicketsDisabled = o.NoTickets || o.TicketKeys == nil
	if !s.config.SessionTicketsDisabled {
		timeout := o.SessionTimeout
		if timeout == 0 {
			timeout = defaultSessionTimeout
		}
		o.TicketKeys.install(s.config, timeout)
	}
	return s, nil
}

// Config returns the configuration that all connections of the server share. It must not be altered or cloned per connection.
func (s *Server) Config() *tls.Config { return s.config }

// IgnoredCiphers returns the words of the cipher list that name nothing known, for a notice to the operator.
func (s *Server) IgnoredCiphers() []string { return s.ignored }

// WithCertificate returns s with another source of certificates, for one handshake.
func (s *Server) WithCertificate(find func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *Server {
	t := *s
	t.config = s.config.Clone()
	t.config.GetCertificate = find
	return &t
}

// WithALPN returns s offering other protocols, most wanted first.
func (s *Server) WithALPN(protocols ...string) *Server {
	t := *s
	t.config = s.config.Clone()
	t.config.NextProtos = protocols
	return &t
}

// Front returns the configuration for a listening address: each handshake goes on with the server that choose returns for the
// client's hello. A nil server refuses the handshake with unrecognized_name. The first function called
// may read a generation pointer, so one Front serves over reloads.
func Front(choose func(hello *tls.ClientHelloInfo) *Server) *tls.Config {
	refuse := &tls.Config{}
	return &tls.Config{
		MinVersion:             tls.VersionTLS10, // the chosen server decides
		SessionTicketsDisabled: true,             // likewise; saves keys nobody uses
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if s := choose(hello); s != nil {
				return s.config, nil
			}
			return refuse, nil
		},
	}
}

func (s *Server) setCertificates(o *ServerOptions) error {
	if o.Deferred {
		return nil // without WithCertificate crypto/tls finds none and refuses the handshake
	}
	if len(o.Pairs) == 0 {
		return errors.New(`no "ssl_certificate" is defined`)
	}
	files := o.Files
	if files == nil {
		files = &Files{}
	}
	for _, pair := range o.Pairs {
		c, err := files.Load(pair, o.PasswordFile)
		if err != nil {
			return err
		}
		s.config.Certificates = append(s.config.Certificates, *c)
	}
	if len(s.config.Certificates) > 1 {
		// Beside a list the function would not be asked for clients that name no server.
		s.config.GetCertificate, s.config.Certificates = chooser(s.config.Certificates), nil
	}
	return nil
}

// chooser returns the function that chooses among several certificates of one server by what the client can verify. Elliptic
// curves come first: their signatures cost a small part of RSA's.
func chooser(certificates []tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	order := make([]*tls.Certificate, len(certificates))
	for i := range certificates {
		order[i] = &certificates[i]
	}
	sortBySigning(order)
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return choose(order, hello), nil }
}

func sortBySigning(list []*tls.Certificate) {
	slices.SortStableFunc(list, func(a, b *tls.Certificate) int { return signingCost(a) - signingCost(b) })
}

// choose returns the first certificate that the client can verify, else the last.
func choose(order []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	anyName := *hello
	anyName.ServerName = "" // the virtual server is chosen already, whatever names its certificates hold
	for _, c := range order {
		if anyName.SupportsCertificate(c) == nil {
			return c
		}
	}
	return order[len(order)-1]
}

func signingCost(c *tls.Certificate) int {
	switch c.Leaf.PublicKey.(type) {
	case ed25519.PublicKey, *ecdsa.PublicKey:
		return 0
	}
	return 1
}

// parameters are the settings that servers and clients have alike.
type parameters struct {
	protocols Protocols
	ciphers   CipherList
	curves    []tls.CurveID
}

func parseParameters(protocols []string, ciphers, defaultCiphers, curves string) (p parameters, err error) {
	if p.protocols, err = ParseProtocols(protocols); err != nil {
		return p, err
	}
	if ciphers == "" {
		ciphers = defaultCiphers
	}
	if p.ciphers, err = ParseCiphers(ciphers); err != nil {
		return p, err
	}
	p.curves, err = ParseCurves(curves)
	return p, err
}

func (p *parameters) config() *tls.Config {
	return &tls.Config{
		MinVersion:       p.protocols.Min,
		MaxVersion:       p.protocols.Max,
		CipherSuites:     p.ciphers.IDs,
		CurvePreferences: p.curves,
	}
}
