package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/golden"
	"github.com/weir-lb/weir/node/control"
)

// TestControl follows testdata/control.txt: commands with the exit code and all
// they write. DIR and ALONE are data folders of weirs that run, NONE is one of
// none.
func TestControl(t *testing.T) {
	t.Parallel()
	base, err := os.MkdirTemp("", "weir") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	places := strings.NewReplacer("DIR", base+"/dir", "ALONE", base+"/alone", "LOST", base+"/lost", "NONE", base+"/none")
	back := strings.NewReplacer(base+"/dir", "DIR", base+"/alone", "ALONE", base+"/lost", "LOST", base+"/none", "NONE")
	for _, name := range []string{"dir", "alone", "lost", "none"} {
		data := filepath.Join(base, name)
		conf := fmt.Sprintf("data %s; events {} http { }", data)
		if err := os.MkdirAll(data, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, "weir.conf"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "none" {
			if err := os.WriteFile(filepath.Join(data, "dataless.conf"), []byte("events {} http { }"), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s, err := control.Open(control.Options{Path: control.SocketPath(data), Node: operated{alone: name == "alone", lost: name == "lost"}, Log: func(text string) { t.Error(text) }})
		if err != nil {
			t.Fatal(err)
		}
		s.Serve()
		t.Cleanup(func() { _ = s.Close() })
	}
	follow(t, filepath.Join("testdata", "control.txt"), func(args []string) string {
		for i := range args {
			args[i] = places.Replace(args[i])
		}
		var stdout, stderr strings.Builder
		code := run(args, &stdout, &stderr)
		return back.Replace(fmt.Sprintf("%s%sexit %d\n", stdout.String(), stderr.String(), code))
	})
}

// follow runs the lines of a script that begin with "$ ", and holds the script
// against what they give. Words in quotes may have spaces.
func follow(t *testing.T, file string, do func(args []string) string) {
	t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(script)) {
		command, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "$ ")
		switch {
		case ok:
			out.WriteString(line)
			var args []string
			for i, part := range strings.Split(command, "'") {
				if i%2 == 1 {
					args = append(args, part)
				} else {
					args = append(args, strings.Fields(part)...)
				}
			}
			out.WriteString(do(args) + "\n")
		case strings.HasPrefix(line, "#"):
			out.WriteString(line)
		}
	}
	golden.Compare(t, file, out.String())
}
