package cert

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// Protocols is a set of protocol versions as ssl_protocols names them.
type Protocols struct {
	Min, Max uint16 // crypto/tls version numbers; zero in the zero value, which stands for TLSv1.2 and TLSv1.3
}

// ParseProtocols reads the words of ssl_protocols. No words at all stand for nginx's default, TLSv1.2 and TLSv1.3.
// SSLv2 and SSLv3 exist no more: they are ignored next to others, as OpenSSL does, and an error when alone.
// crypto/tls takes a range, so a list with a gap is an error.
func ParseProtocols(words []string) (Protocols, error) {
	if len(words) == 0 {
		return Protocols{tls.VersionTLS12, tls.VersionTLS13}, nil
	}
	var have [4]bool
	for _, w := range words {
		switch w {
		case "SSLv2", "SSLv3":
		case "TLSv1":
			have[0] = true
		case "TLSv1.1":
			have[1] = true
		case "TLSv1.2":
			have[2] = true
		case "TLSv1.3":
			have[3] = true
		default:
			return Protocols{}, fmt.Errorf("invalid value %q", w)
		}
	}
	var p Protocols
	for i, on := range have {
		version := tls.VersionTLS10 + uint16(i)
		switch {
		case !on:
		case p.Min == 0:
			p.Min, p.Max = version, version
		case p.Max != version-1:
			return Protocols{}, fmt.Errorf("protocols %q leave out a version in between, which is not possible", strings.Join(words, " "))
		default:
			p.Max = version
		}
	}
	if p.Min == 0 {
		return Protocols{}, fmt.Errorf("none of the protocols %q is available", strings.Join(words, " "))
	}
	return p, nil
}

// ProtocolName returns OpenSSL's name of a protocol version, such as "TLSv1.3".
func ProtocolName(version uint16) string {
	switch version {
	case tls.VersionTLS10:
		return "TLSv1"
	case tls.VersionTLS11:
		return "TLSv1.1"
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return "unknown"
}
