package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/golden"
)

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
	golden.Scripts(t, "testdata/*.conf", func(_ *testing.T, text string) string {
		input, _, _ := strings.Cut(text, "\n----\n")
		input = strings.TrimSuffix(input, "\n")
		return input + "\n----\n" + goldenOutput(splitFiles(input))
	})
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
	for _, line := range lines {
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
	}
	golden.Compare(t, name, out.String())
}
