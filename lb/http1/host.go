package http1

import (
	"bytes"

	"github.com/weir-lb/weir/lb/request"
)

// checkHost checks Host and sets HostRaw, HostName and HostUpper (RFC 9112, 3.2).
// The host of an absolute-form target, checked before, wins; Host must be right
// all the same.
func checkHost(r *request.Request) *request.Error {
	if i := r.Head.First(request.FieldHost); i >= 0 {
		f := &r.Head.Fields[i]
		name, upper := hostName(r.Head.Value(f))
		if name == 0 {
			return refuseHead(400, "client sent invalid host header")
		}
		if r.HostRaw.Len() == 0 || r.HostRaw == f.Value {
			r.HostRaw = f.Value
			r.HostName = request.Span{Off: f.Value.Off, End: f.Value.Off + uint32(name)}
			r.HostUpper = upper
			return nil
		}
	} else if r.Version >= request.HTTP11 {
		return refuseHead(400, "client sent HTTP/1.1 request without \"Host\" header")
	}
	name, upper := hostName(r.Head.Bytes(r.HostRaw))
	r.HostName = request.Span{Off: r.HostRaw.Off, End: r.HostRaw.Off + uint32(name)}
	r.HostUpper = upper
	return nil
}

// NormalizeHost takes apart the host and port of a request (RFC 3986, 3.2):
// host is in lower case, without port and trailing dot, an IPv6 address in its
// brackets; port is empty where there is none. Where raw is in lower case
// already, host is a view of it, else it is appended to dst. ok is false for
// what cannot be a host, user names included.
func NormalizeHost(dst, raw []byte) (host, port []byte, ok bool) {
	name, upper := hostName(raw)
	if name == 0 {
		return nil, nil, false
	}
	rest := raw[name:]
	if rest = bytes.TrimPrefix(rest, []byte(".")); len(rest) > 0 {
		port = rest[1:]
	}
	if !upper {
		return raw[:name], port, true
	}
	return AppendLower(dst, raw[:name])[len(dst):], port, true
}

// AppendLower appends a host in lower case.
func AppendLower(dst, host []byte) []byte {
	for _, c := range host {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// hostName tells how many bytes of a host with its port are the name, without
// the final dot, and whether there are capitals among them; 0: it cannot be a
// host.
func hostName(raw []byte) (n int, upper bool) {
	n, upper, ok := hostEnd(raw)
	if !ok || n < len(raw) && !allDigits(raw[n+1:]) {
		return 0, false
	}
	if raw[n-1] == '.' {
		n--
	}
	return n, upper
}

func validHost(raw []byte) bool {
	n, _ := hostName(raw)
	return n > 0
}

// hostEnd returns where the host ends: at the colon of the port or with raw.
// The host is not empty and has no empty label but after the last dot.
func hostEnd(raw []byte) (end int, upper, ok bool) {
	if len(raw) > 0 && raw[0] == '[' {
		return literalEnd(raw)
	}
	for i, c := range raw {
		switch class := byteClass[c] & (byteHost | byteUpper); {
		case class == byteHost:
		case class == byteHost|byteUpper:
			upper = true
		case c == ':':
			return i, upper, i > 0
		case c != '.' || i > 0 && raw[i-1] == '.':
			return 0, false, false
		}
	}
	return len(raw), upper, len(raw) > 0
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
