package config

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFiles makes a directory with the given files.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadReadsFiles(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"etc/weir.conf":    "pid run/weir.pid;\nhttp { ssl_certificate a.pem; ssl_certificate_key a.key; include c.d/[!x]*.conf; include one.inc; include one.inc; }\n",
		"etc/one.inc":      "# nothing\n",
		"etc/c.d/b.conf":   "server { listen 2; }",
		"etc/c.d/a.conf":   "server { listen 1; root html; }",
		"etc/c.d/xno.conf": "nonsense",
		"etc/c.d/.no.conf": "nonsense",
	})
	cfg, err := Load(Options{File: "etc/weir.conf", Prefix: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"pid", cfg.PID, dir + "/run/weir.pid"},
		{"certificate", cfg.HTTP.TLS.Certificates[0].Value, dir + "/etc/a.pem"},
		{"root", cfg.HTTP.Servers[0].Root.Path.Value, dir + "/html"},
		{"second server", cfg.HTTP.Servers[1].Pos.File, dir + "/etc/c.d/b.conf"},
		{"prefix", cfg.Prefix, dir + "/"},
		{"conf prefix", cfg.ConfPrefix, dir + "/etc/"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", c.what, c.got, c.want)
		}
	}
	var dump bytes.Buffer
	if err := cfg.DumpFiles(&dump); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(dump.String(), dir, "D")
	for _, want := range []string{
		"# configuration file D/etc/weir.conf:\npid run",
		"# configuration file D/etc/c.d/a.conf:\nserver { listen 1; root html; }\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("dump lacks %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "# nothing"); n != 1 {
		t.Errorf("a file included twice is dumped %d times", n)
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"loop.conf": "include loop.conf;",
		"dir.conf":  "\ninclude sub;",
		"sub/x":     "",
		"ok.conf":   "daemon off;",
	})
	for _, c := range []struct{ file, globals, want string }{
		{"none.conf", "", `open() "D/none.conf" failed (2: No such file or directory)`},
		{"loop.conf", "", `blocks and includes are nested too deep in D/loop.conf:1`},
		{"dir.conf", "", `open() "D/sub" failed (21: Is a directory) in D/dir.conf:2`},
		{"ok.conf", "daemon off;", `"daemon" directive is duplicate in D/ok.conf:1`},
		{"ok.conf", "nonsense;", `unknown directive "nonsense" in command line`},
		{"ok.conf", "pid x", `unexpected end of parameter, expecting ";" in command line`},
		{"ok.conf", "events {}", `block directives are not supported in -g option in command line`},
		{"ok.conf", "}", `unexpected "}" in command line`},
		{"ok.conf", "include none;", `open() "D/none" failed (2: No such file or directory) in command line`},
	} {
		_, err := Load(Options{File: filepath.Join(dir, c.file), Globals: c.globals})
		if err == nil {
			t.Errorf("%s with %q: no error", c.file, c.globals)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), dir, "D"); got != c.want {
			t.Errorf("%s with %q\nwant %s\ngot  %s", c.file, c.globals, c.want, got)
		}
	}
	_, err := Load(Options{File: filepath.Join(dir, "none.conf")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing main file is not fs.ErrNotExist: %v", err)
	}
}

func TestGlobals(t *testing.T) {
	t.Parallel()
	o := testOptions(map[string]string{testMain: "worker_processes 3;", "/etc/weir/x.inc": "env B;"})
	o.Globals, o.ErrorLog = "daemon on; include x.inc;", "stderr"
	cfg, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Daemon || cfg.WorkerProcesses != 3 || len(cfg.Env) != 1 || cfg.HTTP != nil {
		t.Errorf("model %+v", cfg.Main)
	}
	if len(cfg.ErrorLogs) != 1 || !cfg.ErrorLogs[0].Stderr {
		t.Errorf("error logs %+v", cfg.ErrorLogs)
	}
}

// TestListsAreNotShared changes lists in two siblings: an append to an inherited
// list in place would show in the other one.
func TestListsAreNotShared(t *testing.T) {
	t.Parallel()
	cfg, err := loadText(`http { add_header A 1; add_header A 2; add_header A 3; server { listen 80;
		location /a { add_header_inherit merge; add_header B 1; }
		location /b { add_header_inherit merge; add_header C 1; } } }`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"AAAB", "AAAC"} {
		got := ""
		for _, h := range cfg.HTTP.Servers[0].Locations[i].AddHeaders {
			got += h.Name
		}
		if got != want {
			t.Errorf("location %d has %s, want %s", i, got, want)
		}
	}
}

func TestProxyDerivedSizes(t *testing.T) {
	t.Parallel()
	cfg, err := loadText("http { proxy_buffer_size 8k; proxy_buffers 8 8k; server { location /a { proxy_busy_buffers_size 24k; } } }")
	if err != nil {
		t.Fatal(err)
	}
	srv := cfg.HTTP.Servers[0]
	if got := srv.ProxySettings.Busy(); got != 16<<10 {
		t.Errorf("busy size by default is %d", got)
	}
	if got := srv.ProxySettings.TempWrite(); got != 16<<10 {
		t.Errorf("write size by default is %d", got)
	}
	if got := srv.Locations[0].ProxySettings.Busy(); got != 24<<10 {
		t.Errorf("busy size is %d", got)
	}
}

func TestLastContentHandlerWins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, pending     string
		proxy, stubStatus bool
	}{
		{"", "", false, false},
		{"proxy_pass http://a; stub_status;", "", false, true},
		{"stub_status; proxy_pass http://a;", "", true, false},
		{"api; proxy_pass http://a;", "", true, false},
		{"proxy_pass http://a; api;", "api", false, false},
		{"api; grpc_pass a:1;", "", true, false},
	} {
		for _, body := range []bool{false, true} {
			cfg, err := loadText("http { server { location / { if ($host) { } " + c.text + " } } }")
			if err != nil {
				t.Fatal(err)
			}
			l := cfg.HTTP.Servers[0].Locations[0]
			if body {
				l = l.Rewrite[0].(*If).Body
			}
			if (l.Proxy != nil) != c.proxy || l.StubStatus != c.stubStatus || l.Pending != c.pending {
				t.Errorf("%q (if body: %v): proxy %v, stub_status %v, pending %q", c.text, body, l.Proxy, l.StubStatus, l.Pending)
			}
		}
	}
}
