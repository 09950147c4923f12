// Package measured keeps what the long tests have found: `make measure` runs them, and each writes a line into
// docs/measured.md.
package measured

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const head = `# What the long tests measured

` + "`make measure`" + ` runs tests that take too long for ` + "`make test`" + `, and writes a line for each here.

| what | trials | result | machine | day |
|---|--:|---|---|---|
`

// Record writes one line of the page, in the place of an older one about the same thing. A test that failed writes
// nothing. Tests of several packages may record at a time.
func Record(t testing.TB, what string, trials int, result string) {
	t.Helper()
	if t.Failed() {
		return
	}
	line := fmt.Sprintf("| %s | %d | %s | %d CPUs, %s | %s |\n", what, trials, result, runtime.NumCPU(), runtime.Version(),
		time.Now().UTC().Format(time.DateOnly))
	path, err := page()
	if err == nil {
		err = change(path, func(text string) string { return with(text, what, line) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// page finds docs/measured.md from the folder of the test, which is the package's.
func page() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "docs", "measured.md"), nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", fmt.Errorf("no go.mod above the test: %w", os.ErrNotExist)
		}
		dir = above
	}
}

// with puts a line into the page.
func with(text, what, line string) string {
	out := head
	for old := range strings.Lines(strings.TrimPrefix(text, head)) {
		if !strings.HasPrefix(old, "| "+what+" |") {
			out += old
		}
	}
	return out + line
}

// change rewrites a file while nobody else does.
func change(path string, rewrite func(string) string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", path, err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	out := rewrite(string(text))
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(out), 0)
	return err
}
