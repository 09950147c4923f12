package cert

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Info tells the values of the $ssl_* variables of one connection. It keeps only what they need, not the connection's TLS state,
// and computes what concerns the client's certificate when it is first asked for. It is safe for use by many goroutines.
type Info struct {
	Verification Verification // $ssl_client_verify
	Hello        *Hello       // nil: was not noted

	version    uint16
	cipher     uint16
	curve      tls.CurveID
	resumed    bool
	serverName string
	alpn       string
	leaf       *x509.Certificate

	once   sync.Once
	client clientFields

	named   sync.Once
	session string
}

// clientFields are the texts made of the client's certificate.
type clientFields struct {
	subject, subjectLegacy, issuer, issuerLegacy string
	serial, fingerprint                          string
	start, end                                   string
	pem                                          string
}

// NewInfo takes down a finished handshake and the judgement on the client's certificate.
func NewInfo(state *tls.ConnectionState, v Verification) *Info {
	i := &Info{
		Verification: v,
		version:      state.Version,
		cipher:       state.CipherSuite,
		curve:        state.CurveID,
		resumed:      state.DidResume,
		serverName:   state.ServerName,
		alpn:         state.NegotiatedProtocol,
	}
	if len(state.PeerCertificates) > 0 {
		i.leaf = state.PeerCertificates[0]
	}
	return i
}

// Protocol is $ssl_protocol, such as "TLSv1.3".
func (i *Info) Protocol() string { return ProtocolName(i.version) }

// Cipher is $ssl_cipher, in OpenSSL's naming.
func (i *Info) Cipher() string { return CipherName(i.cipher) }

// Curve is $ssl_curve, the key exchange group.
func (i *Info) Curve() string { return CurveName(i.curve) }

// ServerName is $ssl_server_name, the name asked for by SNI.
func (i *Info) ServerName() string { return i.serverName }

// ALPN is $ssl_alpn_protocol, the protocol agreed on.
func (i *Info) ALPN() string { return i.alpn }

// SessionReused is $ssl_session_reused: "r" for a resumed session, "." for a new one.
func (i *Info) SessionReused() string {
	if i.resumed {
		return "r"
	}
	return "."
}

// SessionID is $ssl_session_id in hexadecimal digits, as OpenSSL names sessions that live in tickets: one of TLS 1.3 by random
// bytes, a resumed one of TLS 1.2 by what its client calls it, and a new one of TLS 1.2 not at all.
func (i *Info) SessionID() string {
	i.named.Do(func() {
		switch {
		case i.version >= tls.VersionTLS13:
			var id [32]byte
			_, _ = rand.Read(id[:]) // it cannot fail
			i.session = hex.EncodeToString(id[:])
		case i.resumed && i.Hello != nil:
			i.session = hex.EncodeToString(i.Hello.session)
		}
	})
	return i.session
}

// ClientVerify is $ssl_client_verify: "SUCCESS", "NONE" or "FAILED:reason".
func (i *Info) ClientVerify() string { return i.Verification.String() }

// ClientSubject is $ssl_client_s_dn, the subject by RFC 2253.
func (i *Info) ClientSubject() string { return i.fields().subject }

// ClientSubjectLegacy is $ssl_client_s_dn_legacy, the subject as "/C=DE/CN=name".
func (i *Info) ClientSubjectLegacy() string { return i.fields().subjectLegacy }

// ClientIssuer is $ssl_client_i_dn, the issuer by RFC 2253.
func (i *Info) ClientIssuer() string { return i.fields().issuer }

// ClientIssuerLegacy is $ssl_client_i_dn_legacy.
func (i *Info) ClientIssuerLegacy() string { return i.fields().issuerLegacy }

// ClientSerial is $ssl_client_serial in hexadecimal digits.
func (i *Info) ClientSerial() string { return i.fields().serial }

// ClientFingerprint is $ssl_client_fingerprint, the SHA-1 digest in hexadecimal digits.
func (i *Info) ClientFingerprint() string { return i.fields().fingerprint }

// ClientStart is $ssl_client_v_start, such as "Nov  2 09:00:00 2026 GMT".
func (i *Info) ClientStart() string { return i.fields().start }

// ClientEnd is $ssl_client_v_end.
func (i *Info) ClientEnd() string { return i.fields().end }

// ClientRemain is $ssl_client_v_remain: the whole days until the certificate expires, "0" if it has.
func (i *Info) ClientRemain(now time.Time) string {
	if i.leaf == nil {
		return ""
	}
	return strconv.Itoa(max(0, int(i.leaf.NotAfter.Sub(now)/(24*time.Hour))))
}

// ClientRawCert is $ssl_client_raw_cert, the certificate in PEM form.
func (i *Info) ClientRawCert() string { return i.fields().pem }

// ClientCert is $ssl_client_cert, the PEM form fit for a header field: each line but the first begins with a tab.
func (i *Info) ClientCert() string {
	return strings.ReplaceAll(strings.TrimSuffix(i.fields().pem, "\n"), "\n", "\n\t")
}

// ClientEscapedCert is $ssl_client_escaped_cert, the PEM form with all but unreserved characters percent-encoded.
func (i *Info) ClientEscapedCert() string { return escape(i.fields().pem) }

func (i *Info) fields() *clientFields {
	if i.leaf != nil {
		i.once.Do(func() { i.client = describe(i.leaf) })
	}
	return &i.client
}

func describe(c *x509.Certificate) clientFields {
	digest := sha1.Sum(c.Raw) // nothing is secured by it: the variable is defined so
	return clientFields{
		subject:       nameRFC2253(c.RawSubject),
		subjectLegacy: nameLegacy(c.RawSubject),
		issuer:        nameRFC2253(c.RawIssuer),
		issuerLegacy:  nameLegacy(c.RawIssuer),
		serial:        serialText(c),
		fingerprint:   hex.EncodeToString(digest[:]),
		start:         timeText(c.NotBefore),
		end:           timeText(c.NotAfter),
		pem:           string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
	}
}

// serialText prints whole bytes, so the number of digits is even.
func serialText(c *x509.Certificate) string {
	b := c.SerialNumber.Bytes()
	if len(b) == 0 {
		return "00"
	}
	sign := ""
	if c.SerialNumber.Sign() < 0 {
		sign = "-"
	}
	return sign + fmt.Sprintf("%X", b)
}

func timeText(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006") + " GMT" }

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
