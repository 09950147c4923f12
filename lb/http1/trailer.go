package http1

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
)

// trailerReader collects the trailer section of a chunked body (RFC 9112,
// 7.1.2) and parses it when it is complete.
type trailerReader struct {
	head *request.Head
	own  request.Head // where the caller wants no trailers
	lim  *Limits
	line int // where the line being read begins in the head's buffer
	done bool
}

// reset begins a section; memory of the one before is used again.
func (t *trailerReader) reset(head *request.Head, lim *Limits) {
	t.head, t.lim, t.line, t.done = head, lim, 0, false
	if t.head == nil {
		t.head = &t.own
	}
	t.head.Reset(t.head.Buf[:0])
}

// next takes bytes and returns how many of them belong to the section.
func (t *trailerReader) next(src []byte) (used int, err error) {
	if len(t.head.Buf) == 0 && bytes.HasPrefix(src, []byte("\r\n")) { // nothing: no memory is needed
		t.done = true
		return 2, nil
	}
	for used < len(src) && !t.done {
		line := src[used:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		h := t.head
		if t.lim.TotalSize > 0 && len(h.Buf)+len(line) > t.lim.TotalSize {
			return used, ErrTooLarge
		}
		h.Buf = append(h.Buf, line...)
		used += len(line)
		if line[len(line)-1] == '\n' {
			if err := t.lineDone(); err != nil {
				return used, err
			}
		}
	}
	return used, nil
}

// lineDone looks at a complete line; the empty one ends the section.
func (t *trailerReader) lineDone() error {
	h := t.head
	line := h.Buf[t.line:]
	t.line = len(h.Buf)
	if len(line) > 2 {
		return nil
	}
	if string(line) != "\r\n" {
		return ErrTrailer
	}
	fields := fieldReader{head: h, lim: t.lim, section: trailerPart}
	switch fields.read() {
	case faultNone:
	case faultLong, faultLarge, faultMany:
		return ErrTooLarge
	default:
		return ErrTrailer
	}
	for i := range h.Fields {
		h.Fields[i].Skip = !h.Fields[i].ID.MayTrail()
	}
	t.done = true
	return nil
}
