package config

import (
	"errors"
	goflag "flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var update = goflag.Bool("update", false, "rewrite the expectations of golden files and the generated documentation")

const testMain = "/etc/weir/weir.conf"

// testOptions loads the files of a map, so that no test depends on a machine.
func testOptions(files map[string]string) Options {
	return Options{
		File: testMain, Hostname: "lb1.example.com", DefaultPort: 80,
		ReadFile: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
			}
			return []byte(text), nil
		},
		Glob: func(pattern string) ([]string, error) {
			var names []string
			for name := range files {
				if ok, err := path.Match(pattern, name); err != nil {
					return nil, err
				} else if ok {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return names, nil
		},
	}
}

// loadText loads one text as the main file.
func loadText(text string) (*Config, error) {
	return Load(testOptions(map[string]string{testMain: text}))
}

// TestGolden reads testdata/*.conf. Above the line of dashes stands a
// configuration, with further files under lines like "-- conf.d/a.conf --";
// below it the model, or the error.
func TestGolden(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(raw), "\n----\n")
			input = strings.TrimSuffix(input, "\n")
			got := goldenOutput(splitFiles(input))
			if *update {
				if err := os.WriteFile(name, []byte(input+"\n----\n"+got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("model differs (run with -update and read the difference)\n%s", firstDifference(want, got))
			}
		})
	}
}

func goldenOutput(files map[string]string) string {
	cfg, err := Load(testOptions(files))
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	b.WriteString(dumpModel(cfg))
	for _, n := range cfg.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

// splitFiles cuts the input of a golden file at lines like "-- name --".
func splitFiles(input string) map[string]string {
	files, name := map[string]string{}, testMain
	for _, line := range strings.SplitAfter(input, "\n") {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(n, " --") {
			name = path.Join("/etc/weir", strings.TrimSuffix(n, " --"))
			continue
		}
		files[name] += line
	}
	return files
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, a, b)
		}
	}
	return ""
}

// TestErrors reads testdata/errors.txt: a configuration in one line, below it,
// indented, the error.
func TestErrors(t *testing.T) {
	t.Parallel()
	const name = "testdata/errors.txt"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "\t"):
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
			continue
		}
		_, err := loadText(strings.ReplaceAll(line, `\n`, "\n"))
		got := "\tno error"
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%s: %T instead of *Error", line, err)
			}
			got = "\t" + err.Error()
		}
		fmt.Fprintf(&out, "%s\n%s\n", line, got)
		if want := append(lines, "")[i+1]; !*update && got != want {
			t.Errorf("%s\nwant%s\ngot %s", line, want, got)
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
