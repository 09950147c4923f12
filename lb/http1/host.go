package http1

import "github.com/weir-lb/weir/lb/request"

// checkHost checks Host and sets HostRaw (RFC 9112, 3.2). The host of an
// absolute-form target, checked before, wins; Host must be right all the same.
func checkHost(r *request.Request) *request.Error {
	i := r.Head.First(request.FieldHost)
	if i < 0 {
		if r.Version >= request.HTTP11 {
			return refuseHead(400, "client sent HTTP/1.1 request without \"Host\" header")
		}
		return nil
	}
	f := &r.Head.Fields[i]
	if !validHost(r.Head.Value(f)) {
		return refuseHead(400, "client sent invalid host header")
	}
	if r.HostRaw.Len() == 0 {
		r.HostRaw = f.Value
	}
	return nil
}

// NormalizeHost takes apart the host and port of a request (RFC 3986, 3.2):
// host is in lower case, without port and trailing dot, an IPv6 address in its
// brackets; port is empty where there is none. Where raw is in lower case
// already, host is a view of it, else it is appended to dst. ok is false for
// what cannot be a host, user names included.
func NormalizeHost(dst, raw []byte) (host, port []byte, ok bool) {
	end, upper, ok := hostEnd(raw)
	if !ok {
		return nil, nil, false
	}
	if end < len(raw) {
		port = raw[end+1:]
		if !allDigits(port) {
			return nil, nil, false
		}
	}
	host = raw[:end]
	if host[end-1] == '.' {
		host = host[:end-1]
	}
	if len(host) == 0 {
		return nil, nil, false
	}
	if !upper {
		return host, port, true
	}
	from := len(dst)
	for _, c := range host {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst[from:], port, true
}

func validHost(raw []byte) bool {
	end, _, ok := hostEnd(raw)
	if !ok || end == 1 && raw[0] == '.' {
		return false
	}
	return end == len(raw) || allDigits(raw[end+1:])
}

// hostEnd returns where the host ends: at the colon of the port or with raw.
// The host is not empty and has no empty label but after the last dot.
func hostEnd(raw []byte) (end int, upper, ok bool) {
	if len(raw) > 0 && raw[0] == '[' {
		return literalEnd(raw)
	}
	dot := false
	i := 0
	for ; i < len(raw) && raw[i] != ':'; i++ {
		c := raw[i]
		if c == '.' {
			if dot {
				return 0, false, false
			}
			dot = true
			continue
		}
		dot = false
		class := byteClass[c]
		if class&byteHost == 0 {
			return 0, false, false
		}
		upper = upper || class&byteUpper != 0
	}
	return i, upper, i > 0
}

// literalEnd is hostEnd for an IPv6 address in brackets (RFC 3986, 3.2.2). Its
// bytes are checked, not its sense: it is only compared with names.
func literalEnd(raw []byte) (end int, upper, ok bool) {
	colons := 0
	for i := 1; i < len(raw); i++ {
		c := raw[i]
		class := byteClass[c]
		switch {
		case c == ']':
			end = i + 1
			return end, upper, colons > 1 && (end == len(raw) || raw[end] == ':')
		case c == ':':
			colons++
		case class&byteHex == 0 && c != '.':
			return 0, false, false
		}
		upper = upper || class&byteUpper != 0
	}
	return 0, false, false
}

// allDigits tells whether p is a port, which may be empty.
func allDigits(p []byte) bool {
	for _, c := range p {
		if !isDigit(c) {
			return false
		}
	}
	return true
}
