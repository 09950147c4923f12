package variable

import (
	"bytes"
	"strings"
)

// Hostnames finds a value by a host name: the exact name first, then the
// longest wildcard at the head (`*.example.com`), then the longest at the tail
// (`www.example.*`). It is filled by one goroutine and then safe for
// concurrent reading.
type Hostnames[T any] struct {
	exact    map[string]T
	leading  map[string]T // by what follows "*."
	trailing map[string]T // by what stands before ".*"
}

// Add puts a name in lower case into the table; `.example.com` stands for the
// name itself and every name below it. A name that is there already keeps its
// value, and added is false.
func (h *Hostnames[T]) Add(name string, value T) (added bool) {
	if h.exact == nil {
		h.exact, h.leading, h.trailing = map[string]T{}, map[string]T{}, map[string]T{}
	}
	switch {
	case strings.HasPrefix(name, "*."):
		return addOnce(h.leading, name[2:], value)
	case strings.HasPrefix(name, ".") && len(name) > 1:
		if _, ok := h.exact[name[1:]]; ok {
			return false
		}
		return addOnce(h.leading, name[1:], value) && addOnce(h.exact, name[1:], value)
	case strings.HasSuffix(name, ".*") && len(name) > 2:
		return addOnce(h.trailing, name[:len(name)-2], value)
	}
	return addOnce(h.exact, name, value)
}

func addOnce[T any](m map[string]T, key string, value T) bool {
	if _, ok := m[key]; ok {
		return false
	}
	m[key] = value
	return true
}

// Find looks a name in lower case up, without allocating.
func (h *Hostnames[T]) Find(name []byte) (value T, found bool) {
	if value, found = h.exact[string(name)]; found {
		return value, true
	}
	if len(h.leading) > 0 {
		for rest := name; ; {
			dot := bytes.IndexByte(rest, '.')
			if dot < 0 {
				break
			}
			rest = rest[dot+1:]
			if value, found = h.leading[string(rest)]; found {
				return value, true
			}
		}
	}
	if len(h.trailing) > 0 {
		for rest := name; ; {
			dot := bytes.LastIndexByte(rest, '.')
			if dot < 0 {
				break
			}
			rest = rest[:dot]
			if value, found = h.trailing[string(rest)]; found {
				return value, true
			}
		}
	}
	return value, false
}
