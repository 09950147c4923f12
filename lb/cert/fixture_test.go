package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority made for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
}

// leafOptions shape a certificate; the zero value is a good one for clients and servers.
type leafOptions struct {
	name       string
	start, end time.Time
	usage      []x509.ExtKeyUsage
	dnsNames   []string
	isCA       bool
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.issue(leafOptions{name: name, isCA: true})
	return a
}

// issue makes a certificate signed by the authority, or by itself if the authority has no certificate yet.
func (a *authority) issue(o leafOptions) (*x509.Certificate, crypto.Signer) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if o.start.IsZero() {
		o.start = time.Now().Add(-time.Hour)
	}
	if o.end.IsZero() {
		o.end = time.Now().Add(24 * time.Hour)
	}
	if o.usage == nil && !o.isCA {
		o.usage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: o.name}, NotBefore: o.start, NotAfter: o.end,
		DNSNames: o.dnsNames, ExtKeyUsage: o.usage, IsCA: o.isCA, BasicConstraintsValid: true,
	}
	if o.isCA {
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	parent, parentKey := template, crypto.Signer(key)
	if a.cert != nil {
		parent, parentKey = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c, key
}

// sub returns an intermediate authority.
func (a *authority) sub(name string) *authority {
	s := &authority{t: a.t}
	s.cert, s.key = a.issue(leafOptions{name: name, isCA: true})
	return s
}

// revoke returns a revocation list of the authority.
func (a *authority) revoke(next time.Time, revoked ...*x509.Certificate) []byte {
	a.t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-2 * time.Hour), NextUpdate: next}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// file writes certificates in PEM form and returns the file's name.
func file(t *testing.T, certificates ...*x509.Certificate) string {
	t.Helper()
	var text []byte
	for _, c := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return writeFile(t, text)
}

func writeFile(t *testing.T, text []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// pairFiles writes a certificate and its key.
func pairFiles(t *testing.T, key crypto.Signer, chain ...*x509.Certificate) Pair {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{Certificate: file(t, chain...), Key: writeFile(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

func testPair(certificate, key string) Pair {
	return Pair{Certificate: filepath.Join("testdata", certificate), Key: filepath.Join("testdata", key)}
}

// tlsCertificate is what a client offers.
func tlsCertificate(key crypto.Signer, chain ...*x509.Certificate) []tls.Certificate {
	c := tls.Certificate{PrivateKey: key}
	for _, x := range chain {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	return []tls.Certificate{c}
}

// handshake connects the two sides over loopback, exchanges a byte each way, so that tickets arrive, and returns what each side sees.
func handshake(t *testing.T, server, client *tls.Config) (ss, cs tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		raw, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		c := tls.Server(raw, server)
		err = exchangeByte(c)
		ss = c.ConnectionState()
		done <- err
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(30 * time.Second))
	c := tls.Client(raw, client)
	clientErr = exchangeByte(c)
	cs = c.ConnectionState()
	if clientErr != nil {
		raw.Close()
	}
	serverErr = <-done
	return ss, cs, serverErr, clientErr
}

func exchangeByte(c *tls.Conn) error {
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

// wantError checks that an error holds all the given words, or is nil if there are none.
func wantError(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	if len(words) == 0 || words[0] == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s: got %v, want %q", what, err, w)
		}
	}
}
