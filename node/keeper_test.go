package node

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
)

// keepers runs Keep with a task and then words, and gives its answers. The node
// ends, or crashes, after the last word.
func keepers(t *testing.T, task any, words ...string) string {
	t.Helper()
	line, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	in, orders := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = Keep(in, out) // its error is among the answers
		in.Close()
		out.Close()
	}()
	lines := bufio.NewReader(answers)
	all := ""
	for _, word := range append([]string{string(line)}, words...) {
		if _, err := io.WriteString(orders, word+"\n"); err != nil {
			break // it has ended
		}
		answer, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		all += answer
	}
	orders.Close()
	<-ended
	return all
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid, socket, file := filepath.Join(dir, "pid"), filepath.Join(dir, "socket"), filepath.Join(dir, "file")
	tests := []struct {
		name, held string
		words      []string
		answers    string
		left       bool // whether pid file and socket are still there
	}{
		{"clean end", "7\n", []string{keeperFinish}, "done\ndone\n", false},
		{"clean end after logs", "7\n", []string{keeperLogs, keeperFinish}, "done\ndone\ndone\n", false},
		{"crash", "7\n", nil, "done\n", true},
		{"another word", "7\n", []string{"all"}, "done\n\"unknown word \\\"all\\\\n\\\"\"\n", true},
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
		got := keepers(t, keeperTask{PID: 7, PIDFile: pid, Sockets: []string{socket, file}}, tt.words...)
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
	if got := keepers(t, keeperTask{PID: 7, PIDFile: name}, keeperFinish); got != "done\ndone\n" {
		t.Errorf("answers %q", got)
	}
	if got := read(t, name); got != "8\n" {
		t.Errorf("pid file: %q", got)
	}
}

func TestKeepRefusesABrokenTask(t *testing.T) {
	t.Parallel()
	if got := keepers(t, "no task", keeperFinish); strings.Contains(got, keeperDone) {
		t.Errorf("answers %q", got)
	}
}

func TestKeepMakesLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := filepath.Join(dir, "error.log")
	task := keeperTask{Logs: []string{log, filepath.Join(dir, "no", "log")}, UID: os.Getuid(), GID: os.Getgid()}
	got := keepers(t, task, keeperLogs, keeperLogs)
	failed := `"open() \"` + dir + `/no/log\" failed (2: No such file or directory)"` + "\n"
	if want := "done\n" + failed + failed; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
	if got := read(t, log); got != "" {
		t.Errorf("the log: %q", got)
	}
}

func TestOwnLeavesWhatOnlyLooksLikeALog(t *testing.T) {
	t.Parallel()
	program.Root(t)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	soft, hard := filepath.Join(dir, "soft"), filepath.Join(dir, "hard")
	if err := os.Symlink(secret, soft); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(secret, hard); err != nil {
		t.Fatal(err)
	}
	a := &account{uid: 65534, gid: 65534}
	for _, path := range []string{soft, hard} {
		for _, create := range []bool{true, false} {
			if err := a.own(path, create); err != nil {
				t.Error(err)
			}
		}
	}
	if a.allowed(stat(t, secret), 4) {
		t.Error("the file was given away")
	}
	log := filepath.Join(dir, "log")
	if err := a.own(log, true); err != nil {
		t.Error(err)
	}
	if !a.allowed(stat(t, log), 2) {
		t.Error("the log was not given")
	}
}

func stat(t *testing.T, name string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
