package cert

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
)

// Pair names the files of a certificate with its chain and of its private key. Instead of a file name either may hold the PEM
// text itself after the prefix "data:". Both may be the same file.
type Pair struct {
	Certificate string
	Key         string
}

// Load reads a certificate chain, leaf first, and its key, which may be in PKCS#1, PKCS#8 or SEC1 form, plain or encrypted.
// The passwords are tried in order on an encrypted key. Errors have nginx's wording and tell which file is at fault.
func Load(p Pair, passwords [][]byte) (*tls.Certificate, error) {
	chain, err := loadChain(p.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := loadKey(p.Key, passwords)
	if err != nil {
		return nil, err
	}
	if err := match(chain[0], key); err != nil {
		return nil, failed(fmt.Sprintf("SSL_CTX_use_PrivateKey(%q)", shown(p.Key)), err.Error())
	}
	c := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, x := range chain {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	return c, nil
}

func loadChain(name string) ([]*x509.Certificate, error) {
	fail := func(call, reason string) ([]*x509.Certificate, error) {
		return nil, fmt.Errorf("cannot load certificate %q: %w", shown(name), failed(call, reason))
	}
	text, err := readPEM(name)
	if err != nil {
		return fail("BIO_new_file()", readReason(err))
	}
	chain, err := parseCertificates(text)
	if err != nil {
		return fail("PEM_read_bio_X509()", err.Error())
	}
	if len(chain) == 0 {
		return fail("PEM_read_bio_X509_AUX()", noStartLine+":Expecting: TRUSTED CERTIFICATE")
	}
	return chain, nil
}

func loadKey(name string, passwords [][]byte) (crypto.Signer, error) {
	text, err := readPEM(name)
	if err != nil {
		return nil, fmt.Errorf("cannot load certificate key %q: %w", shown(name), failed("BIO_new_file()", readReason(err)))
	}
	key, err := parseKey(text, passwords)
	if err != nil {
		return nil, fmt.Errorf("cannot load certificate key %q: %w", shown(name), failed("PEM_read_bio_PrivateKey()", err.Error()))
	}
	return key, nil
}

// readPEM returns the text of a file, or what follows the prefix "data:".
func readPEM(name string) ([]byte, error) {
	if text, ok := strings.CutPrefix(name, "data:"); ok {
		return []byte(text), nil
	}
	return os.ReadFile(name)
}

// shown keeps inline certificates and keys out of messages.
func shown(name string) string {
	if strings.HasPrefix(name, "data:") {
		return "data:"
	}
	return name
}

// parseCertificates returns the certificates of a PEM text and passes over blocks of other kinds, such as a key.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return list, nil
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
		case "TRUSTED CERTIFICATE": // OpenSSL appends its trust settings to the certificate
			block.Bytes = firstElement(block.Bytes)
		default:
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(list)+1, err)
		}
		list = append(list, c)
	}
}

func match(leaf *x509.Certificate, key crypto.Signer) error {
	if reflect.TypeOf(leaf.PublicKey) != reflect.TypeOf(key.Public()) {
		return errors.New(typeMismatch)
	}
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return errors.New(keyMismatch)
	}
	return nil
}

// ReadPasswords returns the lines of an ssl_password_file, which may be a named pipe. Empty lines are passed over, since an
// empty password encrypts nothing.
func ReadPasswords(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, openFailed(file, err)
	}
	var list [][]byte
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) > 4096 {
			return nil, fmt.Errorf("too long line in %q", file)
		}
		if len(line) > 0 {
			list = append(list, line)
		}
	}
	return list, nil
}
