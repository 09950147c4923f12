package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
)

func TestLife(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	var bound, serving string
	h.prepare = func(int) error { bound = read(t, h.pid); return nil }
	h.started = func() { serving = read(t, h.pid) }
	h.run()
	self := strconv.Itoa(os.Getpid()) + "\n"
	if bound != "(missing)" || serving != self {
		t.Errorf("pid file before every socket listens: %q; when serving: %q, want %q", bound, serving, self)
	}
	if !slices.Equal(h.announced, []string{"(missing)"}) {
		t.Errorf("pid file when it was announced: %q", h.announced)
	}
	h.stop()
	if got := read(t, h.pid); got != "(missing)" {
		t.Errorf("pid file after a clean end: %q", got)
	}
	if got := h.seen(); got != "prepare start close" {
		t.Errorf("calls: %s", got)
	}
	h.stderr.wait(t, "[notice] "+strings.TrimSpace(self)+"#"+strings.TrimSpace(self)+": exit\n")
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		break_ func(h *harness)
		stderr string // a line of it
	}{
		{"load", func(h *harness) { h.loadErr = &config.Error{Msg: `unknown directive "x"`, File: "f", Line: 3} }, `[emerg] #: unknown directive "x" in f:3`},
		{"bind", func(h *harness) { h.prepare = func(int) error { return errors.New("bind() failed") } }, "[emerg] #: bind() failed"},
		{"pid", func(h *harness) { h.cfg.PID = filepath.Join(h.dir, "no", "pid") }, `/no/pid" failed (2: No such file or directory)`},
		{"log", func(h *harness) {
			h.cfg.ErrorLogs = []config.ErrorLog{{Path: filepath.Join(h.dir, "no", "log"), Level: "error"}}
		}, "[emerg] #: open()"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			tt.break_(h)
			h.begin()
			if err := h.end(); err == nil {
				t.Error("Run gave no error")
			}
			pid := strconv.Itoa(os.Getpid())
			if got := h.stderr.String(); !strings.Contains(got, strings.ReplaceAll(tt.stderr, "#", pid+"#"+pid)) {
				t.Errorf("stderr: %s", got)
			}
			if strings.Contains(h.seen(), "start") {
				t.Errorf("it has served: %s", h.seen())
			}
			if got := read(t, h.pid); got != "(missing)" {
				t.Errorf("pid file: %q", got)
			}
		})
	}
}

func TestMissingConfigurationShowsAFirstOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.loadErr = &config.Error{Msg: `open() "/x" failed (2: No such file or directory)`, Err: os.ErrNotExist}
	h.begin()
	if err := h.end(); err == nil || !strings.Contains(h.stderr.String(), FirstConfig) {
		t.Errorf("error %v, stderr: %s", err, h.stderr)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	h := newHarness(t).run()
	h.order(Reload)
	h.stderr.wait(t, "reconfiguring\n")
	h.order(Reload)
	h.stderr.wait(t, "generation 3 serves")
	if got := h.seen(); got != "prepare start prepare start prepare start" {
		t.Errorf("calls: %s", got)
	}
	if strings.Contains(h.stderr.String(), "exited") {
		t.Errorf("a generation has exited before its last request:\n%s", h.stderr)
	}
	h.retire(2)
	h.stderr.wait(t, "generation 2 exited with code 0")
	h.retire(1)
	h.stderr.wait(t, "generation 1 exited with code 0")
	h.stop()
}

func TestFailedReloadKeepsTheOld(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		break_ func(h *harness)
		log    string
		calls  string
	}{
		{"load", func(h *harness) { h.loadErr = errors.New("no way") }, "[emerg] #: no way", "prepare start close"},
		{"bind", func(h *harness) { h.prepare = func(int) error { return errors.New("in use") } }, "[emerg] #: in use", "prepare start prepare close"},
		{"log", func(h *harness) { h.cfg.ErrorLogs = []config.ErrorLog{{Path: h.dir, Level: "error"}} }, "[emerg] #: open()", "prepare start close"},
		{"pid", func(h *harness) { h.cfg.PID = filepath.Join(h.dir, "no", "pid") }, "[emerg] #: open()", "prepare start prepare discard close"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t).run()
			h.change(tt.break_)
			h.order(Reload)
			pid := strconv.Itoa(os.Getpid())
			h.stderr.wait(t, strings.ReplaceAll(tt.log, "#", pid+"#"+pid))
			h.stderr.wait(t, "the configuration of before stays in force")
			if got := read(t, h.pid); got != pid+"\n" {
				t.Errorf("pid file: %q", got)
			}
			h.stop()
			if got := h.seen(); got != tt.calls {
				t.Errorf("calls: %s, want %s", got, tt.calls)
			}
		})
	}
}

