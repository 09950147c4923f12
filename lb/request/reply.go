package request

import (
	"os"
	"time"
)

// Reply is the reply to one request: its head, and how much of it was sent.
type Reply struct {
	Status int
	Reason []byte // an upstream's status text; nil: the standard one
	// Head holds an upstream's fields to pass on; nil for weir's own replies.
	// Fields marked Skip stay behind.
	Head *Head
	// Length of the body; -1: unknown until its end.
	Length int64
	// ContentType, Location and ETag are written where they are not nil;
	// LastModified where it is not zero. An upstream's reply leaves them to Head.
	ContentType  []byte
	Location     []byte
	ETag         []byte
	LastModified time.Time
	Added        []AddedField // further fields, in order
	Trailers     *Head        // what follows the body; nil: nothing
	NoBody       bool         // HEAD, 204, 304: a head only, whatever Length says
	Ranges       bool         // Accept-Ranges is offered and Range honoured
	Local        bool         // the reply was made by weir, not by an upstream
	Cacheable    bool         // answered from a file: conditional requests apply
	Hurry        bool         // unbuffered: body bytes leave at once
	Aside        bool         // another goroutine writes the body: nobody else may use Out

	HeadSent  bool
	Sent      int64 // all bytes written to the client for this reply
	BodySent  int64 // of the body, without framing
	Completed bool
	// Close asks for the connection to be closed after this reply; Broken
	// that it is closed at once, so that the client sees an unfinished message.
	Close  bool
	Broken bool
}

// AddedField is a field that weir adds to a reply.
type AddedField struct {
	Name  string
	Value []byte
}

// Add appends a field to the reply.
func (p *Reply) Add(name string, value []byte) {
	p.Added = append(p.Added, AddedField{name, value})
}

// Modified returns when what the reply brings was changed last, by weir's
// knowledge or the upstream's field; zero: nobody says.
func (p *Reply) Modified() time.Time {
	if p.Head == nil {
		return p.LastModified
	}
	text, ok := p.Head.Get(FieldLastModified)
	if !ok {
		return time.Time{}
	}
	at, _ := ParseDate(text) // what cannot be read says nothing
	return at
}

// reset makes ready for the reply to another request.
func (p *Reply) reset() {
	added := p.Added[:0]
	*p = Reply{}
	p.Added, p.Length = added, -1
}

// Clear takes back a reply of which nothing was sent, so that another can be
// made in its place.
func (p *Reply) Clear() {
	*p = Reply{Length: -1, Added: p.Added[:0], Close: p.Close, Sent: p.Sent}
}

// Out is the way back to the client. HTTP/1 connections and HTTP/2 streams
// implement it. Errors mean that the client is gone; nothing more needs to be
// written then.
type Out interface {
	// Begin takes the head of r.Reply, which from then on must not change. It
	// is held back to leave together with the first bytes of the body.
	Begin() error
	// Write sends body bytes; p is the caller's again on return.
	Write(p []byte) error
	// SendFile sends n bytes of a file from an offset.
	SendFile(f *os.File, offset, n int64) error
	// Flush sends what is held back.
	Flush() error
	// End completes the reply, with trailers where they are not nil.
	End(trailers *Head) error
	// Interim sends a 1xx reply with the fields of h.
	Interim(status int, h *Head) error
	// Watch calls gone, once and on another goroutine, if the client leaves
	// before Unwatch; gone never runs after Unwatch has returned. It is for
	// waits that have become long, and only one watch is held at a time.
	Watch(gone func())
	Unwatch()
	// Tunnel sends the head of r.Reply, which switches protocols, and hands
	// over the client's connection; false where there is none to hand over.
	Tunnel() (Tunnel, bool)
}

// Tunnel is a client's connection after it left HTTP. One goroutine may be in
// Each while another writes.
type Tunnel interface {
	// Each hands over every piece that arrives, first what came behind the
	// request, until the client ends its side (nil), take fails, or alive,
	// asked when the wait is over, names no later time (wire.Now) to wait for.
	Each(take func(p []byte) error, alive func() (until int64)) error
	Write(p []byte) (int, error)
	// Interrupt ends Each from another goroutine.
	Interrupt()
}
