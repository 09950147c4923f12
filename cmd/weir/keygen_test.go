package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/node/link"
)

// TestKeygen: a key is new each time, for its owner alone, and never replaces
// one that is there.
func TestKeygen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	weir := func(args ...string) (int, string) {
		var stderr strings.Builder
		code := run(append([]string{"weir"}, args...), io.Discard, &stderr)
		return code, stderr.String()
	}
	seen := map[[upstream.KeySize]byte]bool{}
	for _, name := range []string{"a.key", "b.key"} {
		file := filepath.Join(dir, name)
		if code, said := weir("keygen", "sticky", file); code != 0 || said != "" {
			t.Fatal(code, said)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := upstream.ParseKey(text)
		if err != nil {
			t.Error(err)
		}
		seen[secret] = true
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	secret := filepath.Join(dir, "cluster.secret")
	if code, said := weir("keygen", secret); code != 0 || said != "" {
		t.Fatal(code, said)
	}
	if _, err := link.ReadSecret(secret); err != nil {
		t.Error(err)
	}
	if len(seen) != 2 {
		t.Error("two keys are the same")
	}
	for _, c := range []struct{ args, said string }{
		{"sticky " + dir + "/a.key", `weir: open() "` + dir + `/a.key" failed (17: File exists)`},
		{"sticky " + dir + "/none/a.key", `failed (2: No such file or directory)`},
		{dir + "/cluster.secret", `cluster.secret" failed (17: File exists)`},
		{"", "weir: usage: weir keygen FILE, or weir keygen sticky FILE"},
		{"sticky", "weir: usage: weir keygen sticky FILE"},
		{"sesame " + dir + "/c.key", `weir: there is no key of kind "sesame"`},
	} {
		if code, said := weir(append([]string{"keygen"}, strings.Fields(c.args)...)...); code != 1 || !strings.Contains(said, c.said) {
			t.Errorf("%s: %d, %q", c.args, code, said)
		}
	}
}