func TestStopDoesNotWaitForAReload(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	let := make(chan struct{})
	h.prepare = func(n int) error {
		if n > 1 {
			<-let
		}
		return nil
	}
	h.run()
	h.order(Reload)
	h.order(Reload)
	h.stop()
	close(let)
	select {
	case <-h.discarded:
	case <-time.After(patience):
		t.Fatalf("what was built is not discarded: %s", h.seen())
	}
}

func TestQuit(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	last := make(chan struct{})
	h.drain = func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); bounded {
			return errors.New("bounded without worker_shutdown_timeout")
		}
		<-last
		return nil
	}
	h.run()
	h.order(Quit)
	h.stderr.wait(t, "gracefully shutting down")
	h.order(Reload)
	h.stderr.wait(t, "not reconfiguring")
	h.order(Quit)
	close(last)
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := h.seen(); got != "prepare start drain close" {
		t.Errorf("calls: %s", got)
	}
}

func TestStopWhileQuitting(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.drain = func(ctx context.Context) error { select {} }
	h.run()
	h.order(Quit)
	h.stop()
}

func TestShutdownTimeout(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.cfg.WorkerShutdown = time.Millisecond
	h.drain = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	h.run()
	h.order(Quit)
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	h.stderr.wait(t, "worker_shutdown_timeout is over")
}

func TestOrdersThatAreNotThereYet(t *testing.T) {
	t.Parallel()
	h := newHarness(t).run()
	h.order(Upgrade)
	h.stderr.wait(t, "cannot hand over to a new program")
	h.order(Winch)
	h.stderr.wait(t, "cannot stop accepting without ending")
	close(h.orders)
	if err := h.end(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	log := filepath.Join(h.dir, "error.log")
	h.cfg.ErrorLogs = append(h.cfg.ErrorLogs, config.ErrorLog{Path: log, Level: "notice"})
	h.run()
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	h.order(Reopen)
	h.stderr.wait(t, "reopening logs\n")
	h.stop()
	if got := read(t, log); !strings.Contains(got, ": exit\n") {
		t.Errorf("the new file: %s", got)
	}
	if got := read(t, log+".1"); !strings.Contains(got, "reopening logs") || strings.Contains(got, ": exit\n") {
		t.Errorf("the old file: %s", got)
	}
}

func TestReloadMovesThePIDFileAndTheLog(t *testing.T) {
	t.Parallel()
	h := newHarness(t).run()
	moved, log := filepath.Join(h.dir, "moved.pid"), filepath.Join(h.dir, "error.log")
	h.change(func(h *harness) {
		h.cfg.PID = moved
		h.cfg.ErrorLogs = append(h.cfg.ErrorLogs[:1:1], config.ErrorLog{Path: log, Level: "notice"})
	})
	h.order(Reload)
	h.stderr.wait(t, "generation 2 serves")
	if read(t, h.pid) != "(missing)" || read(t, moved) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("old pid file: %q, new: %q", read(t, h.pid), read(t, moved))
	}
	h.stop()
	if got := read(t, moved); got != "(missing)" {
		t.Errorf("pid file after the end: %q", got)
	}
	if got := read(t, log); !strings.Contains(got, ": exit\n") {
		t.Errorf("the new log: %s", got)
	}
}

func TestPIDFileOfAnotherProcessStays(t *testing.T) {
	t.Parallel()
	h := newHarness(t).run()
	if err := os.WriteFile(h.pid, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.stop()
	if got := read(t, h.pid); got != "1\n" {
		t.Errorf("pid file: %q", got)
	}
}
