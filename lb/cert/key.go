package cert

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// parseKey returns the first private key of a PEM text.
func parseKey(text []byte, passwords [][]byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil, errors.New(unsupported + ":No supported data to decode. Input type: PEM")
		}
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY":
			return tryPasswords(passwords, func(password []byte) (any, error) { return openPBES2(block.Bytes, password) })
		case !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			continue // certificates, EC PARAMETERS
		case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return tryPasswords(passwords, func(password []byte) (any, error) { return openTraditional(block, password) })
		}
		return signer(parseDER(block.Type, block.Bytes))
	}
}

// tryPasswords opens an encrypted key with the first password that fits.
func tryPasswords(passwords [][]byte, open func(password []byte) (any, error)) (crypto.Signer, error) {
	if len(passwords) == 0 {
		return nil, errors.New(noPassword)
	}
	var last error
	for _, p := range passwords {
		key, err := signer(open(p))
		if err == nil {
			return key, nil
		}
		last = err
	}
	return nil, fmt.Errorf("%s: none of the %d passwords opens the key: %w", badDecrypt, len(passwords), last)
}

// openTraditional decrypts the form that OpenSSL wrote before version 3: headers Proc-Type and DEK-Info over a PKCS#1 or SEC1 key.
func openTraditional(block *pem.Block, password []byte) (any, error) {
	//lint:ignore SA1019 the form is weak but in use, and files are the operator's own
	der, err := x509.DecryptPEMBlock(block, password)
	if err != nil {
		return nil, err
	}
	return parseDER(block.Type, der)
}

// openPBES2 decrypts a PKCS#8 key, with a key derived by PBKDF2 or scrypt.
func openPBES2(der, password []byte) (key any, err error) {
	if err := checkPBES2(der); err != nil {
		return nil, err
	}
	key, _, err = pkcs8.ParsePrivateKey(der, password)
	return key, err
}

// checkPBES2 refuses cipher texts that are no whole number of blocks, on which the library would panic.
func checkPBES2(der []byte) error {
	var info struct {
		Algorithm asn1.RawValue
		Data      []byte
	}
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return errors.New("malformed encrypted key")
	}
	if len(info.Data) == 0 || len(info.Data)%8 != 0 {
		return errors.New("encrypted key of an impossible length")
	}
	return nil
}

func parseDER(kind string, der []byte) (any, error) {
	switch kind {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(der)
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(der)
	}
	return nil, fmt.Errorf("%s:%s", unsupported, kind)
}

// signer narrows a parsed key to those a certificate can be used with.
func signer(key any, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, err
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s:%T", unsupported, key)
	}
	return s, nil
}

// firstElement returns the first element of a sequence of DER elements, or everything if there is none.
func firstElement(der []byte) []byte {
	var first asn1.RawValue
	if _, err := asn1.Unmarshal(der, &first); err != nil {
		return der // the parser of certificates will say what is wrong
	}
	return first.FullBytes
}
