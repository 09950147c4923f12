package errorlog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mustOpen(t *testing.T, s *Set, path string) *File {
	t.Helper()
	f, err := s.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, f *File, text string) {
	t.Helper()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestFileIsShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	s := NewSet(Options{})
	a, b := mustOpen(t, s, path), mustOpen(t, s, path)
	if a != b {
		t.Fatal("one path was opened twice")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, b, "still open\n")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), `write() to "`+path+`" failed`) {
		t.Errorf("write after the last close: %v", err)
	}
	c := mustOpen(t, s, path)
	write(t, c, "appended\n")
	if got := contents(t, path); got != "still open\nappended\n" {
		t.Errorf("file holds %q", got)
	}
}

func TestReopenFollowsTheName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	s := NewSet(Options{})
	f := mustOpen(t, s, path)
	write(t, f, "one\n")
	if err := os.Rename(path, rotated); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, f, "three\n")
	if old, now := contents(t, rotated), contents(t, path); old != "one\ntwo\n" || now != "three\n" {
		t.Errorf("rotated %q, new %q", old, now)
	}
	if err := f.Close(); err != nil || len(s.Paths()) != 0 {
		t.Errorf("close: %v, still open %v", err, s.Paths())
	}
}

func TestReopenFailureKeepsTheFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := NewSet(Options{})
	f := mustOpen(t, s, filepath.Join(dir, "log"))
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err == nil || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("Reopen: %v", err)
	}
	write(t, f, "not lost\n")
	if got := contents(t, filepath.Join(dir+".away", "log")); got != "not lost\n" {
		t.Errorf("old file holds %q", got)
	}
}

// heldBack writes its text when it is flushed.
type heldBack struct {
	file *File
	text string
}

func (h *heldBack) Flush() {
	_, _ = h.file.Write([]byte(h.text)) // the test looks at the file
}

func TestReopenFlushesFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, rotated := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	s := NewSet(Options{})
	f := mustOpen(t, s, path)
	stays, leaves := &heldBack{f, "held back\n"}, &heldBack{f, "detached\n"}
	f.Attach(stays)
	f.Attach(leaves)
	f.Detach(leaves)
	if err := os.Rename(path, rotated); err != nil {
		t.Fatal(err)
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	if old, now := contents(t, rotated), contents(t, path); old != "held back\n" || now != "" {
		t.Errorf("rotated %q, new %q", old, now)
	}
}

func TestMoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	f := mustOpen(t, NewSet(Options{}), path)
	if f.Moved() {
		t.Error("a file just opened counts as moved")
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if !f.Moved() {
		t.Error("a renamed file does not count as moved")
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !f.Moved() {
		t.Error("a file replaced by another does not count as moved")
	}
}

func TestFileMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	mustOpen(t, NewSet(Options{}), path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&^0o644 != 0 {
		t.Errorf("mode is %v", info.Mode())
	}
}
