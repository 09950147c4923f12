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
	line  []byte // the whole line, where the value is without variables; else nil
	value *variable.Text
}

// fieldSet is a set of field names: the known ones as bits, others by name.
type fieldSet struct {
	known request.FieldSet
	other [][]byte
}

func (s *fieldSet) add(name string) {
	if id := request.Known([]byte(name)); id != request.FieldOther {
		s.known |= request.Set(id)
		return
	}
	s.other = append(s.other, []byte(name))
}

func (s *fieldSet) remove(name string) {
	if id := request.Known([]byte(name)); id != request.FieldOther {
		s.known &^= request.Set(id)
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

// skip marks the fields of the set as not to be written on.
func (s *fieldSet) skip(h *request.Head) {
	h.SkipEach(s.known)
	for _, name := range s.other {
		h.SkipName(name)
	}
}

// ownFields of a request are made anew for the peer, whatever the client sent.
var ownFields = request.Set(
	request.FieldHost, request.FieldContentLength, request.FieldExpect, request.FieldHTTP2Settings,
)

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
		if f.line != nil {
			dst = append(dst, f.line...)
			continue
		}
		value := f.value.Value(r)
		if len(value) == 0 { // which removes the field
			continue
		}
		dst = append(dst, f.lead...)
		dst = http1.AppendClean(dst, value) // it may hold decoded bytes of the client's target
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
var conditional = request.Set(
	request.FieldIfMatch, request.FieldIfModifiedSince, request.FieldIfNoneMatch,
	request.FieldIfRange, request.FieldIfUnmodifiedSince, request.FieldRange,
)

// writeWish writes what a cache asks for, unless proxy_set_header decides.
func (x *exchange) writeWish(dst []byte) []byte {
	w := &x.r.Wish
	if w.ETag == nil && w.LastModified == nil && w.Range == nil {
		return dst
	}
	for _, f := range [...]struct {
		id    request.FieldID
		value []byte
	}{{request.FieldIfNoneMatch, w.ETag}, {request.FieldIfModifiedSince, w.LastModified}, {request.FieldRange, w.Range}} {
		if f.value == nil || x.h.strip.known.Has(f.id) {
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
	head.SkipNone()
	http1.SkipHopByHop(head)
	x.h.strip.skip(head)
	if x.r.Wish.Whole {
		head.SkipEach(conditional)
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
