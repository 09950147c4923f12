package node

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/discovery/dnstest"
	"github.com/weir-lb/weir/lb"
)

// An explanation knows the servers that a name stands for.
func TestExplainAsksNames(t *testing.T) {
	t.Parallel()
	ns := dnstest.Start(t)
	ns.Host("app.example", 60, "10.0.0.1", "10.0.0.2")
	file := filepath.Join(t.TempDir(), "weir.conf")
	conf := "events {} http { resolver " + ns.Addr + "; upstream app { zone app 64k; server app.example:8080 resolve; }" +
		" server { listen 8080; location / { proxy_pass http://app; } } }"
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	o := Options{File: file, ErrorLog: StderrLog, Version: "test", Stderr: &stderr}
	if err := Explain(o, lb.Question{Method: "GET", URL: "http://localhost:8080/"}, &out); err != nil {
		t.Fatal(err, stderr.String())
	}
	for _, want := range []string{"10.0.0.1:8080", "10.0.0.2:8080"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is not in\n%s", want, out.String())
		}
	}
}
