package cert

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func newServer(t *testing.T, o ServerOptions) *Server {
	t.Helper()
	s, err := NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// anyServer is a client's configuration that takes every certificate.
func anyServer(name string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: name}
}

func TestChoiceByName(t *testing.T) {
	t.Parallel()
	rsa := newServer(t, ServerOptions{Pairs: []Pair{testPair("rsa.crt", "rsa-pkcs1.key")}, Protocols: []string{"TLSv1.2"}})
	ec := newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, ALPN: []string{"h2", "http/1.1"}})
	reject := newServer(t, ServerOptions{RejectHandshake: true})
	front := Front(func(hello *tls.ClientHelloInfo) *Server {
		switch hello.ServerName {
		case "rsa.example":
			return rsa
		case "reject.example":
			return reject
		case "gone.example":
			return nil
		}
		return ec
	})
	tests := []struct {
		name, common string
		version      uint16
		failure      string
	}{
		{"rsa.example", "rsa.example", tls.VersionTLS12, ""},
		{"ec.example", "ec.example", tls.VersionTLS13, ""},
		{"", "ec.example", tls.VersionTLS13, ""},
		{"reject.example", "", 0, "unrecognized name"},
		{"gone.example", "", 0, "unrecognized name"},
	}
	for _, tt := range tests {
		client := anyServer(tt.name)
		client.NextProtos = []string{"http/1.1"}
		_, state, _, err := handshake(t, front, client)
		wantError(t, tt.name, err, tt.failure)
		if err != nil {
			continue
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != tt.common || state.Version != tt.version {
			t.Errorf("%s: certificate of %s in %x", tt.name, got, state.Version)
		}
		if want := map[bool]string{true: "", false: "http/1.1"}[tt.common == "rsa.example"]; state.NegotiatedProtocol != want {
			t.Errorf("%s: ALPN %q, want %q", tt.name, state.NegotiatedProtocol, want)
		}
	}
}

func TestSeveralCertificates(t *testing.T) {
	t.Parallel()
	both := newServer(t, ServerOptions{
		Pairs:     []Pair{testPair("rsa.crt", "rsa-pkcs1.key"), testPair("ec.crt", "ec-sec1.key")},
		Protocols: []string{"TLSv1.2"},
	})
	tests := []struct {
		name   string
		suites []uint16
		want   string
	}{
		{"a modern client", nil, "ec.example"},
		{"a client that names another server", nil, "ec.example"},
		{"a client without ECDSA", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, "rsa.example"},
		{"a client with ECDSA only", []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, "ec.example"},
	}
	for _, tt := range tests {
		client := anyServer("elsewhere.example")
		client.CipherSuites = tt.suites
		_, state, _, err := handshake(t, both.Config(), client)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := state.PeerCertificates[0].Subject.CommonName; got != tt.want {
			t.Errorf("%s gets %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestParametersInForce(t *testing.T) {
	t.Parallel()
	s := newServer(t, ServerOptions{
		Pairs: []Pair{testPair("rsa.crt", "rsa-pkcs1.key")}, Protocols: []string{"TLSv1.2"},
		Ciphers: "AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:nonsense", Curves: "secp384r1",
	})
	if got := s.IgnoredCiphers(); len(got) != 1 || got[0] != "nonsense" {
		t.Errorf("ignored %q", got)
	}
	state, _, err, _ := handshake(t, s.Config(), anyServer(""))
	if err != nil || CipherName(state.CipherSuite) != "ECDHE-RSA-AES256-GCM-SHA384" || state.CurveID != tls.CurveP384 {
		t.Errorf("%s %v, %v", CipherName(state.CipherSuite), state.CurveID, err)
	}
	old := anyServer("")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, _, _, err = handshake(t, s.Config(), old)
	wantError(t, "old protocol", err, "protocol version")
	other := anyServer("")
	other.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	_, _, _, err = handshake(t, s.Config(), other)
	wantError(t, "other cipher", err, "handshake failure")
}

func TestNewServerRefuses(t *testing.T) {
	t.Parallel()
	pair := []Pair{testPair("ec.crt", "ec-sec1.key")}
	tests := []struct {
		name    string
		options ServerOptions
		failure string
	}{
		{"no certificate", ServerOptions{}, `no "ssl_certificate" is defined`},
		{"no password file", ServerOptions{Pairs: pair, PasswordFile: "testdata/none"}, `open() "testdata/none" failed`},
		{"protocol", ServerOptions{Pairs: pair, Protocols: []string{"TLSv9"}}, `invalid value "TLSv9"`},
		{"ciphers", ServerOptions{Pairs: pair, Ciphers: "LOW"}, "no cipher match"},
		{"curves", ServerOptions{Pairs: pair, Curves: "foo"}, "group 'foo' cannot be set"},
		{"no CA", ServerOptions{Pairs: pair, ClientCA: "testdata/none"},
			`SSL_CTX_load_verify_locations("testdata/none") failed (SSL: error:system library::No such file or directory)`},
		{"bad CA", ServerOptions{Pairs: pair, TrustedCA: "testdata/garbage"},
			`SSL_CTX_load_verify_locations("testdata/garbage") failed (SSL: error:x509 certificate routines::no certificate or crl found)`},
		{"no CRL", ServerOptions{Pairs: pair, CRL: "testdata/none"}, `X509_LOOKUP_load_file("testdata/none") failed`},
		{"bad CRL", ServerOptions{Pairs: pair, CRL: "testdata/garbage"}, "no certificate or crl found"},
	}
	for _, tt := range tests {
		_, err := NewServer(&tt.options)
		wantError(t, tt.name, err, tt.failure)
	}
}

func TestAuthoritiesAreAdvertised(t *testing.T) {
	t.Parallel()
	named, silent := newAuthority(t, "named"), newAuthority(t, "silent")
	s := newServer(t, ServerOptions{
		Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, ClientVerify: VerifyOptional,
		ClientCA: file(t, named.cert), TrustedCA: file(t, silent.cert),
	})
	client := anyServer("")
	var asked [][]byte
	client.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = r.AcceptableCAs
		return &tls.Certificate{}, nil
	}
	if _, _, _, err := handshake(t, s.Config(), client); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || string(asked[0]) != string(named.cert.RawSubject) {
		t.Errorf("%d authorities are advertised, want the one of ssl_client_certificate", len(asked))
	}
	c, key := silent.issue(leafOptions{name: "client"})
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &tlsCertificate(key, []*x509.Certificate{c}...)[0], nil
	}
	state, _, err, _ := handshake(t, s.Config(), client)
	if err != nil || s.Verify(&state).String() != "SUCCESS" {
		t.Errorf("a certificate of the unadvertised authority: %v, %v", s.Verify(&state), err)
	}
}
