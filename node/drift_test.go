package node

import (
	"path/filepath"
	"strings"
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

// TestDriftOfPlaces: nodes that are installed in different places have the same
// configuration where the names of files are relative to these.
func TestDriftOfPlaces(t *testing.T) {
	t.Parallel()
	const text = "http { server { listen 80 ssl; ssl_certificate c.crt; ssl_certificate_key c.key; root www; } }"
	one, other := fingerprintOf(parseAt(t, "/opt/one/weir.conf", text)), fingerprintOf(parseAt(t, "/opt/other/weir.conf", text))
	if got := one.differences(&other); got != "" {
		t.Error(got)
	}
	elsewhere := fingerprintOf(parseAt(t, "/opt/one/weir.conf", strings.Replace(text, "c.crt", "/etc/c.crt", 1)))
	if one.differences(&elsewhere) == "" {
		t.Error("another certificate is no difference")
	}
}

// TestDriftOfStateFiles: the servers in a state file are agreed ones, and which of
// them a node found there at its start is no difference.
func TestDriftOfStateFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	load := func(line, state string) fingerprint {
		text := "http { upstream a { zone a 64k; state " + dir + "/a.state; " + line + "} }"
		cfg, err := config.Load(config.Options{
			File: "/etc/weir/weir.conf", Prefix: "/etc/weir", Hostname: "lb1", DefaultPort: 80,
			ReadFile: func(name string) ([]byte, error) {
				if name == dir+"/a.state" {
					return []byte(state), nil
				}
				return []byte(text), nil
			},
		})
		if err != nil || len(cfg.HTTP.Upstreams[0].Servers) != strings.Count(state, "server") {
			t.Fatalf("%v, %+v", err, cfg)
		}
		return fingerprintOf(cfg)
	}
	before, after, other := load("", ""), load("", "server 10.0.0.1;\n"), load("ip_hash;", "server 10.0.0.1;\n")
	if got := before.differences(&after); got != "" || before.sum() != after.sum() {
		t.Errorf("with a server in the state file: %q", got)
	}
	if got := other.differences(&after); got != `upstream "a"` {
		t.Errorf("with another method: %q", got)
	}
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	return parseAt(t, "/etc/weir/weir.conf", text)
}

func parseAt(t *testing.T, file, text string) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.Options{
		File: file, Prefix: filepath.Dir(file), Hostname: "lb1", DefaultPort: 80,
		ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
