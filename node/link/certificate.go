package link

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// Peer is the node at the other end of a connection, as its certificate says.
// The key is what it has proven to hold.
type Peer struct {
	ID  NodeID
	Key ed25519.PublicKey
}

// scheme is that of the names in certificates: weir://CLUSTER/node/ID.
const scheme = "weir"

// never is when a certificate without an end ends (RFC 5280, section 4.1.2.5),
// and ever when it began.
func never() time.Time { return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }
func ever() time.Time  { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// authority issues and checks the certificates of who knows one secret.
type authority struct {
	key  ed25519.PrivateKey
	cert *x509.Certificate
}

// newAuthority makes the authority of a secret. It is the same on every node.
func newAuthority(s *Secret) (*authority, error) {
	a := &authority{key: s.signer()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir cluster"}, NotBefore: ever(), NotAfter: never(),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.cert, err = a.sign(template, template, a.key.Public())
	return a, err
}

func (a *authority) sign(template, parent *x509.Certificate, key crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// issue makes the certificate of a node.
func (a *authority) issue(cluster string, i *Identity) (tls.Certificate, error) {
	leaf, err := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: i.ID}, NotBefore: ever(), NotAfter: never(),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs: []*url.URL{{Scheme: scheme, Host: cluster, Path: "/node/" + i.ID}},
	}, a.cert, i.PublicKey())
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: i.Key, Leaf: leaf}, nil
}

// Why a certificate is refused.
var (
	errNoCertificate = errors.New("it shows no certificate")
	errSecret        = errors.New("it has another cluster secret")
	errCertificate   = errors.New("its certificate names no node")
)

// peerOf checks the certificate of the other end of a connection.
func peerOf(chain []*x509.Certificate, authorities []*authority, cluster string) (Peer, error) {
	if len(chain) == 0 {
		return Peer{}, errNoCertificate
	}
	leaf := chain[0]
	if !signedByAny(leaf, authorities) {
		return Peer{}, errSecret
	}
	key, ok := leaf.PublicKey.(ed25519.PublicKey)
	if !ok || len(leaf.URIs) != 1 || leaf.URIs[0].Scheme != scheme || leaf.IsCA {
		return Peer{}, errCertificate
	}
	id, ok := strings.CutPrefix(leaf.URIs[0].Path, "/node/")
	if !ok || !isNodeID(id) {
		return Peer{}, errCertificate
	}
	if name := leaf.URIs[0].Host; name != cluster {
		return Peer{}, fmt.Errorf("it belongs to cluster %q, this is %q", name, cluster)
	}
	return Peer{ID: id, Key: key}, nil
}

func signedByAny(leaf *x509.Certificate, authorities []*authority) bool {
	for _, a := range authorities {
		if leaf.CheckSignatureFrom(a.cert) == nil {
			return true
		}
	}
	return false
}
