package cert

import (
	"crypto/tls"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
)

func cipherLists() []string {
	return []string{
		"HIGH:!aNULL:!MD5", "DEFAULT", "ALL", "HIGH", "AES", "AESGCM", "AES128", "AES256", "CHACHA20", "kRSA", "RSA", "aRSA", "aECDSA", "ECDSA",
		"ECDHE", "EECDH", "kEECDH", "SHA", "SHA1", "SHA256", "TLSv1.2", "TLSv1", "SSLv3",
		"ECDHE+AESGCM:ECDHE+CHACHA20", "kEECDH:!SHA:+AES128", "EECDH+AESGCM:@STRENGTH", "@SECLEVEL=2:ALL:!foo",
		"AES128-SHA -AES128-SHA ALL", "AES256:-ECDSA:ECDSA+AES256", "ECDHE-RSA-AES128-GCM-SHA256:DEFAULT:!AES128",
		"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256",
		"ALL:!ADH:!EXPORT56:RC4+RSA:+HIGH:+MEDIUM:+LOW:+SSLv2:+EXP", "EECDH+ECDSA+AESGCM:EECDH+aRSA+AESGCM:EECDH+ECDSA+SHA384:EECDH:!RC4",
		"HIGH:!aNULL:!kRSA:!PSK:!SRP:!MD5:!RC4", "ALL:-AES:AESGCM", "ALL:+kRSA:+SHA", "AES128-SHA,AES256-SHA",
		"LOW", "RC4", "FOO", "", "TLS_AES_128_GCM_SHA256", "HIGH:!ALL:AES128-SHA", "eNULL:!eNULL", "ALL:@FOO", "MEDIUM", "3DES",
	}
}

func TestParseCiphers(t *testing.T) {
	t.Parallel()
	tests := []struct{ list, want, failure string }{
		{"ECDHE+AESGCM", "ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256", ""},
		{"kRSA:!SHA", "AES256-GCM-SHA384 AES128-GCM-SHA256 AES128-SHA256", ""},
		{"AES128-SHA:AES256-SHA:AES128-SHA", "AES128-SHA AES256-SHA", ""},
		{"AES128-SHA:AES256-SHA:+AES128", "AES256-SHA AES128-SHA", ""},
		{"AES128-SHA:!AES128:AES128-SHA:AES256-SHA", "AES256-SHA", ""},
		{"AES128-SHA:AES256-SHA:@STRENGTH", "AES256-SHA AES128-SHA", ""},
		{"nonsense:AES128-SHA", "AES128-SHA", ""},
		{"FOO", "", `SSL_CTX_set_cipher_list("FOO") failed (SSL: error:SSL routines::no cipher match)`},
		{"RC4:3DES:CAMELLIA", "", "no cipher match"},
		{"AES128-SHA:@FOO", "", "invalid command"},
		{"AES128-SHA:@SECLEVEL=9", "", "invalid command"},
	}
	for _, tt := range tests {
		got, err := ParseCiphers(tt.list)
		wantError(t, tt.list, err, tt.failure)
		if names := cipherNames(got); err == nil && names != tt.want {
			t.Errorf("%s: got %s, want %s", tt.list, names, tt.want)
		}
	}
	if got, _ := ParseCiphers("nonsense:AES128-SHA:!more"); !slices.Equal(got.Ignored, []string{"nonsense", "more"}) {
		t.Errorf("ignored words: %q", got.Ignored)
	}
}

// TestCiphersLikeOpenSSL compares with the openssl program: the same suites in the same order, but for those crypto/tls lacks.
func TestCiphersLikeOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := program.Need(t, "openssl")
	known := make(map[string]bool)
	for _, s := range suites() {
		known[s.name] = true
	}
	for _, list := range cipherLists() {
		out, err := exec.Command(openssl, "ciphers", list).Output()
		var want []string
		for name := range strings.SplitSeq(strings.TrimSpace(string(out)), ":") {
			if known[name] {
				want = append(want, name)
			}
		}
		got, gotErr := ParseCiphers(list)
		if (gotErr != nil) != (err != nil || len(want) == 0) {
			t.Errorf("%q: error %v, openssl %v with %q", list, gotErr, err, want)
		}
		if names := cipherNames(got); names != strings.Join(want, " ") {
			t.Errorf("%q:\n got %s\nwant %s", list, names, strings.Join(want, " "))
		}
	}
}

func cipherNames(l CipherList) string {
	var names []string
	for _, id := range l.IDs {
		names = append(names, CipherName(id))
	}
	return strings.Join(names, " ")
}

// FuzzCiphers checks that any text gives either suites or an error.
func FuzzCiphers(f *testing.F) {
	for _, list := range cipherLists() {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		got, err := ParseCiphers(list)
		if (err == nil) != (len(got.IDs) > 0) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestParseProtocols(t *testing.T) {
	t.Parallel()
	tests := []struct {
		words    string
		min, max uint16
		failure  string
	}{
		{"", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"TLSv1.2", tls.VersionTLS12, tls.VersionTLS12, ""},
		{"TLSv1.3 TLSv1.2", tls.VersionTLS12, tls.VersionTLS13, ""},
		{"SSLv3 TLSv1 TLSv1.1 TLSv1.2", tls.VersionTLS10, tls.VersionTLS12, ""},
		{"SSLv3", 0, 0, "none of the protocols"},
		{"TLSv1.1 TLSv1.3", 0, 0, "leave out"},
		{"TLSv1.4", 0, 0, `invalid value "TLSv1.4"`},
	}
	for _, tt := range tests {
		got, err := ParseProtocols(strings.Fields(tt.words))
		wantError(t, tt.words, err, tt.failure)
		if got.Min != tt.min || got.Max != tt.max {
			t.Errorf("%s: got %x to %x", tt.words, got.Min, got.Max)
		}
	}
}

func TestParseCurves(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value   string
		want    []tls.CurveID
		failure string
	}{
		{"auto", nil, ""},
		{"", nil, ""},
		{"X25519:prime256v1:secp384r1:secp521r1", []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}, ""},
		{"X25519MLKEM768:x25519", []tls.CurveID{tls.X25519MLKEM768, tls.X25519}, ""},
		{"X25519:foo", nil, `SSL_CTX_set1_curves_list("X25519:foo") failed (SSL: error:SSL routines::passed invalid argument:group 'foo' cannot be set)`},
	}
	for _, tt := range tests {
		got, err := ParseCurves(tt.value)
		wantError(t, tt.value, err, tt.failure)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v", tt.value, got)
		}
		for _, id := range got {
			if back, ok := curveID(CurveName(id)); !ok || back != id {
				t.Errorf("%v is named %q", id, CurveName(id))
			}
		}
	}
}
