package request

import (
	"bytes"
	"os"

	"github.com/weir-lb/weir/lb/variable"
)

// Sub makes a request of its own out of r: the same head, place and variables,
// with a reply that goes nowhere. It shares no memory with r and may outlast
// it; its body is empty. Changes to it are not seen by r.
func (r *Request) Sub() *Request {
	s := &Request{Facts: r.Facts}
	conn := *r.Conn
	s.Conn = &conn
	s.Head.copyFrom(&r.Head)
	s.Captures.Subject = bytes.Clone(r.Captures.Subject)
	s.Captures.pairs = append(s.Captures.pairs, r.Captures.pairs...)
	s.memos = make([]variable.Memo, len(r.memos))
	for i, m := range r.memos {
		s.memos[i] = variable.Memo{Value: bytes.Clone(m.Value), Known: m.Known, Found: m.Found}
	}
	for _, p := range []*[]byte{
		&s.Host, &s.Path, &s.Args, &s.Named, &s.ServerName, &s.User, &s.ClientText, &s.ProxyHost, &s.ProxyPort,
	} {
		*p = bytes.Clone(*p)
	}
	s.Proxying = nil
	s.Cached, s.Wish, s.Fault = Cached{}, Wish{}, FaultNone
	s.Out = Nowhere{}
	s.Reply.reset()
	return s
}

// copyFrom makes h a copy of another head, with memory of its own.
func (h *Head) copyFrom(o *Head) {
	*h = Head{Buf: bytes.Clone(o.Buf), CRLF: o.CRLF, seen: o.seen, double: o.double, skip: o.skip, first: o.first}
	h.Fields = append(h.Fields, o.Fields...)
}

// Nowhere is the Out of a request whose reply nobody awaits.
type Nowhere struct{}

// Begin implements Out.
func (Nowhere) Begin() error { return nil }

// Write implements Out.
func (Nowhere) Write([]byte) error { return nil }

// SendFile implements Out.
func (Nowhere) SendFile(*os.File, int64, int64) error { return nil }

// Flush implements Out.
func (Nowhere) Flush() error { return nil }

// End implements Out.
func (Nowhere) End(*Head) error { return nil }

// Interim implements Out.
func (Nowhere) Interim(int, *Head) error { return nil }

// Watch implements Out: there is no client that could leave.
func (Nowhere) Watch(func()) {}

// Unwatch implements Out.
func (Nowhere) Unwatch() {}

// Tunnel implements Out.
func (Nowhere) Tunnel() (Tunnel, bool) { return nil, false }
