package node

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	at := config.Pos{File: "FILE", Line: 4}
	remarks := func(h *harness) {
		h.cfg.Warnings = []config.Warning{{Pos: at, Msg: "odd", Hint: "do it so"}}
		h.cfg.Notes = []config.Note{
			{Pos: at, State: config.Coming, Msg: `"gzip" is coming`},
			{Pos: at, State: config.Meaningless, Msg: `"sendfile" has no effect`},
		}
	}
	const ok = "weir: the configuration file FILE syntax is ok\n"
	const good = "weir: configuration file FILE test is successful\n"
	const bad = "weir: configuration file FILE test failed\n"
	tests := []struct {
		name   string
		change func(h *harness)
		quiet  bool
		stderr string
	}{
		{"good", func(*harness) {}, false, ok + good},
		{"good, quiet", func(*harness) {}, true, ""},
		{"remarks", remarks, false, "weir: [warn] odd in FILE:4 (do it so)\nweir: [warn] \"gzip\" is coming in FILE:4\n" +
			"weir: [notice] \"sendfile\" has no effect in FILE:4\n" + ok + good},
		{"remarks, quiet", remarks, true, "weir: [warn] odd in FILE:4 (do it so)\nweir: [warn] \"gzip\" is coming in FILE:4\n"},
		{"syntax", func(h *harness) { h.loadErr = at.Errorf("unexpected end") }, false,
			"weir: [emerg] unexpected end in FILE:4\n" + bad},
		{"syntax, quiet", func(h *harness) { h.loadErr = at.Errorf("unexpected end") }, true,
			"weir: [emerg] unexpected end in FILE:4\n" + bad},
		{"balancer", func(h *harness) { h.check = errors.New("no certificate") }, false,
			ok + "weir: [emerg] no certificate\n" + bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t)
			h.cfg.ErrorLogs = nil
			tt.change(h)
			o := h.options()
			o.ErrorLog = filepath.Join(h.dir, "early.log")
			err := Check(o, CheckOptions{Quiet: tt.quiet, Dump: io.Discard})
			if failed := strings.Contains(tt.stderr, "failed"); (err != nil) != failed {
				t.Errorf("error: %v", err)
			}
			got := strings.ReplaceAll(h.stderr.String(), h.cfg.File, "FILE")
			if got != tt.stderr {
				t.Errorf("got\n%swant\n%s", got, tt.stderr)
			}
			if failed := err != nil; failed != strings.Contains(read(t, o.ErrorLog), "[emerg]") {
				t.Errorf("error log: %s", read(t, o.ErrorLog))
			}
			if got := read(t, h.pid); got != "(missing)" {
				t.Errorf("a test wrote a pid file: %q", got)
			}
		})
	}
}

func TestEarlyLogThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.cfg.ErrorLogs = nil
	o := h.options()
	o.ErrorLog = filepath.Join("no", "log")
	if err := Check(o, CheckOptions{Quiet: true}); err != nil {
		t.Error(err)
	}
	want := `weir: [alert] could not open error log file: open() "` + filepath.Join(h.dir, "no", "log") + `" failed (`
	if got := h.stderr.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestSignalErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pid    string // content of the pid file; none if empty
		stderr string
	}{
		{"", `weir: [error] open() "PID" failed (2: No such file or directory)`},
		{"zz", `weir: [error] invalid PID number "zz" in "PID"`},
		{"4194305", `weir: [alert] kill(4194305, 1) failed (3: No such process)`},
	}
	for _, tt := range tests {
		h := newHarness(t)
		h.cfg.ErrorLogs = nil
		if tt.pid != "" {
			if err := os.WriteFile(h.pid, []byte(tt.pid), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		o := h.options()
		o.ErrorLog = filepath.Join(h.dir, "early.log")
		if err := Signal(o, "reload"); err == nil {
			t.Errorf("%q: no error", tt.pid)
		}
		if got, want := h.stderr.String(), strings.ReplaceAll(tt.stderr, `"PID"`, `"`+h.pid+`"`)+"\n"; got != want {
			t.Errorf("%q:\ngot  %swant %s", tt.pid, got, want)
		}
	}
}

func TestFirstConfigLoads(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Options{File: "/x.conf", ReadFile: func(string) ([]byte, error) { return []byte(FirstConfig), nil }})
	if err != nil || len(cfg.Warnings) > 0 || len(cfg.Notes) > 0 {
		t.Errorf("%v, %+v", err, cfg)
	}
}

func TestErrorLogOnStderr(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.cfg.ErrorLogs = []config.ErrorLog{{Path: StderrLog, Level: "notice"}}
	h.run()
	h.stderr.wait(t, "weir/1.2.3")
	h.stop()
}
