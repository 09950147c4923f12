package node

import (
	"testing"

	"github.com/weir-lb/weir/config"
)

// TestDrift: configurations that say the same have one fingerprint, and what
// differs is named.
func TestDrift(t *testing.T) {
	t.Parallel()
	const base = "http { upstream a { server 10.0.0.1; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 80; location / { proxy_pass http://a; } } }"
	for _, c := range []struct{ other, want string }{
		{base, ""},
		{"# a comment\nhttp {\n upstream a { server 10.0.0.1;\n server 10.0.0.2; } upstream b { server 10.0.0.3; }\n server { listen 80; location / { proxy_pass http://a; } } }", ""},
		{"cluster { name s; node x; listen 10.0.0.1; data d; secret s; } " + base, ""},
		{"http { upstream a { server 10.0.0.1; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 10.0.0.9:80; location / { proxy_pass http://a; } } }", ""},
		{"error_log e; http { access_log a; upstream a { server 10.0.0.1; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 80; location / { proxy_pass http://a; } } }", ""},
		{"http { upstream a { server 10.0.0.1; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 81; location / { proxy_pass http://a; } } }", ""},
		{"http { upstream a { server 10.0.0.1; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 80 ssl; ssl_certificate c; ssl_certificate_key k; location / { proxy_pass http://a; } } }", "the http block, but no upstream"},
		{"http { upstream a { server 10.0.0.1; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 80; location / { proxy_pass http://b; } } }", "the http block, but no upstream"},
		{"http { upstream a { server 10.0.0.1 weight=2; server 10.0.0.2; } upstream b { server 10.0.0.3; } server { listen 80; location / { proxy_pass http://a; } } }", `upstream "a"`},
		{"http { upstream a { server 10.0.0.2; server 10.0.0.1; } upstream b { server 10.0.0.3; } server { listen 80; location / { proxy_pass http://a; } } }", `upstream "a"`},
		{"http { upstream a { server 10.0.0.1; server 10.0.0.2; ip_hash; } upstream c { server 10.0.0.3; } server { listen 80; location / { proxy_pass http://a; } } }", `upstreams ["a" "b" "c"]`},
		{"events {}", `upstreams ["a" "b"]`},
	} {
		one, other := fingerprintOf(parse(t, base)), fingerprintOf(parse(t, c.other))
		if got := one.differences(&other); got != c.want || other.differences(&one) != got {
			t.Errorf("%s: %q, want %q", c.other, got, c.want)
		}
		if same := one.sum() == other.sum(); same != (c.want == "") {
			t.Errorf("%s: same sum: %v", c.other, same)
		}
	}
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.Options{
		File: "/etc/weir/weir.conf", Hostname: "lb1", DefaultPort: 80,
		ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
