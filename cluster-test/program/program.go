// Package program tells tests which outside programs (nginx, node, openssl …) are at hand, and is the one place where
// a test is skipped. A test that needs a program calls Need; without it the test is skipped with the word SKIP-PROGRAM,
// and with WEIR_NEED_PROGRAMS=1 in the environment it fails, so that continuous integration cannot pass by skipping.
package program

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Need returns the path of an outside program found in PATH, or skips the test; it fails the test instead when
// WEIR_NEED_PROGRAMS is 1.
func Need(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("WEIR_NEED_PROGRAMS") == "1" {
		t.Fatalf("this test needs the program %s: %v", name, err)
	}
	t.Skipf("SKIP-PROGRAM %s: %v", name, err)
	return ""
}

// Modules skips a test whose Node.js modules are not installed in a folder with a package.json; it fails the test
// instead when WEIR_NEED_PROGRAMS is 1.
func Modules(t testing.TB, dir string) {
	t.Helper()
	_, err := os.Stat(filepath.Join(dir, "node_modules"))
	if err == nil {
		return
	}
	if os.Getenv("WEIR_NEED_PROGRAMS") == "1" {
		t.Fatalf("this test needs the modules of %s: npm ci --prefix %s", dir, dir)
	}
	t.Skipf("SKIP-PROGRAM modules of %s: npm ci --prefix %s installs them", dir, dir)
}

// Root skips a test that only root can run; it fails the test instead when WEIR_NEED_PROGRAMS is 1.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("WEIR_NEED_PROGRAMS") == "1" {
		t.Fatal("this test needs root")
	}
	t.Skip("SKIP-PROGRAM root")
}

// Permitted skips a test to which the system refuses a right, as many
// containers do to root; it fails the test instead when WEIR_NEED_PROGRAMS is
// 1. Any other error of trying fails it.
func Permitted(t testing.TB, right string, tried error) {
	t.Helper()
	switch {
	case tried == nil:
	case !errors.Is(tried, syscall.EPERM) || os.Getenv("WEIR_NEED_PROGRAMS") == "1":
		t.Fatalf("%s: %v", right, tried)
	default:
		t.Skipf("SKIP-PROGRAM right to %s: %v", right, tried)
	}
}

// Measure skips a long test unless WEIR_MEASURE is 1, as `make measure` sets it.
func Measure(t testing.TB) {
	t.Helper()
	if os.Getenv("WEIR_MEASURE") != "1" {
		t.Skip("a long test: make measure runs it")
	}
}
