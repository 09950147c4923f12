package http2

import "golang.org/x/net/http2/hpack"

// maxContinuations is how many CONTINUATION frames one header block may have.
const maxContinuations = 64

// Decoder decompresses the header fields of one direction of a connection. It
// is for one goroutine.
type Decoder struct {
	hpack *hpack.Decoder
	take  func(name, value string)

	size   int // bytes of the block so far, compressed
	frames int // of the block so far
}

// NewDecoder returns a decoder with a dynamic table of at most tableSize
// bytes. take gets each field in the order of the block.
func NewDecoder(tableSize uint32, take func(name, value string)) *Decoder {
	d := &Decoder{take: take}
	d.hpack = hpack.NewDecoder(tableSize, func(f hpack.HeaderField) { d.take(f.Name, f.Value) })
	return d
}

// Begin begins a header block. The fields of one that nobody wants are not
// handed on, but it has to be read like any other.
func (d *Decoder) Begin(wanted bool) {
	d.size, d.frames = 0, 0
	d.hpack.SetEmitEnabled(wanted)
}

// Ignore hands on no further field of the block.
func (d *Decoder) Ignore() { d.hpack.SetEmitEnabled(false) }

// Write takes one frame's part of the block; limit bounds the compressed block
// in bytes. Every error ends the connection.
func (d *Decoder) Write(p []byte, limit int) error {
	d.size += len(p)
	d.frames++
	if d.size > limit || d.frames > 1+maxContinuations {
		return connError(EnhanceYourCalm, "header block too large")
	}
	if _, err := d.hpack.Write(p); err != nil {
		return &ConnError{CompressionError, "invalid header block: " + err.Error()}
	}
	return nil
}

// End ends the block.
func (d *Decoder) End() error {
	if err := d.hpack.Close(); err != nil {
		return &ConnError{CompressionError, "invalid header block: " + err.Error()}
	}
	return nil
}

// Size is the length of the block so far, compressed.
func (d *Decoder) Size() int { return d.size }
