package cert

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"testing"
)

// The names are those that nginx printed for the same offers.
func TestHelloNames(t *testing.T) {
	t.Parallel()
	h := NewHello(&tls.ClientHelloInfo{
		CipherSuites:    []uint16{0x7a7a, 0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xccaa, 0xc024, 0x0033, 0x002f, 0x000a, 0x00ff},
		SupportedCurves: []tls.CurveID{0x2a2a, 29, 23, 30, 25, 24, 256, 260, 22, 26, 0x6399},
	})
	const ciphers = "0x7a7a:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" +
		"ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:DHE-RSA-CHACHA20-POLY1305:" +
		"ECDHE-ECDSA-AES256-SHA384:DHE-RSA-AES128-SHA:AES128-SHA:0x000a:TLS_EMPTY_RENEGOTIATION_INFO_SCSV"
	if got := h.Ciphers(); got != ciphers {
		t.Errorf("ciphers %q", got)
	}
	const curves = "0x2a2a:X25519:prime256v1:X448:secp521r1:secp384r1:ffdhe2048:ffdhe8192:secp256k1:brainpoolP256r1:0x6399"
	if got := h.Curves(); got != curves {
		t.Errorf("curves %q", got)
	}
	var none *Hello
	if none.Ciphers() != "" || none.Curves() != "" {
		t.Error("a hello that was not noted has values")
	}
}

// hello is the begin of a client's hello with a session id.
func hello(record int, id []byte) []byte {
	b := []byte{22, 3, 1, byte(record >> 8), byte(record), 1, 0, 1, 0, 3, 3}
	b = append(b, make([]byte, 32)...)
	return append(append(b, byte(len(id))), id...)
}

func TestHelloSessionID(t *testing.T) {
	t.Parallel()
	id := bytes.Repeat([]byte{0xab}, 32)
	for _, tt := range []struct {
		name  string
		first []byte
		want  []byte
	}{
		{"nothing", nil, nil},
		{"whole", hello(200, id), id},
		{"a short one", hello(200, id[:3]), id[:3]},
		{"none", hello(200, nil), nil},
		{"cut off", hello(200, id)[:HelloHead-1], nil},
		{"too long", hello(200, append(id, 1)), nil},
		{"in two records", hello(50, id), nil},
		{"an alert", append([]byte{21}, hello(200, id)[1:]...), nil},
		{"another message", append(append([]byte{}, hello(200, id)[:5]...), append([]byte{2}, hello(200, id)[6:]...)...), nil},
	} {
		if got := helloSessionID(tt.first); !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %x", tt.name, got)
		}
	}
}

func FuzzHelloSessionID(f *testing.F) {
	f.Add(hello(200, []byte("session")))
	f.Add([]byte("GET / HTTP/1.1"))
	f.Fuzz(func(t *testing.T, first []byte) {
		id := helloSessionID(first)
		if len(id) > longestSession || !bytes.Contains(first, id) {
			t.Errorf("%x from %x", id, first)
		}
	})
}

func TestSessionID(t *testing.T) {
	t.Parallel()
	h := NewHello(&tls.ClientHelloInfo{}).WithSession(hello(200, []byte{1, 2, 3}))
	for _, tt := range []struct {
		name    string
		version uint16
		resumed bool
		want    string
	}{
		{"new, TLS 1.2", tls.VersionTLS12, false, ""},
		{"resumed, TLS 1.2", tls.VersionTLS12, true, "010203"},
	} {
		i := NewInfo(&tls.ConnectionState{Version: tt.version, DidResume: tt.resumed}, Verification{})
		i.Hello = h
		if got := i.SessionID(); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
	i, j := NewInfo(&tls.ConnectionState{Version: tls.VersionTLS13}, Verification{}), NewInfo(&tls.ConnectionState{Version: tls.VersionTLS13}, Verification{})
	first, again, other := i.SessionID(), i.SessionID(), j.SessionID()
	if id, err := hex.DecodeString(first); err != nil || len(id) != 32 || again != first || other == first {
		t.Errorf("TLS 1.3: %q, %q and %q", first, again, other)
	}
}
