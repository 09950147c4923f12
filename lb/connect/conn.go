package connect

import (
	"io"
	"sync"

	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// bufferSize is that of the buffers for long replies, of which it makes few
// reads. No more of them are in use than replies are in work at a time.
const bufferSize = 128 << 10

// small is the size of the buffer that an exchange starts with; a reply that
// fills it goes on in a large one.
const small = 16 << 10

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, small); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}
)

// Conn is one connection to a peer. It is used by one exchange at a time.
type Conn struct {
	wire.Stream

	// Peer is the peer it was made for; Reused tells that an exchange went
	// over it before.
	Peer   *upstream.Peer
	Reused bool

	profile  *Profile
	born     int64 // wire.Now
	requests int

	buf  *[]byte // nil while idle, and while bytes are waited for and none are buffered
	r, w int
	long bool // a long reply is expected: the next buffer lent is a large one
	open bool // the peer may send much ahead

	// The lists of a Group; see there.
	older, newer *Conn // of the same peer
	prev, next   *Conn // of the whole group
	since        int64 // idle since
}

// Buffered returns the bytes received and not yet consumed. They are void
// after the next Fill, Exchange or Free.
func (c *Conn) Buffered() []byte {
	if c.buf == nil {
		return nil
	}
	return (*c.buf)[c.r:c.w]
}

// Consume drops the first n buffered bytes.
func (c *Conn) Consume(n int) {
	c.r += n
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
}

// hold takes a buffer where there is none.
func (c *Conn) hold() {
	if c.buf != nil {
		return
	}
	if c.long {
		c.buf = largeBuffers.Get().(*[]byte)
	} else {
		c.buf = smallBuffers.Get().(*[]byte)
	}
	c.r, c.w = 0, 0
}

// Free gives the buffer back; what it held is lost.
func (c *Conn) Free() {
	switch {
	case c.buf == nil:
		return
	case len(*c.buf) == small:
		smallBuffers.Put(c.buf)
	case len(*c.buf) == bufferSize:
		largeBuffers.Put(c.buf)
	}
	c.buf = nil
	c.r, c.w = 0, 0
}

// room makes space behind the buffered bytes. Bodies move to the large
// buffer; bytes only move when they are a message's beginning.
func (c *Conn) room() ([]byte, error) {
	c.hold()
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w < len(*c.buf) {
		return (*c.buf)[c.w:], nil
	}
	if c.r > 0 {
		c.w = copy(*c.buf, (*c.buf)[c.r:c.w])
		c.r = 0
		return (*c.buf)[c.w:], nil
	}
	if len(*c.buf) >= bufferSize {
		return nil, io.ErrShortBuffer
	}
	c.grow()
	return (*c.buf)[c.w:], nil
}

// grow moves to the large buffer.
func (c *Conn) grow() {
	large := largeBuffers.Get().(*[]byte)
	c.w = copy(*large, (*c.buf)[c.r:c.w])
	c.r = 0
	smallBuffers.Put(c.buf)
	c.buf = large
}

// Widen makes room for a head that the largest pooled buffer does not hold;
// what is buffered stays.
func (c *Conn) Widen(size int) {
	wide := make([]byte, size)
	n := copy(wide, c.Buffered())
	c.Free()
	c.buf, c.w = &wide, n
}

// ahead is how much of a long reply the peer may send before any is read: as
// much as a connection of HTTP/2 holds of one for a slow client.
const ahead = 256 << 10

// Enlarge prepares for a long reply that is read into memory, until the
// connection is put back: the next reads are large ones, and find much.
func (c *Conn) Enlarge() {
	c.long = true
	if !c.open {
		c.open = true
		c.OpenWindow(ahead)
	}
	switch {
	case c.buf == nil || len(*c.buf) != small:
	case c.r == c.w:
		c.Free()
	default:
		c.grow()
	}
}

// Exchange sends a request and waits for the first bytes of the reply, which
// are buffered then.
func (c *Conn) Exchange(out []byte) error {
	c.Begin()
	n, err := c.Stream.Exchange(out, c)
	c.w += n
	return err
}

// Lend implements wire.Lender: it returns an empty buffer, held from now on.
func (c *Conn) Lend() []byte {
	c.hold()
	return *c.buf
}

// Reclaim implements wire.Lender.
func (c *Conn) Reclaim() { c.Free() }

// Begin counts a request that is sent with Write instead of Exchange.
func (c *Conn) Begin() {
	c.requests++
	c.Free()
}

// Fill waits for more bytes behind the buffered ones. io.EOF is the end of the
// peer's side, io.ErrShortBuffer a buffer that is full.
func (c *Conn) Fill() error {
	if c.r == c.w {
		c.Free()
		n, err := c.Stream.ReadLent(c)
		c.w += n
		return err
	}
	p, err := c.room()
	if err != nil {
		return err
	}
	n, err := c.Stream.Read(p)
	c.w += n
	return err
}

// Read takes buffered bytes first; io.EOF is the end.
func (c *Conn) Read(p []byte) (int, error) {
	if b := c.Buffered(); len(b) > 0 {
		n := copy(p, b)
		c.Consume(n)
		return n, nil
	}
	return c.Stream.Read(p)
}

// Close closes the connection at once.
func (c *Conn) Close() error {
	c.Free()
	return c.Stream.Close()
}

// usable tells whether the connection may serve another exchange under the
// limits of its group.
func (c *Conn) usable(k *Keepalive, now int64) bool {
	return c.requests < k.Requests && (k.Time <= 0 || now-c.born < int64(k.Time))
}
