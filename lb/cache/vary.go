package cache

import (
	"bytes"
	"crypto/md5"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

// maxVary bounds the Vary of a reply that is stored, in bytes: each hit has to
// go through it.
const maxVary = 1 << 10

// varyOf joins the Vary fields of a reply. The reason is not Stored where the
// reply cannot be chosen by them.
func varyOf(arena *variable.Arena, h *request.Head) ([]byte, Reason) {
	i := h.First(request.FieldVary)
	if i < 0 {
		return nil, Stored
	}
	dst := arena.Take()
	for ; i < len(h.Fields); i++ {
		if h.Fields[i].ID != request.FieldVary {
			continue
		}
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, h.Value(&h.Fields[i])...)
	}
	dst = arena.Keep(dst)
	switch {
	case lists(dst, []byte("*")):
		return nil, VariesByAll
	case len(dst) > maxVary:
		return nil, VariesTooMuch
	case len(bytes.Trim(dst, " \t,")) == 0:
		return nil, Stored
	}
	return dst, Stored
}

// digest tells the requests apart that Vary tells apart: by the values of the
// fields that it names (RFC 9111, 4.1). Several fields of a name count as one
// list, and white space around its members does not count.
func digest(r *request.Request, vary []byte) [md5.Size]byte {
	dst := r.Arena().Take()
	dst = append(append(dst, vary...), '\n')
	for list := vary; len(list) > 0; {
		var name []byte
		name, list, _ = bytes.Cut(list, []byte(","))
		dst = appendValues(dst, &r.Head, bytes.TrimSpace(name))
		dst = append(dst, '\n')
	}
	return md5.Sum(r.Arena().Keep(dst))
}

func appendValues(dst []byte, h *request.Head, name []byte) []byte {
	id := request.Known(name)
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.ID != id || id == request.FieldOther && !request.EqualFold(h.Name(f), name) {
			continue
		}
		for value := h.Value(f); ; {
			var member []byte
			var more bool
			member, value, more = bytes.Cut(value, []byte(","))
			dst = append(append(dst, ','), bytes.TrimSpace(member)...) // ahead of each, so that an empty field differs from none
			if !more {
				break
			}
		}
	}
	return dst
}
