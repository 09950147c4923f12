package proxy

import "github.com/weir-lb/weir/lb/request"

// render makes the target that the peer gets, by the rules of proxy_pass:
//
//   - without a URI, the client's own target byte for byte, or the path as
//     rewriting left it;
//   - with a URI, the location's part of the path replaced by it;
//   - with variables, what they say, and the client's own target when that
//     names no URI.
//
// It returns a status where the URL that variables gave cannot be used.
func (x *exchange) render() int {
	r, h := x.r, x.h
	replace, whole := h.uri, false
	if h.url != nil {
		replace, whole = x.dynamicURI, true
	}
	switch {
	case replace == nil && !r.Changed:
		x.uri = originTarget(r)
		return 0
	case whole && replace != nil:
		x.uri = replace
		return 0
	}
	dst := r.Arena().Take()
	path := r.Path
	if replace != nil {
		dst = append(dst, replace...)
		path = path[min(len(h.prefix), len(path)):]
	}
	dst = escapePath(dst, path)
	if r.HasArgs || len(r.Args) > 0 {
		dst = append(dst, '?')
		dst = append(dst, r.Args...)
	}
	x.uri = r.Arena().Keep(dst)
	return 0
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

// escapePath percent-encodes a decoded path.
func escapePath(dst, path []byte) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range path {
		if pathEscapes[c] {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
