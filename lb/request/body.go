package request

import (
	"io"
	"os"
)

// Framing is how the end of a message's body is told (RFC 9112, 6).
type Framing uint8

// The framings.
const (
	FramingNone       Framing = iota // no body
	FramingLength                    // Content-Length
	FramingChunked                   // Transfer-Encoding: chunked
	FramingUntilClose                // replies only: until the connection closes
)

// Body is a request's body on its way in.
type Body struct {
	Framing  Framing
	Length   int64 // as announced; -1 unknown
	Received int64 // body bytes seen so far, without chunk framing
	Expect   bool  // the client waits for 100 Continue before it sends
	Source   BodySource
	Trailers Head // complete once the body's end was seen

	// Once Keep has taken the body in, it lies in Memory and then in File.
	Kept   bool
	Memory []byte
	File   *os.File
	Size   int64 // of both
}

// BodySource delivers a body piece by piece. HTTP/1 connections and HTTP/2
// streams implement it.
type BodySource interface {
	// Next returns the next piece, void at the next call. After the last
	// piece it returns io.EOF. Any other error is an *Error: the client left,
	// was too slow (408), or sent a body that is not well-formed (400).
	Next() ([]byte, error)
	// Whole returns the whole body, which is consumed, when all of it is
	// already here. Nothing is read.
	Whole() ([]byte, bool)
	// Cancel ends a Next that waits on another goroutine; the body is lost.
	Cancel()
}

// reset makes ready for another body.
func (b *Body) reset() {
	b.Trailers.Reset(nil)
	b.Framing, b.Length, b.Received, b.Expect, b.Source = FramingNone, 0, 0, false, nil
	b.Kept, b.Memory, b.File, b.Size = false, nil, nil, 0
}

// Next returns the next piece of the body, io.EOF at its end.
func (b *Body) Next() ([]byte, error) {
	if b.Source == nil || b.Framing == FramingNone {
		return nil, io.EOF
	}
	p, err := b.Source.Next()
	b.Received += int64(len(p))
	return p, err
}
