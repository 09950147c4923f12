package cert

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

// TestVerify has the results that nginx with OpenSSL 3.0 gives for the same certificates.
func TestVerify(t *testing.T) {
	t.Parallel()
	root, foreign := newAuthority(t, "root"), newAuthority(t, "foreign")
	middle := root.sub("middle")
	deep := middle.sub("deep")
	past, future := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)

	type client struct {
		chain []*x509.Certificate
		key   crypto.Signer
	}
	issue := func(a *authority, o leafOptions, above ...*x509.Certificate) client {
		c, key := a.issue(o)
		return client{append([]*x509.Certificate{c}, above...), key}
	}
	good := issue(root, leafOptions{name: "good"})
	revoked := issue(root, leafOptions{name: "revoked"})
	expired := issue(root, leafOptions{name: "expired", end: past})
	early := issue(root, leafOptions{name: "early", start: future})
	alien := issue(foreign, leafOptions{name: "alien"})
	alienChain := issue(foreign, leafOptions{name: "alien"}, foreign.cert)
	alienMiddle := issue(foreign.sub("m"), leafOptions{name: "alien"}, foreign.sub("other").cert)
	alienAuthority := foreign.sub("m2")
	alienBelow := issue(alienAuthority, leafOptions{name: "alien"}, alienAuthority.cert)
	alienExpired := issue(foreign, leafOptions{name: "alien", end: past})
	self := issue(&authority{t: t}, leafOptions{name: "self"})
	serverOnly := issue(root, leafOptions{name: "server", usage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	below := issue(middle, leafOptions{name: "below"}, middle.cert)
	tooDeep := issue(deep, leafOptions{name: "too deep"}, deep.cert, middle.cert)

	crl := writeFile(t, root.revoke(future, revoked.chain[0]))
	staleCRL := writeFile(t, root.revoke(past))
	foreignCRL := writeFile(t, foreign.revoke(future))

	tests := []struct {
		name   string
		client client
		mode   VerifyMode
		crl    string
		want   string
		status int
	}{
		{"off", good, VerifyOff, "", "NONE", 0},
		{"good", good, VerifyOn, "", "SUCCESS", 0},
		{"none, on", client{}, VerifyOn, "", "NONE", StatusNoCert},
		{"none, optional", client{}, VerifyOptional, "", "NONE", 0},
		{"expired", expired, VerifyOn, "", "FAILED:certificate has expired", StatusCertError},
		{"expired, optional", expired, VerifyOptional, "", "FAILED:certificate has expired", StatusCertError},
		{"expired, optional_no_ca", expired, VerifyOptionalNoCA, "", "FAILED:certificate has expired", StatusCertError},
		{"not yet valid", early, VerifyOn, "", "FAILED:certificate is not yet valid", StatusCertError},
		{"foreign", alien, VerifyOn, "", "FAILED:unable to verify the first certificate", StatusCertError},
		{"foreign, optional", alien, VerifyOptional, "", "FAILED:unable to verify the first certificate", StatusCertError},
		{"foreign, optional_no_ca", alien, VerifyOptionalNoCA, "", "FAILED:unable to verify the first certificate", 0},
		{"foreign with root", alienChain, VerifyOn, "", "FAILED:self-signed certificate in certificate chain", StatusCertError},
		{"foreign with a certificate that does not belong", alienMiddle, VerifyOn, "", "FAILED:unable to verify the first certificate", StatusCertError},
		{"foreign with its intermediate", alienBelow, VerifyOn, "", "FAILED:unable to get local issuer certificate", StatusCertError},
		{"foreign and expired", alienExpired, VerifyOn, "", "FAILED:certificate has expired", StatusCertError},
		{"self-signed", self, VerifyOn, "", "FAILED:self-signed certificate", StatusCertError},
		{"self-signed, optional_no_ca", self, VerifyOptionalNoCA, "", "FAILED:self-signed certificate", 0},
		{"of a server", serverOnly, VerifyOn, "", "FAILED:unsuitable certificate purpose", StatusCertError},
		{"through an intermediate", below, VerifyOn, "", "SUCCESS", 0},
		{"through two intermediates", tooDeep, VerifyOn, "", "FAILED:unable to get local issuer certificate", StatusCertError},
		{"good by CRL", good, VerifyOn, crl, "SUCCESS", 0},
		{"revoked", revoked, VerifyOn, crl, "FAILED:certificate revoked", StatusCertError},
		{"stale CRL", good, VerifyOn, staleCRL, "FAILED:CRL has expired", StatusCertError},
		{"CRL of another", good, VerifyOn, foreignCRL, "FAILED:unable to get certificate CRL", StatusCertError},
	}
	ca := file(t, root.cert)
	for _, tt := range tests {
		s := newServer(t, ServerOptions{Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, ClientVerify: tt.mode, ClientCA: ca, CRL: tt.crl})
		config := anyServer("")
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tlsCertificate(tt.client.key, tt.client.chain...)[0], nil
		}
		state, _, err, _ := handshake(t, s.Config(), config)
		if err != nil {
			t.Errorf("%s: the handshake fails: %v", tt.name, err)
			continue
		}
		v := s.Verify(&state)
		if v.String() != tt.want || v.Status != tt.status {
			t.Errorf("%s: %s with %d, want %s with %d", tt.name, v, v.Status, tt.want, tt.status)
		}
		if (v.LogText() != "") != (tt.status != 0) {
			t.Errorf("%s: status %d with the words %q", tt.name, v.Status, v.LogText())
		}
	}
}

func TestVerifyDepth(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root")
	middle := root.sub("middle")
	direct, _ := root.issue(leafOptions{name: "direct"})
	below, _ := middle.issue(leafOptions{name: "below"})
	tests := []struct {
		sent  []*x509.Certificate
		depth int
		want  string
	}{
		{[]*x509.Certificate{direct}, 0, "SUCCESS"},
		{[]*x509.Certificate{below, middle.cert}, 0, "FAILED:unable to get local issuer certificate"},
		{[]*x509.Certificate{below, middle.cert}, 1, "SUCCESS"},
	}
	for _, tt := range tests {
		s := newServer(t, ServerOptions{
			Pairs: []Pair{testPair("ec.crt", "ec-sec1.key")}, ClientVerify: VerifyOn, ClientCA: file(t, root.cert),
			VerifyDepth: tt.depth, VerifyDepthSet: true,
		})
		if got := s.Verify(&tls.ConnectionState{PeerCertificates: tt.sent}).String(); got != tt.want {
			t.Errorf("%s at depth %d: %s, want %s", tt.sent[0].Subject.CommonName, tt.depth, got, tt.want)
		}
	}
}

func TestVerificationWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    Verification
		want string
	}{
		{Verification{Status: StatusNoCert}, "client sent no required SSL certificate"},
		{Verification{Present: true, Code: 10, Reason: reasonText(10), Status: StatusCertError},
			"client SSL certificate verify error: (10:certificate has expired)"},
		{Verification{Present: true}, ""},
	}
	for _, tt := range tests {
		if got := tt.v.LogText(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if got := reasonText(9999); got != "error number 9999" {
		t.Errorf("an unknown number: %q", got)
	}
}
