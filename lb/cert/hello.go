package cert

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// Hello is what a client's hello told of it, for the variables $ssl_ciphers, $ssl_curves and $ssl_session_id. It does not change.
type Hello struct {
	ciphers []uint16
	curves  []tls.CurveID
	session []byte
}

// HelloHead is how many of a connection's first bytes hold the hello's session id.
const HelloHead = helloSession + 1 + longestSession

const (
	helloSession   = 5 + 4 + 2 + 32 // in front of the session id's length: two heads, a version, random bytes
	longestSession = 32
)

// NewHello takes down a hello but for its session id, which crypto/tls does not show; see WithSession.
func NewHello(hello *tls.ClientHelloInfo) *Hello {
	return &Hello{ciphers: hello.CipherSuites, curves: hello.SupportedCurves}
}

// WithSession returns h with the session id that the connection's first bytes hold, of which HelloHead are enough.
func (h *Hello) WithSession(first []byte) *Hello {
	with := *h
	with.session = helloSessionID(first)
	return &with
}

// helloSessionID finds the session id in the first record of a connection, a client's hello (RFC 8446, sections 4.1.2 and 5.1);
// nil where there is none.
func helloSessionID(first []byte) []byte {
	const handshake, clientHello = 22, 1
	if len(first) <= helloSession || first[0] != handshake || first[5] != clientHello {
		return nil
	}
	n, id := int(first[helloSession]), first[helloSession+1:]
	if record := int(first[3])<<8 | int(first[4]); n == 0 || n > longestSession || n > len(id) || 5+record < helloSession+1+n {
		return nil
	}
	return id[:n]
}

// Ciphers is $ssl_ciphers: what the client offers in its order, ciphers without a name in hexadecimal.
func (h *Hello) Ciphers() string {
	if h == nil {
		return ""
	}
	names := make([]string, len(h.ciphers))
	for i, id := range h.ciphers {
		if names[i] = offeredName(id); names[i] == "" {
			names[i] = hexName(id)
		}
	}
	return strings.Join(names, ":")
}

// Curves is $ssl_curves, the key exchange groups that the client offers.
func (h *Hello) Curves() string {
	if h == nil {
		return ""
	}
	names := make([]string, len(h.curves))
	for i, id := range h.curves {
		names[i] = CurveName(id)
	}
	return strings.Join(names, ":")
}

func hexName(id uint16) string { return fmt.Sprintf("0x%04x", id) }

// offeredName is OpenSSL's name of a cipher that clients offer, whether or not it is known here; empty for those that OpenSSL as
// distributed does not name, or that no common client offers.
func offeredName(id uint16) string {
	for _, s := range suites() {
		if s.id == id {
			return s.name
		}
	}
	switch id {
	case tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256:
		return CipherName(id)
	case 0x1304:
		return "TLS_AES_128_CCM_SHA256"
	case 0x1305:
		return "TLS_AES_128_CCM_8_SHA256"
	case 0x00ff:
		return "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
	case 0x5600:
		return "TLS_FALLBACK_SCSV"
	case 0x0033:
		return "DHE-RSA-AES128-SHA"
	case 0x0039:
		return "DHE-RSA-AES256-SHA"
	case 0x003d:
		return "AES256-SHA256"
	case 0x0067:
		return "DHE-RSA-AES128-SHA256"
	case 0x006b:
		return "DHE-RSA-AES256-SHA256"
	case 0x009e:
		return "DHE-RSA-AES128-GCM-SHA256"
	case 0x009f:
		return "DHE-RSA-AES256-GCM-SHA384"
	case 0xc024:
		return "ECDHE-ECDSA-AES256-SHA384"
	case 0xc028:
		return "ECDHE-RSA-AES256-SHA384"
	case 0xccaa:
		return "DHE-RSA-CHACHA20-POLY1305"
	}
	return ""
}
