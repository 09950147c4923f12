package http2

import "sync"

// The sizes of buffers in which a reply's body waits to be passed on. What is
// smaller belongs to the stream; larger ones are shared by all.
const (
	ownBody    = 16 << 10
	middleBody = 64 << 10
	largeBody  = clientWindow // more never waits
)

var (
	middleBodies = sync.Pool{New: func() any { return new([middleBody]byte) }}
	largeBodies  = sync.Pool{New: func() any { return new([largeBody]byte) }}
)

// withRoom returns buf, or a larger buffer with the same bytes, that has room
// for n bytes more.
func withRoom(buf []byte, n int) []byte {
	need := len(buf) + n
	var larger []byte
	switch {
	case need <= cap(buf), need <= ownBody, need > largeBody:
		return buf // append sees to it
	case need <= middleBody:
		larger = middleBodies.Get().(*[middleBody]byte)[:0]
	default:
		larger = largeBodies.Get().(*[largeBody]byte)[:0]
	}
	larger = append(larger, buf...)
	release(buf)
	return larger
}

// release gives a buffer back; what is the stream's own is returned, for its
// next use.
func release(buf []byte) []byte {
	switch cap(buf) {
	case middleBody:
		middleBodies.Put((*[middleBody]byte)(buf[:middleBody]))
	case largeBody:
		largeBodies.Put((*[largeBody]byte)(buf[:largeBody]))
	default:
		if cap(buf) <= ownBody {
			return buf[:0]
		}
	}
	return nil
}
