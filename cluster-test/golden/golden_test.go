package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDifference shows where texts part, and nothing of texts that are the same.
func TestDifference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ want, got, shown string }{
		{"a\nb", "a\nb", ""},
		{"", "", ""},
		{"a\nb\nc", "a\nx\nc", "first in line 2; want\na\nb\nc\n\ngot\na\nx\nc"},
		{"a\nb", "a", "first in line 2; want\na\nb\n\ngot\na"},
		{"a", "a\nb", "first in line 2; want\na\n\ngot\na\nb"},
		{strings.Repeat("same\n", 9) + "b", strings.Repeat("same\n", 9) + "x", "first in line 10; want\n" + strings.Repeat("same\n", 6) + "b\n\ngot\n" + strings.Repeat("same\n", 6) + "x"},
	} {
		if shown := Difference(lines(c.want), lines(c.got)); shown != c.shown {
			t.Errorf("%q, %q: %q", c.want, c.got, shown)
		}
	}
}

// noting is a test that only notes that it has failed.
type noting struct {
	testing.TB
	failed bool
}

func (n *noting) Helper()               {}
func (n *noting) Errorf(string, ...any) { n.failed = true }

// TestCompare fails a test whose output is not what its file has.
func TestCompare(t *testing.T) {
	t.Parallel()
	if Updating() {
		return // it would write what is wrong on purpose
	}
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, fails := range map[string]bool{"right\n": false, "right": true, "wrong\n": true} {
		n := &noting{TB: t}
		if Compare(n, file, text); n.failed != fails {
			t.Errorf("%q: failed %v", text, n.failed)
		}
	}
}
