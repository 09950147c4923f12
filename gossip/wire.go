package gossip

import (
	"encoding/binary"
	"errors"
)

// errMalformed is what every decoder of this package returns for bytes that no node of ours would send.
var errMalformed = errors.New("malformed message")

// reader takes a message apart. After a failed step all further ones fail; the last to be asked is done.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	part := r.rest[:n]
	r.rest = r.rest[n:]
	return part
}

func (r *reader) byte() byte {
	if part := r.take(1); part != nil {
		return part[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if part := r.take(8); part != nil {
		return binary.BigEndian.Uint64(part)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) id() (id nodeID) {
	copy(id[:], r.take(len(id)))
	return id
}

// text takes a string with its length before it in one byte.
func (r *reader) text() string { return string(r.take(int(r.byte()))) }

// more reports whether there is something left to take.
func (r *reader) more() bool { return !r.bad && len(r.rest) > 0 }

// done tells whether all went well and nothing is left.
func (r *reader) done() error {
	if r.bad || len(r.rest) > 0 {
		return errMalformed
	}
	return nil
}

// appendText is the counterpart of reader.text. What is longer than 255 bytes is cut.
func appendText(b []byte, text string) []byte {
	text = text[:min(len(text), 255)]
	return append(append(b, byte(len(text))), text...)
}
