package node

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// keepers runs Keep with a task and what follows it, and gives its answers.
func keepers(t *testing.T, task, then string) string {
	t.Helper()
	in, orders := io.Pipe()
	answers, out := io.Pipe()
	go func() {
		_ = Keep(in, out) // its error is among the answers
		out.Close()
	}()
	fmt.Fprintf(orders, "%q\n", task)
	lines := bufio.NewReader(answers)
	first, err := lines.ReadString('\n')
	if err != nil {
		return "no answer"
	}
	go func() {
		fmt.Fprint(orders, then)
		orders.Close()
	}()
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	return first + string(rest)
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid, socket, file := filepath.Join(dir, "pid"), filepath.Join(dir, "socket"), filepath.Join(dir, "file")
	tests := []struct {
		name, held, then string
		answers          string
		left             bool // whether pid file and socket are still there
	}{
		{"clean end", "7\n", "go\n", "ready\ndone\n", false},
		{"crash", "7\n", "", "ready\n", true},
		{"another word", "7\n", "stop\n", "ready\n", true},
	}
	for _, tt := range tests {
		for name, text := range map[string]string{pid: tt.held, file: "x"} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		got := keepers(t, "7\x00"+pid+"\x00"+socket+"\x00"+file+"\x00", tt.then)
		if got != tt.answers {
			t.Errorf("%s: answers %q, want %q", tt.name, got, tt.answers)
		}
		for _, name := range []string{pid, socket} {
			if _, err := os.Lstat(name); (err == nil) != tt.left {
				t.Errorf("%s: %s: %v", tt.name, name, err)
			}
		}
		if _, err := os.Lstat(file); err != nil {
			t.Errorf("%s: what is no socket is gone: %v", tt.name, err)
		}
		os.Remove(socket)
	}
}

func TestKeepLeavesThePIDFileOfAnother(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(name, []byte("8\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := keepers(t, "7\x00"+name+"\x00", "go\n"); got != "ready\ndone\n" {
		t.Errorf("answers %q", got)
	}
	if got := read(t, name); got != "8\n" {
		t.Errorf("pid file: %q", got)
	}
}

func TestKeepRefusesABrokenTask(t *testing.T) {
	t.Parallel()
	for _, task := range []string{"", "7", "x\x00/pid\x00"} {
		if got := keepers(t, task, "go\n"); got != "no answer" {
			t.Errorf("%q: %s", task, got)
		}
	}
}

// FuzzParseTask: what is accepted names a pid file, and reads back as written.
func FuzzParseTask(f *testing.F) {
	f.Add("7\x00/run/weir.pid\x00/run/socket\x00")
	f.Add("x")
	f.Fuzz(func(t *testing.T, task string) {
		pid, files, err := parseTask(fmt.Sprintf("%q\n", task))
		if err != nil {
			return
		}
		if len(files) == 0 {
			t.Fatalf("%q: no pid file", task)
		}
		again := fmt.Sprintf("%d\x00%s\x00", pid, strings.Join(files, "\x00"))
		pid2, files2, err := parseTask(fmt.Sprintf("%q\n", again))
		if err != nil || pid2 != pid || !slices.Equal(files2, files) {
			t.Errorf("%q: %d %q, then %d %q (%v)", task, pid, files, pid2, files2, err)
		}
	})
}
