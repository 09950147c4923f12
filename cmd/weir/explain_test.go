package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	conf := filepath.Join(dir, "weir.conf")
	text := `error_log /nowhere/error.log; events {} http { access_log /nowhere/access.log;
upstream u { ip_hash; server 127.0.0.1:81; server 127.0.0.2:81 down; }
server { listen 8080; server_name a; location /x { allow 10.0.0.0/8; deny all; proxy_pass http://u; }
location / { return 200 $http_x; } } }`
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string // in what it says
	}{
		{[]string{"-c", conf, "-H", "X: y", "GET", "http://a:8080/"}, 0, "\nreturn: status 200"},
		{[]string{"-c" + conf, "http://a:8080/x"}, 0, "\n[error] access forbidden by rule\nreply: 403\n"},
		{[]string{"-c", conf, "-a", "10.0.0.1", "post", "http://a:8080/x"}, 0, "\npeer: 127.0.0.1:81 (weight 1, 0 in work): picked\npeer: 127.0.0.2:81 (weight 1, 0 in work): down\n"},
		{[]string{"-c", conf, "-a10.0.0.1", "-g", "env A=b;", "http://a:8080/x"}, 0, "\nupstream: u, ip_hash\n"},
		{[]string{"-c", conf, "http://a/x"}, 1, "weir: no server listens on port 80; the configuration has 0.0.0.0:8080\n"},
		{[]string{"-c", conf, "-H", "X", "http://a:8080/"}, 1, `weir: the field "X" is not of the form`},
		{[]string{"-c", conf, "-a", "a", "http://a:8080/"}, 1, "weir: -a takes the address of a client"},
		{[]string{"-c", conf}, 1, "weir: usage: weir explain"},
		{[]string{"-c", conf, "-x", "y", "http://a:8080/"}, 1, "weir: usage: weir explain"},
		{[]string{"-c"}, 1, "weir: usage: weir explain"},
		{[]string{"-c", dir + "/none", "http://a/"}, 1, "weir: open() "},
	} {
		var stdout, stderr strings.Builder
		code := run(append([]string{"weir", "explain"}, c.args...), &stdout, &stderr)
		if said := "\n" + stdout.String() + stderr.String(); code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%q: %d,%s", c.args, code, said)
		}
	}
}
