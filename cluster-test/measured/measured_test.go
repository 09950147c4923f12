package measured

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "measured.md")
	for _, what := range []string{"a", "b", "a"} {
		err := change(path, func(text string) string { return with(text, what, "| "+what+" | 1 |\n") })
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if want := head + "| b | 1 |\n| a | 1 |\n"; err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	if found, err := page(); err != nil || !strings.HasSuffix(found, "docs/measured.md") {
		t.Errorf("%q %v", found, err)
	}
}
