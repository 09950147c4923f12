package process_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
)

// patience bounds every wait for what is to come.
const patience = time.Minute

func startShell(t *testing.T, script string) (*process.Process, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := process.Start(process.Options{Name: "shell", Program: "/bin/sh", Args: []string{"-c", script}, Env: []string{"WORD=hello"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(syscall.SIGKILL, time.Second) })
	return p, log
}

// prints is the question whether the log holds a word.
func prints(log, word string) func() error {
	return func() error {
		if text, _ := os.ReadFile(log); !strings.Contains(string(text), word) {
			return errors.New("no " + word + " yet")
		}
		return nil
	}
}

func TestAwaitAndStop(t *testing.T) {
	t.Parallel()
	p, log := startShell(t, `trap 'kill $!; exit 7' TERM; sleep 1000 & echo $WORD; wait`)
	if err := p.Await(t.Context(), patience, prints(log, "hello")); err != nil {
		t.Fatal(err)
	}
	p.Stop(syscall.SIGTERM, patience)
	if p.State() != "exit status 7" {
		t.Errorf("state %q", p.State())
	}
}

func TestStopKills(t *testing.T) {
	t.Parallel()
	p, log := startShell(t, `trap '' TERM; echo $WORD; exec sleep 1000`)
	if err := p.Await(t.Context(), patience, prints(log, "hello")); err != nil {
		t.Fatal(err)
	}
	p.Stop(syscall.SIGTERM, 50*time.Millisecond)
	if p.State() != "signal: killed" {
		t.Errorf("state %q", p.State())
	}
}

func TestAwaitFails(t *testing.T) {
	t.Parallel()
	never := func() error { return errors.New("not yet") }
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	cases := []struct {
		script, want string
		ctx          context.Context
	}{
		{"echo what went wrong; exit 3", "shell has ended: exit status 3\n    what went wrong", t.Context()},
		{"exec sleep 1000", "shell does not answer within 200ms: not yet", t.Context()},
		{"exec sleep 1000", "stopped before shell answered", cancelled},
	}
	for _, c := range cases {
		p, _ := startShell(t, c.script)
		limit := 200 * time.Millisecond
		if strings.Contains(c.want, "ended") {
			limit = patience
		}
		if err := p.Await(c.ctx, limit, never); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.script, err, c.want)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	if _, err := process.Start(process.Options{Name: "x", Program: "/nowhere/x", Log: filepath.Join(t.TempDir(), "log")}); err == nil {
		t.Error("a program that is not there was started")
	}
}
