// Package golden holds what tests produce against the files that say what it should be. `go test PACKAGE -update` writes
// what came out into them; the difference is then read as any other change.
package golden

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out into the golden files")

// Updating reports whether the files are to be written instead of held against.
func Updating() bool { return *update }

// Compare holds got against the content of a file.
func Compare(t testing.TB, file, got string) {
	t.Helper()
	if Updating() {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (-update writes what came out)\n%s", file, Difference(lines(string(want)), lines(got)))
	}
}

// Scripts plays each file that a pattern names, in a parallel test of its own. A script bears what comes out within itself:
// play is given the text and returns it as it went.
func Scripts(t *testing.T, pattern string, play func(t *testing.T, text string) string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts %s: %v", pattern, err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, filepath.Ext(name)), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			Compare(t, file, play(t, string(text)))
		})
	}
}

func lines(text string) []string { return strings.Split(text, "\n") }

// Difference shows the first line in which two texts differ, with some lines around it; it is empty if they are the same.
func Difference(want, got []string) string {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	if i == len(want) && i == len(got) {
		return ""
	}
	from := max(0, i-6)
	around := func(list []string) string { return strings.Join(list[from:min(len(list), i+20)], "\n") }
	return fmt.Sprintf("first in line %d; want\n%s\n\ngot\n%s", i+1, around(want), around(got))
}
