package http1

import (
	"bytes"
	"testing"
)

func TestNormalizeHost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw, host, port string
		ok              bool
	}{
		{"example.com", "example.com", "", true},
		{"Example.COM:8080", "example.com", "8080", true},
		{"example.com.", "example.com", "", true},
		{"example.com.:80", "example.com", "80", true},
		{"h:", "h", "", true},
		{".h", ".h", "", true},
		{"a_b~c", "a_b~c", "", true},
		{"192.0.2.1:80", "192.0.2.1", "80", true},
		{"[::1]", "[::1]", "", true},
		{"[2001:DB8::1]:443", "[2001:db8::1]", "443", true},
		{"[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", "", true},
		{raw: ""}, {raw: "."}, {raw: ":80"}, {raw: ".:80"}, {raw: "a..b"}, {raw: "a.."},
		{raw: "a b"}, {raw: "a\tb"}, {raw: "a\x00"}, {raw: "a/b"}, {raw: "a\\b"}, {raw: "a@b"}, {raw: "a#b"}, {raw: "a?b"},
		{raw: "a<b"}, {raw: "a\"b"}, {raw: "a%41"}, {raw: "\xc3\xa4"}, {raw: "a\x7f"}, {raw: "a[b"},
		{raw: "a:b"}, {raw: "a:80:80"}, {raw: "a:-1"}, {raw: "a:80 "},
		{raw: "[]"}, {raw: "[::1"}, {raw: "[::1]a"}, {raw: "[::1]:x"}, {raw: "[a.b]"}, {raw: "[::1%25eth0]"}, {raw: "::1"},
	}
	for _, tt := range tests {
		host, port, ok := NormalizeHost(nil, []byte(tt.raw))
		if string(host) != tt.host || string(port) != tt.port || ok != tt.ok {
			t.Errorf("%q: host %q, port %q, ok %v", tt.raw, host, port, ok)
		}
		if valid := validHost([]byte(tt.raw)); valid != ok {
			t.Errorf("%q: a request with it is valid: %v", tt.raw, valid)
		}
	}
}

func TestNormalizeHostCopiesOnlyUpperCase(t *testing.T) {
	t.Parallel()
	raw := []byte("lower.example:80")
	host, _, _ := NormalizeHost(nil, raw)
	raw[0] = 'L'
	if host[0] != 'L' {
		t.Error("a host in lower case is not a view")
	}
	host, _, _ = NormalizeHost([]byte("before"), raw)
	raw[1] = 'X'
	if !bytes.Equal(host, []byte("lower.example")) {
		t.Errorf("got %q", host)
	}
}
