package lb_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// testPKI makes the certificates of one script's case.
type testPKI struct {
	t      *testing.T
	b      *lbtest.Balancer
	serial int64
}

// authority is a certificate that signs others.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  string
}

// writeTestPKI puts into certs/:
//
//	ca.crt      an authority, which signed server, client, revoked, middle
//	foreign.crt another one, which signed stranger
//	deep.crt    signed by middle, which comes along with it
//	ca.crl      revokes revoked; none.crl, of the same authority, nobody
//	locked.key  the key of locked.crt, with the password of the file password
//	wrong       a file of a password of nothing
//	t1, t2      ticket keys
//
// Each is NAME.crt and NAME.key, for the name NAME.test.
func writeTestPKI(t *testing.T, b *lbtest.Balancer) {
	p := &testPKI{t: t, b: b}
	ca, foreign := p.authority("ca", nil), p.authority("foreign", nil)
	middle := p.authority("middle", ca)
	for _, name := range []string{"server", "other", "client"} {
		p.leaf(name, ca, "")
	}
	revoked := p.leaf("revoked", ca, "")
	p.leaf("stranger", foreign, "")
	p.leaf("deep", middle, middle.pem)
	p.revocations("ca", ca, revoked)
	p.revocations("none", ca)
	p.copyLocked()
	b.Write("certs/wrong", "neither\n")
	b.Write("certs/t1", strings.Repeat("1", 48))
	b.Write("certs/t2", strings.Repeat("2", 48))
}

func (p *testPKI) template(name string) *x509.Certificate {
	p.serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(p.serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name + ".test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
}

func (p *testPKI) sign(template *x509.Certificate, key crypto.Signer, by *authority) (*x509.Certificate, string) {
	p.t.Helper()
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		p.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (p *testPKI) authority(name string, by *authority) *authority {
	template := p.template(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	a := &authority{key: ecKey(p.t)}
	a.cert, a.pem = p.sign(template, a.key, by)
	p.b.Write("certs/"+name+".crt", a.pem)
	return a
}

// leaf writes a certificate, followed by a chain, and its key.
func (p *testPKI) leaf(name string, by *authority, chain string) *x509.Certificate {
	p.t.Helper()
	key := ecKey(p.t)
	cert, text := p.sign(p.template(name), key, by)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.b.Write("certs/"+name+".crt", text+chain)
	p.b.Write("certs/"+name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return cert
}

func (p *testPKI) revocations(name string, by *authority, revoked ...*x509.Certificate) {
	p.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, by.cert, by.key)
	if err != nil {
		p.t.Fatal(err)
	}
	p.b.Write("certs/"+name+".crl", string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})))
}

// copyLocked copies an encrypted key of package cert, which nothing here could
// make.
func (p *testPKI) copyLocked() {
	p.t.Helper()
	for from, to := range map[string]string{"rsa.crt": "locked.crt", "rsa-pbes2-aes128.key": "locked.key", "passwords": "password"} {
		text, err := os.ReadFile(filepath.Join("cert/testdata", from))
		if err != nil {
			p.t.Fatal(err)
		}
		p.b.Write("certs/"+to, string(text))
	}
}
