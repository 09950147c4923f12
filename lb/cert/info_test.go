package cert

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"
)

func readCertificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseCertificates(text)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	return list[0]
}

// TestInfo has the texts that the openssl program gives for the same certificate.
func TestInfo(t *testing.T) {
	t.Parallel()
	leaf := readCertificate(t, "names.crt")
	i := NewInfo(&tls.ConnectionState{
		Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, CurveID: tls.X25519, DidResume: true,
		ServerName: "a.example", NegotiatedProtocol: "h2", PeerCertificates: []*x509.Certificate{leaf},
	}, Verification{Present: true})
	two := NewInfo(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{readCertificate(t, "names2.crt")}}, Verification{})
	tests := []struct{ name, got, want string }{
		{"protocol", i.Protocol(), "TLSv1.2"},
		{"cipher", i.Cipher(), "ECDHE-RSA-AES128-GCM-SHA256"},
		{"curve", i.Curve(), "X25519"},
		{"server name", i.ServerName(), "a.example"},
		{"alpn", i.ALPN(), "h2"},
		{"reused", i.SessionReused(), "r"},
		{"verify", i.ClientVerify(), "SUCCESS"},
		{"s_dn", i.ClientSubject(), `emailAddress=a@b.c,CN=\ lead#,OU=b,O=Gr\C3\B6\C3\9Fe\, S\C3\B6hne,ST=Bayern,C=DE`},
		{"s_dn_legacy", i.ClientSubjectLegacy(), `/C=DE/ST=Bayern/O=Gr\xC3\xB6\xC3\x9Fe, S\xC3\xB6hne/OU=b/CN= lead#/emailAddress=a@b.c`},
		{"i_dn", i.ClientIssuer(), i.ClientSubject()},
		{"i_dn_legacy", i.ClientIssuerLegacy(), i.ClientSubjectLegacy()},
		{"serial", i.ClientSerial(), "ABCDEF0123"},
		{"fingerprint", i.ClientFingerprint(), "212a0993c30c6f9b270986b9e1b105346eac95bf"},
		{"v_start", i.ClientStart(), "Nov 23 00:49:39 2026 GMT"},
		{"v_end", i.ClientEnd(), "Oct 30 00:49:39 2126 GMT"},
		{"v_remain", i.ClientRemain(leaf.NotAfter.Add(-49 * time.Hour)), "2"},
		{"v_remain, expired", i.ClientRemain(leaf.NotAfter.Add(49 * time.Hour)), "0"},
		{"several in one part", two.ClientSubject(), "UID=u1+CN=m,DC=org"},
		{"several in one part, legacy", two.ClientSubjectLegacy(), "/DC=org/CN=m+UID=u1"},
		{"serial 0", two.ClientSerial(), "00"},
		{"new session", two.SessionReused(), "."},
		{"no certificate seen", two.ClientVerify(), "NONE"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestInfoCertificateText(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/names.crt")
	if err != nil {
		t.Fatal(err)
	}
	i := NewInfo(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{readCertificate(t, "names.crt")}}, Verification{})
	if i.ClientRawCert() != string(text) {
		t.Errorf("raw: %q", i.ClientRawCert())
	}
	if got := strings.ReplaceAll(i.ClientCert(), "\n\t", "\n") + "\n"; got != string(text) || strings.Count(i.ClientCert(), "\t") != strings.Count(got, "\n")-1 {
		t.Errorf("header form: %q", i.ClientCert())
	}
	escaped := i.ClientEscapedCert()
	if !strings.HasPrefix(escaped, "-----BEGIN%20CERTIFICATE-----%0AMI") || strings.ContainsAny(escaped, "+/=\n ") {
		t.Errorf("escaped: %q", escaped)
	}
}

func TestInfoWithoutCertificate(t *testing.T) {
	t.Parallel()
	i := NewInfo(&tls.ConnectionState{}, Verification{})
	for _, got := range []string{i.ClientSubject(), i.ClientSerial(), i.ClientRawCert(), i.ClientCert(), i.ClientEscapedCert(),
		i.ClientRemain(time.Now()), i.ClientStart(), i.Curve()} {
		if got != "" {
			t.Errorf("got %q of no certificate", got)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, name := range []string{"names.crt", "names2.crt"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		list, err := parseCertificates(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(list[0].RawSubject)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, text := range []string{nameRFC2253(der), nameLegacy(der)} {
			if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
				t.Errorf("%q holds characters that could break a header or log line", text)
			}
		}
	})
}
