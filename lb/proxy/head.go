package proxy

import (
	"bytes"
	"strconv"

	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// setField is one proxy_set_header, or a default of it.
type setField struct {
	name  string
	lead  []byte // "Name: "
	value *variable.Text
}

// fieldSet is a set of field names: the known ones as bits, others by name.
type fieldSet struct {
	known uint64
	other [][]byte
}

func (s *fieldSet) add(name string) {
	if id := request.Known([]byte(name)); id != request.FieldOther {
		s.known |= 1 << id
		return
	}
	s.other = append(s.other, []byte(name))
}

func (s *fieldSet) remove(name string) {
	if id := request.Known([]byte(name)); id != request.FieldOther {
		s.known &^= 1 << id
		return
	}
	kept := s.other[:0:0]
	for _, o := range s.other {
		if !request.EqualFold(o, []byte(name)) {
			kept = append(kept, o)
		}
	}
	s.other = kept
}

func (s *fieldSet) has(h *request.Head, f *request.Field) bool {
	if f.ID != request.FieldOther {
		return s.known&(1<<f.ID) != 0
	}
	for _, name := range s.other {
		if request.EqualFold(name, h.Name(f)) {
			return true
		}
	}
	return false
}

// ownFields of a request are made anew for the peer, whatever the client sent.
const ownFields = 1<<request.FieldHost | 1<<request.FieldContentLength | 1<<request.FieldExpect |
	1<<request.FieldHTTP2Settings

// writeHead writes request line and fields into x.out, in the form of HTTP/1
// whatever the peer speaks.
func (x *exchange) writeHead() {
	r, h := x.r, x.h
	dst := x.out[:0]
	if h.Method != nil {
		dst = h.Method.Append(dst, r)
	} else if x.verb() == request.VerbGet { // a cache wants one, or an internal redirect may have made it one
		dst = append(dst, "GET"...)
	} else {
		dst = append(dst, r.MethodName()...)
	}
	dst = append(dst, ' ')
	dst = append(dst, x.uri...)
	dst = append(dst, h.versionLine...)
	dst = x.appendSet(dst)
	dst = x.writeWish(dst)
	dst = x.writeFraming(dst)
	if te, ok := r.Head.Get(request.FieldTE); ok && h.passTE && bytes.Contains(bytes.ToLower(te), []byte("trailers")) {
		dst = append(dst, "TE: trailers\r\n"...)
	}
	if h.PassHeaders {
		x.choose()
		dst = r.Head.AppendFields(dst)
	}
	x.out = append(dst, "\r\n"...)
}

// appendSet writes the fields that the location sets.
func (x *exchange) appendSet(dst []byte) []byte {
	r, h := x.r, x.h
	for i := range h.set {
		f := &h.set[i]
		at := len(dst)
		dst = append(dst, f.lead...)
		start := len(dst)
		dst = f.value.Append(dst, r)
		if len(dst) == start { // an empty value removes the field
			dst = dst[:at]
			continue
		}
		if !f.safe() {
			neutralise(dst[start:])
		}
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// isMethod tells whether a value can stand as a method without ending it.
func isMethod(value []byte) bool {
	for _, c := range value {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(value) > 0
}

// safe tells that a value is the operator's own text.
func (f *setField) safe() bool {
	_, static := f.value.Static()
	return static
}

// neutralise replaces what could end a field's line by spaces: values may hold
// decoded bytes of the client's target.
func neutralise(value []byte) {
	for i, c := range value {
		if c == '\r' || c == '\n' || c == 0 {
			value[i] = ' '
		}
	}
}

// writeFraming tells the peer how long the body is.
func (x *exchange) writeFraming(dst []byte) []byte {
	switch {
	case x.body.chunked():
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case x.body.length > 0 || x.r.Head.Has(request.FieldContentLength) || x.r.Body.Framing != request.FramingNone:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, max(x.body.length, 0), 10)
		return append(dst, "\r\n"...)
	}
	return dst
}

// conditional are the fields that a cache keeps from the upstream, since it
// answers them itself from the whole reply.
const conditional = 1<<request.FieldIfMatch | 1<<request.FieldIfModifiedSince | 1<<request.FieldIfNoneMatch |
	1<<request.FieldIfRange | 1<<request.FieldIfUnmodifiedSince | 1<<request.FieldRange

// writeWish writes what a cache asks for, unless proxy_set_header decides.
func (x *exchange) writeWish(dst []byte) []byte {
	w := &x.r.Wish
	for _, f := range [...]struct {
		id    request.FieldID
		value []byte
	}{{request.FieldIfNoneMatch, w.ETag}, {request.FieldIfModifiedSince, w.LastModified}, {request.FieldRange, w.Range}} {
		if f.value == nil || x.h.strip.known&(1<<f.id) != 0 {
			continue
		}
		dst = append(dst, f.id.String()...)
		dst = append(dst, ": "...)
		dst = append(dst, f.value...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// choose marks which of the client's fields stay behind.
func (x *exchange) choose() {
	head := &x.r.Head
	for i := range head.Fields {
		head.Fields[i].Skip = false
	}
	http1.SkipHopByHop(head)
	for i := range head.Fields {
		if f := &head.Fields[i]; !f.Skip {
			f.Skip = x.h.strip.has(head, f) || x.r.Wish.Whole && conditional&(1<<f.ID) != 0
		}
	}
}

// passHints tells whether 103 replies go to the client (early_hints).
func (x *exchange) passHints() bool {
	if len(x.h.earlyHints) == 0 || x.r.Version < request.HTTP11 {
		return false
	}
	for _, t := range x.h.earlyHints {
		if !variable.True(t.Value(x.r)) {
			return false
		}
	}
	return true
}
