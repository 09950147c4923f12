package store

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
)

// MaxText is the longest text of a key, in bytes; longer ones are not stored.
const MaxText = 32 << 10

// Key names an entry: the MD5 of the key's text, whose hexadecimal digits name
// the file as in nginx, or a variant of it.
type Key [md5.Size]byte

// KeyOf returns the key of a text.
func KeyOf(text []byte) Key { return md5.Sum(text) }

// Variant returns the key of one variant of the reply (RFC 9111 section 4.1),
// chosen by a digest of the request fields that Vary names. Variants share the
// last half of the main key, so that they lie in one directory and can be
// purged together; entries hold the text and the whole digest as well.
func (k Key) Variant(digest [md5.Size]byte) Key {
	copy(k[:groupAt], digest[:])
	return k
}

// groupAt is where the half of a key begins that its variants share.
const groupAt = md5.Size / 2

// group is the half of the key that its variants share.
func (k *Key) group() uint64 { return binary.LittleEndian.Uint64(k[groupAt:]) }

// String returns the name of the entry's file.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// parseKey reads the name of a file.
func parseKey(name string) (k Key, ok bool) {
	if len(name) != 2*len(k) {
		return k, false
	}
	for i := range len(name) {
		if c := name[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return k, false
		}
	}
	_, err := hex.Decode(k[:], []byte(name))
	return k, err == nil
}
