package http1

import (
	"errors"
	"io"
	"math"

	"github.com/weir-lb/weir/lb/request"
)

// What can be wrong with a body. The caller says whose it is.
var (
	ErrChunkSize = errors.New("invalid chunk size")
	ErrChunkLine = errors.New("invalid end of a chunk")
	ErrExtension = errors.New("invalid or too long chunk extension")
	ErrTrailer   = errors.New("invalid trailer section")
	ErrTooLarge  = errors.New("too large trailer section")
)

// maxExtension is how many bytes of chunk extensions are read over beyond
// twice the body's bytes, so that nobody makes weir read for ever without
// delivering anything (RFC 9112, 7.1.1).
const maxExtension = 16 << 10

// maxDigits bounds a chunk's size with its leading zeros.
const maxDigits = 16

// chunkState is where in the chunked coding the decoder stands.
type chunkState uint8

const (
	chunkSize  chunkState = iota // before the first digit of a size
	chunkDigit                   // behind a digit
	chunkBlank                   // in white space that may come before ";"
	chunkExt                     // in an extension
	chunkLF                      // behind the CR of the size's line
	chunkData                    // in data
	chunkCR                      // behind data
	chunkEnd                     // behind the CR that follows data
	chunkTrailer
)

// Decoder takes the framing off a body piece by piece; it holds no bytes but
// those of trailers. It serves both directions. The zero value is a body that
// is complete; Reset begins another one.
type Decoder struct {
	framing  request.Framing
	state    chunkState
	done     bool
	digits   uint8 // of the chunk's size so far
	left     int64 // of the body, or of the chunk; bytes
	spare    int64 // what extensions may still use
	trailers trailerReader
}

// Reset begins a body. length counts with FramingLength only. Trailers go
// into the given Head, where it is not nil, up to the sizes of lim.
func (d *Decoder) Reset(f request.Framing, length int64, trailers *request.Head, lim *Limits) {
	d.framing = f
	d.state = chunkSize
	d.left, d.digits = 0, 0
	d.spare = maxExtension
	d.trailers.reset(trailers, lim)
	d.done = f == request.FramingNone || f == request.FramingLength && length <= 0
	if f == request.FramingLength {
		d.left = length
	}
}

// Next takes received bytes and returns the next piece of the body, a view of
// src, and how many bytes of src were used up for it. It is called again with
// the rest until src is used up or Done; a piece may be empty. Bytes behind the
// body's end are never used. After an error the body is lost.
func (d *Decoder) Next(src []byte) (piece []byte, used int, err error) {
	switch {
	case d.done:
		return nil, 0, nil
	case d.framing == request.FramingUntilClose:
		return src, len(src), nil
	case d.framing == request.FramingChunked:
		return d.nextChunked(src)
	}
	piece = d.take(src)
	d.done = d.left == 0
	return piece, len(piece), nil
}

// Done tells whether the end of the body was seen.
func (d *Decoder) Done() bool { return d.done }

// Left is how many bytes of a body of known length are still to come.
func (d *Decoder) Left() int64 {
	if d.framing != request.FramingLength {
		return 0
	}
	return d.left
}

// Advance counts n bytes of a body of known length that were moved past the
// decoder; n is at most Left.
func (d *Decoder) Advance(n int64) {
	d.left -= n
	d.done = d.left <= 0
}

// Close is called when the connection ended. It returns io.ErrUnexpectedEOF
// for a body that was cut off; one that lasts until then is complete.
func (d *Decoder) Close() error {
	if d.framing == request.FramingUntilClose {
		d.done = true
	}
	if !d.done {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// take cuts the data off the front of src.
func (d *Decoder) take(src []byte) []byte {
	n := min(int64(len(src)), d.left)
	d.left -= n
	return src[:n:n]
}

// nextChunked goes through framing until there is data or src is used up.
func (d *Decoder) nextChunked(src []byte) (piece []byte, used int, err error) {
	for used < len(src) && !d.done {
		switch d.state {
		case chunkData:
			piece = d.take(src[used:])
			d.spare = min(d.spare+2*int64(len(piece)), math.MaxInt32)
			if d.left == 0 {
				d.state = chunkCR
			}
			return piece, used + len(piece), nil
		case chunkTrailer:
			n, err := d.trailers.next(src[used:])
			if err != nil {
				return nil, used, err
			}
			used += n
			d.done = d.trailers.done
		default:
			if err := d.frame(src[used]); err != nil {
				return nil, used, err
			}
			used++
		}
	}
	return nil, used, nil
}

// frame takes one byte of framing.
func (d *Decoder) frame(c byte) error {
	switch d.state {
	case chunkSize, chunkDigit:
		return d.size(c)
	case chunkBlank, chunkExt:
		return d.extension(c)
	case chunkCR:
		if c != '\r' {
			return ErrChunkLine
		}
		d.state = chunkEnd
	case chunkEnd:
		if c != '\n' {
			return ErrChunkLine
		}
		d.state = chunkSize
	case chunkLF:
		if c != '\n' {
			return ErrChunkSize
		}
		d.state, d.digits = chunkData, 0
		if d.left == 0 {
			d.state = chunkTrailer
		}
	}
	return nil
}

// size takes one byte of a chunk's size or the first one behind it (RFC 9112,
// 7.1). A size that does not fit into 63 bits is refused, not cut.
func (d *Decoder) size(c byte) error {
	if v, ok := unhex(c); ok {
		if d.left > math.MaxInt64>>4 || d.digits == maxDigits {
			return ErrChunkSize
		}
		d.left = d.left<<4 | int64(v)
		d.digits++
		d.state = chunkDigit
		return nil
	}
	if d.state == chunkSize {
		return ErrChunkSize
	}
	switch c {
	case '\r':
		d.state = chunkLF
	case ' ', '\t':
		d.state = chunkBlank
	case ';':
		d.state = chunkExt
	default:
		return ErrChunkSize
	}
	return nil
}

// extension reads over an extension (RFC 9112, 7.1.1). No control byte may
// stand in it, so that its end is the same for every reader.
func (d *Decoder) extension(c byte) error {
	d.spare--
	switch {
	case d.spare < 0:
		return ErrExtension
	case c == '\r':
		d.state = chunkLF
	case c == ';':
		d.state = chunkExt
	case d.state == chunkBlank && !isBlank(c):
		return ErrChunkSize
	case c < ' ' && c != '\t' || c == 0x7f:
		return ErrExtension
	}
	return nil
}
