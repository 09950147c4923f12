package variable

import (
	"bytes"
	"net/netip"
)

// Forwarded tells whom a trusted proxy speaks for: the last address of the
// comma-separated list, or, if recursive, the last one that is not trusted
// itself. Where client is not trusted, or what the list names is no address,
// the search ends with what was found so far.
func Forwarded(client netip.Addr, list []byte, trusted []netip.Prefix, recursive bool) netip.Addr {
	for isTrusted(client, trusted) {
		list = bytes.TrimRight(list, " ,")
		at := bytes.LastIndexAny(list, " ,") + 1
		addr, ok := parseForwarded(list[at:])
		if !ok {
			return client
		}
		client, list = addr, list[:at]
		if !recursive {
			return client
		}
	}
	return client
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	for _, p := range trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseForwarded reads an address that may have a port.
func parseForwarded(b []byte) (netip.Addr, bool) {
	if addr, ok := parseAddr(b); ok {
		return addr, true
	}
	if n := len(b); n > 2 && b[0] == '[' && b[n-1] == ']' {
		return parseAddr(b[1 : n-1])
	}
	ap, err := netip.ParseAddrPort(string(b))
	return ap.Addr(), err == nil
}

// parseAddr reads an address; an IPv4 one without allocating.
func parseAddr(b []byte) (netip.Addr, bool) {
	if v4, ok := parseIPv4(b); ok {
		return v4, true
	}
	if bytes.IndexByte(b, ':') < 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(string(b))
	return addr, err == nil
}

func parseIPv4(b []byte) (addr netip.Addr, ok bool) {
	var quad [4]byte
	n, value, digits := 0, 0, 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			value = 10*value + int(c-'0')
			if digits++; digits > 3 || value > 255 {
				return addr, false
			}
		case c == '.' && digits > 0 && n < 3:
			quad[n] = byte(value)
			n++
			value, digits = 0, 0
		default:
			return addr, false
		}
	}
	if n != 3 || digits == 0 {
		return addr, false
	}
	quad[3] = byte(value)
	return netip.AddrFrom4(quad), true
}
