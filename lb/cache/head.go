package cache

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
)

// A head is stored as the reason phrase and the fields, each a line.

// writeHead writes down the reply's head, less what belongs to one connection,
// tells a length, or is named in a list of what is not to be kept.
func writeHead(dst, reason []byte, h *request.Head, without ...[]byte) []byte {
	dst = append(append(dst, reason...), "\r\n"...)
	for i := range h.Fields {
		f := &h.Fields[i]
		if h.Skips(f) || f.ID == request.FieldContentLength || f.ID == request.FieldTrailer || isListed(h.Name(f), without) {
			continue
		}
		dst = append(dst, h.Name(f)...)
		dst = append(dst, ": "...)
		dst = append(dst, h.Value(f)...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

func isListed(name []byte, names [][]byte) bool {
	for _, list := range names {
		if lists(list, name) {
			return true
		}
	}
	return false
}

// readHead puts a stored head into h, whose bytes it stays; it returns the
// reason phrase. What is not of writeHead's making ends the head.
func readHead(h *request.Head, stored []byte) (reason []byte) {
	buf := stored[:len(stored):len(stored)] // what is added goes elsewhere
	h.Reset(buf)
	at := bytes.Index(buf, []byte("\r\n"))
	if at < 0 {
		return nil
	}
	reason = buf[:at:at]
	for at += 2; at < len(buf); {
		line := buf[at:]
		end := bytes.IndexByte(line, '\n')
		colon := bytes.IndexByte(line, ':')
		if end < 1 || colon < 0 || colon+2 >= end {
			break
		}
		name := request.Span{Off: uint32(at), End: uint32(at + colon)}
		at += end + 1
		h.Append(request.Field{
			Name: name, Value: request.Span{Off: name.End + 2, End: uint32(at - 2)}, LineEnd: uint32(at),
			ID: request.Known(line[:colon]),
		})
	}
	return reason
}

// merged is the head of a stored reply brought up to date by a 304 (RFC 9111,
// 3.2): its fields take the place of all that have their names, but for those
// that describe the body that is stored.
func merged(stored []byte, news *request.Head) (head *request.Head, reason []byte) {
	var old request.Head
	reason = readHead(&old, stored)
	head = &request.Head{}
	head.Reset(make([]byte, 0, len(stored)+256))
	for i := range old.Fields {
		f := &old.Fields[i]
		if f.ID == request.FieldAge || replaces(news, old.Name(f)) {
			continue
		}
		head.Add(old.Name(f), old.Value(f))
	}
	for i := range news.Fields {
		if f := &news.Fields[i]; !news.Skips(f) && !describesBody(f.ID) {
			head.Add(news.Name(f), news.Value(f))
		}
	}
	return head, reason
}

// replaces tells whether a 304 says anew what a stored field says.
func replaces(news *request.Head, name []byte) bool {
	if describesBody(request.Known(name)) {
		return false
	}
	_, ok := news.Find(name)
	return ok
}

func describesBody(id request.FieldID) bool {
	switch id {
	case request.FieldContentLength, request.FieldContentEncoding, request.FieldContentType, request.FieldContentRange:
		return true
	}
	return false
}
