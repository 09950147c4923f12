package cert

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

func newClient(t *testing.T, o ClientOptions) *Client {
	t.Helper()
	c, err := NewClient(&o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientVerify(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root")
	good, goodKey := root.issue(leafOptions{name: "cn.example", dnsNames: []string{"up.example", "*.wild.example"}})
	expired, expiredKey := root.issue(leafOptions{name: "up.example", dnsNames: []string{"up.example"}, end: time.Now().Add(-time.Minute)})
	nameless, namelessKey := root.issue(leafOptions{name: "cn.example"})
	self, selfKey := (&authority{t: t}).issue(leafOptions{name: "up.example", dnsNames: []string{"up.example"}})
	server := func(c []tls.Certificate) *tls.Config { return &tls.Config{Certificates: c} }
	valid := server(tlsCertificate(goodKey, good))
	ca := file(t, root.cert)
	revoked := writeFile(t, root.revoke(time.Now().Add(time.Hour), good))
	tests := []struct {
		name    string
		server  *tls.Config
		options ClientOptions
		failure string
	}{
		{"nothing verified", server(tlsCertificate(selfKey, self)), ClientOptions{Name: "other"}, ""},
		{"good", valid, ClientOptions{Verify: true, TrustedCA: ca, Name: "up.example"}, ""},
		{"good, with a port", valid, ClientOptions{Verify: true, TrustedCA: ca, Name: "up.example:8443"}, ""},
		{"wildcard", valid, ClientOptions{Verify: true, TrustedCA: ca, Name: "a.wild.example"}, ""},
		{"common name beside alternatives", valid, ClientOptions{Verify: true, TrustedCA: ca, Name: "cn.example"},
			`upstream SSL certificate does not match "cn.example"`},
		{"common name alone", server(tlsCertificate(namelessKey, nameless)), ClientOptions{Verify: true, TrustedCA: ca, Name: "cn.example"}, ""},
		{"group name", valid, ClientOptions{Verify: true, TrustedCA: ca, Name: "backend"}, `upstream SSL certificate does not match "backend"`},
		{"expired", server(tlsCertificate(expiredKey, expired)), ClientOptions{Verify: true, TrustedCA: ca, Name: "up.example"},
			"upstream SSL certificate verify error: (10:certificate has expired)"},
		{"self-signed", server(tlsCertificate(selfKey, self)), ClientOptions{Verify: true, TrustedCA: ca, Name: "up.example"},
			"upstream SSL certificate verify error: (18:self-signed certificate)"},
		{"revoked", valid, ClientOptions{Verify: true, TrustedCA: ca, CRL: revoked, Name: "up.example"},
			"upstream SSL certificate verify error: (23:certificate revoked)"},
	}
	for _, tt := range tests {
		_, _, _, err := handshake(t, tt.server, newClient(t, tt.options).Config())
		wantError(t, tt.name, err, tt.failure)
	}
}

func TestClientServerName(t *testing.T) {
	t.Parallel()
	server := newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}})
	tests := []struct {
		options ClientOptions
		want    string
	}{
		{ClientOptions{Name: "up.example"}, ""},
		{ClientOptions{Name: "up.example", ServerName: true}, "up.example"},
		{ClientOptions{Name: "up.example:8443", ServerName: true}, "up.example"},
		{ClientOptions{Name: "192.0.2.1", ServerName: true}, ""},
		{ClientOptions{Name: "[2001:db8::1]:443", ServerName: true}, ""},
	}
	for _, tt := range tests {
		c := newClient(t, tt.options)
		state, _, err, _ := handshake(t, server.Config(), c.Config())
		if err != nil || state.ServerName != tt.want {
			t.Errorf("%+v: server name %q, %v", tt.options, state.ServerName, err)
		}
	}
	c := newClient(t, ClientOptions{Name: "up.example", ServerName: true})
	if state, _, err, _ := handshake(t, server.Config(), c.WithName("b.example")); err != nil || state.ServerName != "b.example" {
		t.Errorf("another name: %q, %v", state.ServerName, err)
	}
}

func TestClientSessionReuse(t *testing.T) {
	t.Parallel()
	server := newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, TicketKeys: NewTicketKeys()})
	for _, reuse := range []bool{true, false} {
		c := newClient(t, ClientOptions{SessionReuse: reuse, Name: "up.example", ServerName: true})
		var state tls.ConnectionState
		for range 2 {
			var err error
			if state, _, err, _ = handshake(t, server.Config(), c.Config()); err != nil {
				t.Fatal(err)
			}
		}
		if state.DidResume != reuse {
			t.Errorf("session reuse %v: resumed %v", reuse, state.DidResume)
		}
	}
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	other := newAuthority(t, "other")
	server := newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, ClientVerify: VerifyOptional, ClientCA: file(t, other.cert)})
	c := newClient(t, ClientOptions{Pair: testPair("rsa.crt", "rsa-pbes2-aes128.key"), PasswordFile: "testdata/passwords"})
	state, _, err, _ := handshake(t, server.Config(), c.Config())
	if err != nil || len(state.PeerCertificates) != 1 || state.PeerCertificates[0].Subject.CommonName != "rsa.example" {
		t.Errorf("%d certificates, %v", len(state.PeerCertificates), err)
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		options ClientOptions
		failure string
	}{
		{"no CA", ClientOptions{Verify: true}, "no proxy_ssl_trusted_certificate for proxy_ssl_verify"},
		{"missing CA", ClientOptions{Verify: true, TrustedCA: "testdata/none"}, "SSL_CTX_load_verify_locations"},
		{"missing certificate", ClientOptions{Pair: testPair("none", "none")}, "cannot load certificate"},
		{"missing passwords", ClientOptions{Pair: testPair("ec.crt", "ec-sec1.key"), PasswordFile: "testdata/none"}, "open()"},
		{"ciphers", ClientOptions{Ciphers: "FOO"}, "no cipher match"},
		{"protocols", ClientOptions{Protocols: []string{"SSLv2"}}, "none of the protocols"},
	}
	for _, tt := range tests {
		_, err := NewClient(&tt.options)
		wantError(t, tt.name, err, tt.failure)
	}
}

func TestMatchesName(t *testing.T) {
	t.Parallel()
	if matchesName(&x509.Certificate{}, "") {
		t.Error("a certificate without names matches the empty name")
	}
}
