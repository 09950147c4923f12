package upstream

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed id is base64url text of
//
//	version 1 | key id 2 | nonce 24 | XChaCha20-Poly1305( server 8 | key id 2 | issued 4 )
//
// with the upstream's and the cookie's name as additional data, so that it is
// good for these alone. Nonces are random: 192 bits leave no budget to watch.
const (
	sealVersion = 1
	sealHead    = 3
	plainSize   = 14
	boxAt       = sealHead + chacha20poly1305.NonceSizeX
	sealedSize  = boxAt + plainSize + chacha20poly1305.Overhead
	sealedText  = sealedSize / 3 * 4 // it needs no padding
)

// The life of a sealed id.
const (
	// maxLifetime bounds the age of ids whatever the cookie says.
	maxLifetime = 30 * 24 * time.Hour
	// resealAfter is the age at which an id is sealed anew. Where ids live
	// shorter than maxLifetime it shrinks in proportion, so that a cookie that
	// ends an hour after its last use loses a minute of it at most.
	resealAfter = 12 * time.Hour
	// clockSkew is how far the clocks of nodes may differ before an id from
	// the future is sealed anew.
	clockSkew = 5 * time.Minute
)

// Refusal is why a presented id binds its request to no server.
type Refusal uint8

// The refusals. All of them make the request one without an id.
const (
	RefusedMalformed Refusal = iota // no sealed id at all: truncated, or of another kind
	RefusedForeign                  // sealed by a key that the ring does not have
	RefusedForged                   // changed, or sealed for another upstream or cookie
	RefusedExpired                  // too old
	refusals
)

// String names r as the status does.
func (r Refusal) String() string {
	return [...]string{"malformed", "foreign", "forged", "expired"}[r]
}

// opened is what a sealed id says.
type opened struct {
	server ServerID
	issued int64 // seconds since 1970
	state  KeyState
}

// open reads a sealed id. buf is a scratch of its own.
func (k *Keys) open(buf *[sealedSize]byte, bound, text []byte) (o opened, why Refusal, ok bool) {
	if len(text) != sealedText {
		return o, RefusedMalformed, false
	}
	if n, err := base64.RawURLEncoding.Decode(buf[:], text); err != nil || n != sealedSize || buf[0] != sealVersion {
		return o, RefusedMalformed, false
	}
	key := k.find(sealedBy(buf))
	if key == nil {
		return o, RefusedForeign, false
	}
	plain, err := key.aead.Open(buf[boxAt:boxAt], buf[sealHead:boxAt], buf[boxAt:], bound)
	if err != nil || binary.BigEndian.Uint16(plain[8:]) != key.id {
		return o, RefusedForged, false
	}
	return opened{
		server: ServerID(binary.BigEndian.Uint64(plain)), issued: int64(binary.BigEndian.Uint32(plain[10:])), state: key.state,
	}, 0, true
}

// sealedBy returns the id of the key that a decoded id says it is sealed by.
func sealedBy(buf *[sealedSize]byte) uint16 { return binary.BigEndian.Uint16(buf[1:]) }

// seal appends the sealed id of a server. buf is a scratch of its own.
func (k *Keys) seal(dst []byte, buf *[sealedSize]byte, bound []byte, server ServerID, now int64) []byte {
	key := &k.list[k.active]
	buf[0] = sealVersion
	binary.BigEndian.PutUint16(buf[1:], key.id)
	_, _ = rand.Read(buf[sealHead:boxAt]) // it ends the process rather than fail
	plain := buf[boxAt : boxAt+plainSize]
	binary.BigEndian.PutUint64(plain, uint64(server))
	binary.BigEndian.PutUint16(plain[8:], key.id)
	binary.BigEndian.PutUint32(plain[10:], uint32(now))
	key.aead.Seal(plain[:0], buf[sealHead:boxAt], plain, bound)
	return base64.RawURLEncoding.AppendEncode(dst, buf[:])
}

// sealedFor is what sealed ids of an upstream and a cookie are bound to.
func sealedFor(upstream, cookie string) []byte {
	return []byte("weir sticky\x00" + upstream + "\x00" + cookie)
}
