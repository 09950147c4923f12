package upstream

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of a sticky key in bytes.
const KeySize = chacha20poly1305.KeySize

// KeyState is what a sticky key of a ring is used for.
type KeyState uint8

// The life of a key. Every key of a ring opens; one alone seals.
const (
	KeyNext     KeyState = iota // not yet known to every node
	KeyActive                   // seals
	KeyRetiring                 // ids it sealed are sealed anew when they are seen
)

// Key is one sticky key: the secret that seals sticky cookies.
type Key struct {
	ID     uint16 // tells in a cookie which key sealed it; see KeyID
	State  KeyState
	Secret [KeySize]byte
}

// Keys is a ring of sticky keys. It does not change and may be used by many
// goroutines.
type Keys struct {
	list   []ringKey
	active int // position in list; -1: none
}

// ringKey is a key ready for use.
type ringKey struct {
	id    uint16
	state KeyState
	aead  cipher.AEAD
}

// NewKeys makes a ring of keys, of which exactly one must be active and no two
// may have the same id.
func NewKeys(list []Key) (*Keys, error) {
	k := &Keys{active: -1}
	for i := range list {
		if k.find(list[i].ID) != nil {
			return nil, fmt.Errorf("two sticky keys have the id %d", list[i].ID)
		}
		aead, err := chacha20poly1305.NewX(list[i].Secret[:])
		if err != nil {
			return nil, fmt.Errorf("sticky key %d: %w", list[i].ID, err)
		}
		if list[i].State == KeyActive {
			if k.active >= 0 {
				return nil, errors.New("more than one sticky key is active")
			}
			k.active = i
		}
		k.list = append(k.list, ringKey{id: list[i].ID, state: list[i].State, aead: aead})
	}
	if k.active < 0 {
		return nil, errors.New("no sticky key is active")
	}
	return k, nil
}

// NoKeys returns a ring of keys that are yet to come: it opens nothing and seals
// nothing, so that requests go without new ids until then.
func NoKeys() *Keys { return &Keys{active: -1} }

// Seals reports whether one of the keys is active.
func (k *Keys) Seals() bool { return k.active >= 0 }

// With returns the ring with the keys of another one behind its own, of use
// only to open what they have sealed.
func (k *Keys) With(other *Keys) *Keys {
	both := &Keys{list: slices.Clone(k.list), active: k.active}
	for _, key := range other.list {
		key.state = KeyRetiring
		both.list = append(both.list, key)
	}
	return both
}

// find returns the key of an id, nil if the ring has none. Rings are short.
func (k *Keys) find(id uint16) *ringKey {
	for i := range k.list {
		if k.list[i].id == id {
			return &k.list[i]
		}
	}
	return nil
}

// KeyID returns the id of a key that is known by its secret alone, the same on
// every machine that has it.
func KeyID(secret *[KeySize]byte) uint16 {
	sum := sha256.Sum256(append([]byte("weir sticky key id\x00"), secret[:]...))
	return binary.BigEndian.Uint16(sum[:])
}

// ParseKey reads the content of a sticky key file: 64 hexadecimal digits, with
// comments from # to the end of a line and white space around them, or the 32
// bytes themselves.
func ParseKey(text []byte) (secret [KeySize]byte, err error) {
	if len(text) == KeySize {
		copy(secret[:], text)
		return secret, nil
	}
	var digits []byte
	for line := range bytes.Lines(text) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		digits = append(digits, bytes.TrimSpace(line)...)
	}
	if len(digits) != hex.EncodedLen(KeySize) {
		return secret, fmt.Errorf("a sticky key has %d hexadecimal digits or %d bytes, not %d", hex.EncodedLen(KeySize), KeySize, len(digits))
	}
	if _, err := hex.Decode(secret[:], digits); err != nil {
		return secret, errors.New("a sticky key has hexadecimal digits only") // the offender is part of a secret
	}
	return secret, nil
}

// FormatKey writes a sticky key as ParseKey reads it.
func FormatKey(secret *[KeySize]byte) []byte {
	return []byte("# sticky key of weir: whoever has it can choose a client's server\n" + hex.EncodeToString(secret[:]) + "\n")
}
