package node

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestReadPID(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "weir.pid")
	tests := []struct {
		text string
		pid  int
		err  string
	}{
		{"12\n", 12, ""},
		{"12", 12, ""},
		{"12\r\n", 12, ""},
		{"", 0, `invalid PID number "" in "NAME"`},
		{"\n", 0, `invalid PID number "" in "NAME"`},
		{"zz\n", 0, `invalid PID number "zz" in "NAME"`},
		{"0\n", 0, `invalid PID number "0" in "NAME"`},
		{"-1\n", 0, `invalid PID number "-1" in "NAME"`}, // kill would take it for everybody
		{"1 2\n", 0, `invalid PID number "1 2" in "NAME"`},
		{strings.Repeat("1", 100), 0, `invalid PID number "` + strings.Repeat("1", pidLimit) + `" in "NAME"`},
	}
	for _, tt := range tests {
		if err := os.WriteFile(name, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		pid, err := readPID(name)
		if pid != tt.pid || errText(err) != strings.ReplaceAll(tt.err, "NAME", name) {
			t.Errorf("%q: %d, %v", tt.text, pid, err)
		}
	}
	if _, err := readPID(name + ".no"); errText(err) != `open() "`+name+`.no" failed (2: No such file or directory)` {
		t.Errorf("missing: %v", err)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWritePID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(dir, "new"), link, link, target} {
		if err := writePID(name, 7); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := read(t, name); got != "7\n" {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the symbolic link was replaced: %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "new")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	if err := writePID(os.DevNull, 7); err != nil {
		t.Errorf("%s: %v", os.DevNull, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 3 {
		t.Errorf("files left over: %v, %v", list, err)
	}
}

func TestSendSignal(t *testing.T) {
	t.Parallel()
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGUSR1)
	defer signal.Stop(got)
	name := filepath.Join(t.TempDir(), "weir.pid")
	if err := writePID(name, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if err := sendSignal(name, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	select {
	case <-got:
	case <-time.After(patience):
		t.Error("the signal did not arrive")
	}
	const nobody = 1<<22 + 1 // above the kernel's largest pid
	if err := writePID(name, nobody); err != nil {
		t.Fatal(err)
	}
	want := "kill(" + strconv.Itoa(nobody) + ", 1) failed (3: No such process)"
	if err := sendSignal(name, syscall.SIGHUP); errText(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}
