package link

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/weir-lb/weir/config/errno"
)

// SecretSize is the length of a cluster secret, in bytes.
const SecretSize = 32

// Secret is what all nodes of a cluster know and nobody else. Everything else
// that is secret follows from it or is agreed on later under its protection.
type Secret struct{ bytes [SecretSize]byte }

// String hides the secret from logs.
func (*Secret) String() string { return "(cluster secret)" }

// NewSecret returns a secret that nobody knows yet.
func NewSecret() *Secret {
	s := new(Secret)
	_, _ = rand.Read(s.bytes[:]) // it ends the process rather than fail
	return s
}

// SecretOf returns the secret of SecretSize bytes.
func SecretOf(b []byte) (*Secret, error) {
	if len(b) != SecretSize {
		return nil, fmt.Errorf("a cluster secret has %d bytes, not %d", SecretSize, len(b))
	}
	return &Secret{[SecretSize]byte(b)}, nil
}

// Bytes returns the secret, to be kept as safe as the Secret is.
func (s *Secret) Bytes() []byte { return bytes.Clone(s.bytes[:]) }

// Equal reports whether two secrets are the same.
func (s *Secret) Equal(o *Secret) bool {
	return subtle.ConstantTimeCompare(s.bytes[:], o.bytes[:]) == 1
}

// ParseSecret reads the content of a secret file: 64 hexadecimal digits, with
// comments from # to the end of a line and white space around them.
func ParseSecret(text []byte) (*Secret, error) {
	var digits []byte
	for line := range bytes.Lines(text) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		digits = append(digits, bytes.TrimSpace(line)...)
	}
	if len(digits) != hex.EncodedLen(SecretSize) {
		return nil, fmt.Errorf("a cluster secret has %d hexadecimal digits, not %d", hex.EncodedLen(SecretSize), len(digits))
	}
	s := new(Secret)
	if _, err := hex.Decode(s.bytes[:], digits); err != nil {
		return nil, errors.New("a cluster secret has hexadecimal digits only") // the offender is part of a secret
	}
	return s, nil
}

// ReadSecret reads a secret file.
func ReadSecret(file string) (*Secret, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("open() %q failed (%w)", file, errno.Of(err))
	}
	s, err := ParseSecret(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return s, nil
}

// Format writes a secret as ParseSecret reads it.
func (s *Secret) Format() []byte {
	return []byte("# cluster secret of weir: whoever has it can join the cluster; the same on every node\n" + hex.EncodeToString(s.bytes[:]) + "\n")
}

// derive gives 32 bytes that follow from the secret and tell nothing of it, for
// one use.
func (s *Secret) derive(use string) []byte {
	key, err := hkdf.Key(sha256.New, s.bytes[:], nil, "weir cluster "+use, 32)
	if err != nil {
		panic("link: hkdf: " + err.Error()) // only for lengths that are constants here
	}
	return key
}

// GossipKey is the AES-256 key with which nodes begin to gossip, until they
// agree on others.
func (s *Secret) GossipKey() []byte { return s.derive("gossip key 1") }

// StickyKey is the key with which nodes seal sticky cookies until they know those
// that were agreed on.
func (s *Secret) StickyKey() []byte { return s.derive("sticky key 1") }

// signer is the key of the cluster's certificate authority.
func (s *Secret) signer() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(s.derive("certificate authority 1"))
}
