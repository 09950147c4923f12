package request

import (
	"bytes"
	"strings"

	"github.com/weir-lb/weir/lb/variable"
)

// joiner collects the values of fields that share a name. The first is taken
// as it is; further ones make it a list in the arena.
type joiner struct {
	arena     *variable.Arena
	separator string
	value     []byte
	n         int
}

func (j *joiner) add(v []byte) {
	switch j.n {
	case 0:
		j.value = v
	case 1:
		j.value = append(j.arena.Take(), j.value...)
		fallthrough
	default:
		j.value = append(append(j.value, j.separator...), v...)
	}
	j.n++
}

func (j *joiner) result() ([]byte, bool) {
	if j.n > 1 {
		j.value = j.arena.Keep(j.value)
	}
	return j.value, j.n > 0
}

// fieldName is a name as `$http_…` writes it, ready to be looked up.
type fieldName struct {
	variable string // lower case, underscores for hyphens
	id       FieldID
}

func newFieldName(rest string) fieldName {
	return fieldName{rest, Known([]byte(strings.ReplaceAll(rest, "_", "-")))}
}

// matches compares a name as received.
func (n *fieldName) matches(name []byte) bool {
	if len(name) != len(n.variable) {
		return false
	}
	for i, c := range name {
		if c = lower(c); c == '-' {
			c = '_'
		}
		if c != n.variable[i] {
			return false
		}
	}
	return true
}

// collect adds the values of all fields of that name. Those that are not
// passed on count only where skipped says so.
func (n *fieldName) collect(h *Head, j *joiner, skipped bool) {
	from := 0
	if n.id != FieldOther {
		if from = h.First(n.id); from < 0 {
			return
		}
	}
	for i := from; i < len(h.Fields); i++ {
		f := &h.Fields[i]
		if f.ID == n.id && (skipped || !h.Skips(f)) && (n.id != FieldOther || n.matches(h.Name(f))) {
			j.add(h.Value(f))
		}
	}
}

// lookup is the value of all fields of that name in one head.
func (n *fieldName) lookup(r *Request, h *Head) ([]byte, bool) {
	if h == nil {
		return nil, false
	}
	j := joiner{arena: &r.arena, separator: ", "}
	if n.id == FieldCookie {
		j.separator = "; "
	}
	n.collect(h, &j, true)
	return j.result()
}

// addFields adds the families of variables that look into heads.
func addFields(t *variable.Table) {
	addFamily(t, "http_", func(rest string) getter {
		name := newFieldName(rest)
		return func(r *Request) ([]byte, bool) { return name.lookup(r, &r.Head) }
	})
	addFamily(t, "upstream_http_", func(rest string) getter {
		name := newFieldName(rest)
		return func(r *Request) ([]byte, bool) { return name.lookup(r, &r.Upstream) }
	})
	addFamily(t, "upstream_trailer_", func(rest string) getter {
		name := newFieldName(rest)
		return func(r *Request) ([]byte, bool) { return name.lookup(r, &r.Trailers) }
	})
	addFamily(t, "sent_trailer_", func(rest string) getter {
		name := newFieldName(rest)
		return func(r *Request) ([]byte, bool) { return name.lookup(r, r.Reply.Trailers) }
	})
	addFamily(t, "cookie_", func(name string) getter {
		return func(r *Request) ([]byte, bool) { return r.cookie(name) }
	})
	addFamily(t, "upstream_cookie_", func(name string) getter {
		return func(r *Request) ([]byte, bool) { return r.upstreamCookie(name) }
	})
	add(t, "proxy_add_x_forwarded_for", forwardedFor)
}

// forwardedFor is the client's X-Forwarded-For with the client behind it.
func forwardedFor(r *Request) ([]byte, bool) {
	name := fieldName{id: FieldXForwardedFor}
	j := joiner{arena: &r.arena, separator: ", "}
	name.collect(&r.Head, &j, true)
	j.add(r.ClientText)
	return j.result()
}

// cookie finds a cookie of the request by its name in any case.
func (r *Request) cookie(name string) ([]byte, bool) {
	i := r.Head.First(FieldCookie)
	if i < 0 {
		return nil, false
	}
	for ; i < len(r.Head.Fields); i++ {
		f := &r.Head.Fields[i]
		if f.ID != FieldCookie {
			continue
		}
		for rest := r.Head.Value(f); len(rest) > 0; rest = afterCookie(rest) {
			if v, ok := cookieValue(rest, name); ok {
				return v, true
			}
		}
	}
	return nil, false
}

// cookieValue tells the value of the cookie at the head of b, if it bears the
// name.
func cookieValue(b []byte, name string) ([]byte, bool) {
	if len(b) < len(name) || !equalFoldString(b[:len(name)], name) {
		return nil, false
	}
	b = bytes.TrimLeft(b[len(name):], " ")
	if len(b) == 0 || b[0] != '=' {
		return nil, false
	}
	b = bytes.TrimLeft(b[1:], " ")
	if end := bytes.IndexByte(b, ';'); end >= 0 {
		b = b[:end]
	}
	return b, true
}

// afterCookie is what follows the cookie at the head of b.
func afterCookie(b []byte) []byte {
	for i, c := range b {
		if c == ';' || c == ',' {
			return bytes.TrimLeft(b[i+1:], " ")
		}
	}
	return nil
}

// upstreamCookie finds a cookie that the upstream sets.
func (r *Request) upstreamCookie(name string) ([]byte, bool) {
	h := &r.Upstream
	i := h.First(FieldSetCookie)
	if i < 0 {
		return nil, false
	}
	for ; i < len(h.Fields); i++ {
		if f := &h.Fields[i]; f.ID == FieldSetCookie {
			if v, ok := cookieValue(h.Value(f), name); ok {
				return v, true
			}
		}
	}
	return nil, false
}

// ForwardedFor implements variable.Client.
func (r *Request) ForwardedFor() []byte {
	name := fieldName{id: FieldXForwardedFor}
	j := joiner{arena: &r.arena, separator: ", "}
	name.collect(&r.Head, &j, true)
	value, _ := j.result()
	return value
}
