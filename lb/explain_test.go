package lb_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/lbtest"
)

// explainCase is one question of a file: "? METHOD URL", then its fields, and
// "from ADDRESS", each on a line of its own that begins with a blank.
func explainCase(lines []string) (q lb.Question) {
	words := strings.Fields(lines[0])
	q.Method, q.URL = words[1], words[2]
	for _, l := range lines[1:] {
		if from, ok := strings.CutPrefix(l, "  from "); ok {
			q.Client = netip.MustParseAddr(from)
		} else if strings.HasPrefix(l, "  ") {
			q.Header = append(q.Header, l[2:])
		}
	}
	return q
}

// TestExplain reads testdata/explain/*.txt: a configuration, a line of dashes,
// and questions with what must be told of each, lines that begin with "=".
func TestExplain(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/explain/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			conf, questions, _ := strings.Cut(string(text), "\n----\n")
			dir := t.TempDir()
			name := filepath.Join(dir, "weir.conf")
			if err := os.WriteFile(name, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			key := strings.Repeat("ab", 32)
			if err := os.WriteFile(filepath.Join(dir, "sticky.key"), []byte(key), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, err := config.Load(config.Options{File: name, StateDir: dir, Hostname: "host"})
			if err != nil {
				t.Fatal(err)
			}
			got := answerAll(questions, cfg, dir)
			if update := flag.Lookup("update"); update.Value.String() == "true" {
				if err := os.WriteFile(file, []byte(conf+"\n----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != questions {
				t.Errorf("told otherwise:\n%s", got)
			}
		})
	}
}

// answerAll writes the answers under the questions.
func answerAll(questions string, cfg *config.Config, dir string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(strings.TrimSpace(questions), "\n\n") {
		var asked []string
		for line := range strings.Lines(part) {
			if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(line, "=") {
				asked = append(asked, line)
			}
		}
		lines, err := lb.Explain(lb.Options{Version: "1", Hostname: "host"}, cfg, explainCase(asked))
		if err != nil {
			lines = []string{"error: " + err.Error()}
		}
		out.WriteString(strings.Join(asked, "\n") + "\n")
		for _, l := range lines {
			out.WriteString("= " + strings.ReplaceAll(l, dir, "DIR") + "\n")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// TestExplainedInLog: at level debug the error log tells the same of every
// request.
func TestExplainedInLog(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := lbtest.Start(t, "error_log stderr debug; events {} http { upstream u { server 127.0.0.1:1 down; server "+be.Addr()+"; }"+
		" server { listen 127.0.0.1:8080; server_name a; location / { error_log stderr debug; proxy_pass http://u; } location /quiet { error_log stderr info; proxy_pass http://u; } } }")
	c := b.Dial(front)
	for _, path := range []string{"/quiet", "/loud"} {
		if r := c.Ask("GET " + path + " HTTP/1.1\nHost: a"); r.Status != 200 {
			t.Fatal(r)
		}
	}
	for _, want := range []string{
		"server: a, by the name a for a, in ", "location: /, the longest prefix of /loud, in ", "content: proxy_pass http://u in ",
		"upstream: u, round robin", "peer: 127.0.0.1:1 (weight 1, 0 in work): down, client: 127.0.0.1, server: a, request: \"GET /loud HTTP/1.1\"",
		"peer: " + be.Addr() + " (weight 1, 0 in work): picked",
	} {
		lbtest.Await(t, func() bool { return strings.Contains(b.Errors.String(), want) }, func() string { return "no " + want })
	}
	if told := b.Errors.String(); strings.Contains(told, "prefix of /quiet") || !strings.Contains(told, "[debug] ") {
		t.Error("told of the quiet location, or not at level debug:", told)
	}
}
