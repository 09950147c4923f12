package proxy

import "github.com/weir-lb/weir/lb/request"

// render makes the target that the peer gets, by the rules of proxy_pass:
//
//   - without a URI, the client's own target byte for byte, or the path as
//     rewriting left it;
//   - with a URI, the location's part of the path replaced by it, unless
//     "rewrite … break" has set the path: that goes on whole;
//   - with variables, what they say, and the client's own target when that
//     names no URI.
func (x *exchange) render() {
	r, h := x.r, x.h
	replace, whole := h.uri, false
	if h.url != nil {
		replace, whole = x.dynamicURI, true
	}
	switch {
	case replace == nil && !r.Changed:
		x.uri = originTarget(r)
		return
	case whole && replace != nil:
		x.uri = escapeUnsafe(r, replace)
		return
	}
	dst := r.Arena().Take()
	path := r.Path
	if replace != nil && !r.Moved {
		dst = append(dst, replace...)
		path = path[min(len(h.prefix), len(path)):]
	}
	dst = escapePath(dst, path)
	if len(r.Args) > 0 {
		dst = append(dst, '?')
		dst = append(dst, r.Args...)
	}
	x.uri = r.Arena().Keep(dst)
}

// escapeUnsafe percent-encodes what would end a target that variables gave:
// they may hold decoded bytes of the client's.
func escapeUnsafe(r *request.Request, target []byte) []byte {
	for i, c := range target {
		if c > ' ' && c != 0x7f {
			continue
		}
		dst := append(r.Arena().Take(), target[:i]...)
		for _, c := range target[i:] {
			if c > ' ' && c != 0x7f {
				dst = append(dst, c)
			} else {
				dst = append(dst, '%', hex[c>>4], hex[c&15])
			}
		}
		return r.Arena().Keep(dst)
	}
	return target
}

// originTarget is the request's target as received; that of "GET http://host?x"
// has no path, which origin servers need.
func originTarget(r *request.Request) []byte {
	t := r.URI()
	if len(t) > 0 && (t[0] == '/' || t[0] == '*') {
		return t
	}
	dst := append(r.Arena().Take(), '/')
	return r.Arena().Keep(append(dst, t...))
}

// pathEscapes marks the bytes that must not stand in the path of a target as
// they are: controls, space, delimiters, and everything beyond ASCII.
var pathEscapes = escapeSet(" \"#%<>?\\^`{|}")

func escapeSet(chars string) (t [256]bool) {
	for c := range t {
		t[c] = c < 0x20 || c >= 0x7f
	}
	for i := range len(chars) {
		t[chars[i]] = true
	}
	return t
}

const hex = "0123456789ABCDEF"

// escapePath percent-encodes a decoded path.
func escapePath(dst, path []byte) []byte {
	for _, c := range path {
		if pathEscapes[c] {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
