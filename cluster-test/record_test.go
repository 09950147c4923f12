package clustertest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// measuredPage is where `make measure` keeps what it has found.
const measuredPage = "../docs/measured.md"

const measuredHead = `# What the long tests measured

` + "`make measure`" + ` runs tests that take too long for ` + "`make test`" + `, and writes a line for each here.

| what | trials | result | machine | day |
|---|--:|---|---|---|
`

// record writes one line of the page, in the place of an older one about the same thing. A test that failed writes nothing.
func record(t *testing.T, what string, trials int, result string) {
	t.Helper()
	if t.Failed() {
		return
	}
	text, err := os.ReadFile(measuredPage)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	page := measuredHead
	for line := range strings.Lines(strings.TrimPrefix(string(text), measuredHead)) {
		if !strings.HasPrefix(line, "| "+what+" |") {
			page += line
		}
	}
	page += fmt.Sprintf("| %s | %d | %s | %d CPUs, %s | %s |\n", what, trials, result, runtime.NumCPU(), runtime.Version(),
		time.Now().UTC().Format(time.DateOnly))
	if err := os.WriteFile(measuredPage, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}
