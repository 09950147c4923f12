package link

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ofProcess leaves files to whom they belong.
var ofProcess = Owner{UID: -1, GID: -1}

// TestIdentity: a node is the same after each start, and counts them.
func TestIdentity(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var first *Identity
	for boot := uint64(1); boot <= 3; boot++ {
		i, err := OpenIdentity(dir, ofProcess)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = i
		}
		if i.ID != first.ID || !i.Key.Equal(first.Key) || i.Boot != boot || (i.Run == first.Run) != (boot == 1) {
			t.Errorf("%+v", i)
		}
		if _, err := OpenIdentity(dir, ofProcess); err == nil || !strings.Contains(err.Error(), "in use by another process") {
			t.Error(err)
		}
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, identityFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestIdentityOnFullDisk: a node that is known starts though its start cannot be
// counted, and counts it when there is room; a new one does not.
func TestIdentityOnFullDisk(t *testing.T) {
	t.Parallel()
	dir, full := t.TempDir(), true
	count := func(i *Identity, owner Owner) error {
		if full {
			return fmt.Errorf("writing: %w", syscall.ENOSPC)
		}
		return i.write(dir, owner)
	}
	if _, err := openIdentity(dir, ofProcess, count); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a new node: %v", err)
	}
	for _, full = range []bool{false, true, true} {
		i, err := openIdentity(dir, ofProcess, count)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Counted(); errors.Is(err, syscall.ENOSPC) != full {
			t.Error(err)
		}
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
	}
	full = true
	i, err := openIdentity(dir, ofProcess, count)
	if err != nil {
		t.Fatal(err)
	}
	full = false
	if err := errors.Join(i.Counted(), i.Counted(), i.Close()); err != nil {
		t.Error(err)
	}
	if j, err := readIdentity(filepath.Join(dir, identityFile)); err != nil || i.Boot != 2 || j.Boot != 2 {
		t.Errorf("start %d, on disk %+v, %v", i.Boot, j, err)
	}
}

// TestIdentityLinks: what a folder's user puts into it does not lead a start with
// more rights to other files.
func TestIdentityLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, identityFile+".new")); err != nil {
		t.Fatal(err)
	}
	i, err := OpenIdentity(dir, ofProcess)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "kept" {
		t.Errorf("%q, %v", text, err)
	}
	lock := filepath.Join(dir, lockFile)
	if err := errors.Join(os.Remove(lock), os.Symlink(other, lock)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIdentity(dir, ofProcess); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a lock that is a link: %v", err)
	}
}

// TestDamagedIdentity: a node whose file cannot be read is not silently another.
func TestDamagedIdentity(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{}", `{"id":"00112233445566778899AABBCCDDEEFF","key":"AAAA","boot":1}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, identityFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenIdentity(dir, ofProcess); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := OpenIdentity(filepath.Join(t.TempDir(), "none"), ofProcess); err == nil {
		t.Error("no folder, and no error")
	}
}

// TestSecret: what keygen writes is read, and other things are not.
func TestSecret(t *testing.T) {
	t.Parallel()
	s := NewSecret()
	again, err := ParseSecret(s.Format())
	if err != nil || *again != *s {
		t.Errorf("%v", err)
	}
	if bytes.Equal(s.GossipKey(), s.signer().Seed()) || bytes.Equal(s.GossipKey(), NewSecret().GossipKey()) || len(s.GossipKey()) != 32 {
		t.Error("keys are the same")
	}
	for _, c := range []struct{ text, said string }{
		{"", "has 64 hexadecimal digits, not 0"},
		{strings.Repeat("0", 63), "not 63"},
		{strings.Repeat("g", 64), "hexadecimal digits only"},
	} {
		if _, err := ParseSecret([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if _, err := ReadSecret(filepath.Join(t.TempDir(), "s")); err == nil || !strings.Contains(err.Error(), "(2: No such file or directory)") {
		t.Error(err)
	}
}

// TestRefusals: a flood is counted, not repeated.
func TestRefusals(t *testing.T) {
	t.Parallel()
	var lines []string
	r := newRefusals(func(text string) { lines = append(lines, text) })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 1000 {
		r.add("10.0.0.1", errNoCertificate, now.Add(time.Duration(i)*70*time.Millisecond))
	}
	if len(lines) != 2 || !strings.HasSuffix(lines[1], "it shows no certificate (857 more since 03:04:05)") {
		t.Errorf("%q", lines)
	}
	for i := range 1000 {
		r.add(strings.Repeat("x", i+1), errSecret, now)
	}
	if len(lines) > 2+maxRefusals || len(r.seen) > maxRefusals+1 {
		t.Errorf("%d lines, %d addresses", len(lines), len(r.seen))
	}
}
