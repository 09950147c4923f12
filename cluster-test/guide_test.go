package clustertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/examples/selfsigned"
)

// TestGuideConfigurations tests the shapes that users bring with weir -t: accepted, with what is not in force yet and
// what is a slip named by file and line.
func TestGuideConfigurations(t *testing.T) {
	t.Parallel()
	weir := buildWeir(t)
	cases := []struct {
		file  string
		names []string // words of the lines that must be told
	}{
		{"nodejs-guide-basic.conf", []string{
			"stores only replies that say themselves how long they are fresh", `"listen ... http2"`,
			"blank but not empty", "https:// here",
		}},
		{"nodejs-guide-enhanced.conf", []string{
			`"api" is not in force yet`, `"status_zone" is not in force yet`, "https:// here",
		}},
		{"status.conf", []string{`"api" is not in force yet`}},
	}
	for _, c := range cases {
		dir := t.TempDir()
		main := writeGuide(t, dir, c.file)
		out, err := exec.CommandContext(t.Context(), weir, "-t", "-p", dir, "-c", main).CombinedOutput()
		text := string(out)
		if err != nil || !strings.HasSuffix(text, "syntax is ok\nweir: configuration file "+main+" test is successful\n") {
			t.Errorf("%s: %v\n%s", c.file, err, text)
			continue
		}
		for _, name := range c.names {
			if !strings.Contains(text, name) {
				t.Errorf("%s: nothing is told of %q in\n%s", c.file, name, text)
			}
		}
	}
}

// writeGuide puts an example into a folder, with a main file around it and a certificate in the place that it names.
func writeGuide(t *testing.T, dir, file string) (main string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, "examples", file))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := selfsigned.Make(selfsigned.ECDSA, "example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(dir, "guide"); err != nil {
		t.Fatal(err)
	}
	place := strings.NewReplacer("/etc/nginx/ssl/certificate-name", dir+"/guide.crt", "/etc/nginx/ssl/private-key", dir+"/guide.key",
		"/tmp/NGINX_cache/", dir+"/cache/", "listen 80;", "listen 127.0.0.1:18080;", "listen 443 ", "listen 127.0.0.1:18443 ")
	for name, content := range map[string]string{
		file:        place.Replace(string(text)),
		"main.conf": "error_log error.log;\npid weir.pid;\nevents {}\nhttp {\n    access_log access.log;\n    include " + file + ";\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "main.conf")
}
