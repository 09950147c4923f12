package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// site is a weir with a configuration of one server, run as a process.
type site struct {
	t      *testing.T
	dir    string
	socket string
	conf   string
	pid    string
	log    string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan error
	client *http.Client
}

// newSite writes a configuration whose server answers with a word. Main holds
// further directives of the main context, server those of the server block.
func newSite(t *testing.T) *site {
	t.Helper()
	// Shorter than t.TempDir: the path of a unix socket has 107 bytes.
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &site{
		t: t, dir: dir, socket: filepath.Join(dir, "socket"), conf: filepath.Join(dir, "weir.conf"),
		pid: filepath.Join(dir, "weir.pid"), log: filepath.Join(dir, "error.log"), done: make(chan error, 1),
	}
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
		},
	}}
	return s
}

// write makes a configuration that answers with word.
func (s *site) write(word, main, server string) {
	s.t.Helper()
	writeFile(s.t, s.conf, strings.NewReplacer("DIR", s.dir).Replace(fmt.Sprintf(`%s
pid DIR/weir.pid;
error_log DIR/error.log notice;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    server {
        listen unix:DIR/socket;
        %s
        location / { return 200 %s; }
    }
}
`, main, server, word)))
}

// weir runs the program with arguments until it ends, and gives what it wrote
// to stderr and its exit code.
func (s *site) weir(args ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, weirPath(s.t), append(args, "-c", s.conf)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("weir %q: %v", args, err)
	}
	return stderr.String(), cmd.ProcessState.ExitCode()
}

// signal runs weir -s.
func (s *site) signal(name string) {
	s.t.Helper()
	if stderr, code := s.weir("-s", name); code != 0 || stderr != "" {
		s.t.Errorf("-s %s: exit code %d, stderr: %s", name, code, stderr)
	}
}

// start runs weir in the foreground and waits for its pid file.
func (s *site) start() *site {
	s.t.Helper()
	return s.startBy()
}

// startBy is start with words in front of the command, which must be replaced
// by it.
func (s *site) startBy(words ...string) *site {
	s.t.Helper()
	command := append(words, weirPath(s.t), "-c", s.conf)
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		s.done <- s.cmd.Wait()
		close(ended)
	}()
	s.t.Cleanup(func() {
		s.cmd.Process.Kill() //nolint:errcheck // it has ended long ago, or has to now
		<-ended
	})
	want := strconv.Itoa(s.cmd.Process.Pid) + "\n"
	s.eventually("the pid file", func() bool { return s.read(s.pid) == want })
	return s
}

// end waits until the process has ended, with exit code 0.
func (s *site) end() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("weir ended: %v\n%s", err, s.stderr.String())
		}
		if got := s.read(s.pid); got != "" {
			s.t.Errorf("pid file after the end: %q", got)
		}
	case <-time.After(patience):
		s.t.Fatalf("weir does not end:\n%s", s.read(s.log))
	}
}

// read gives a file's text; empty if it is missing.
func (s *site) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(text)
}

// get gives the body of a reply; empty if there is none.
func (s *site) get() string {
	reply, err := s.client.Get("http://weir/")
	if err != nil {
		return ""
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

// logs waits for a line in the error log.
func (s *site) logs(line string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%q in the log", line), func() bool { return strings.Contains(s.read(s.log), line) })
}

// eventually asks until the answer is yes.
func (s *site) eventually(what string, yes func() bool) {
	s.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("no %s; error log:\n%s", what, s.read(s.log))
		}
	}
}

func TestReloadAndQuit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("one", "", "")
	s.start()
	if got := s.get(); got != "one" {
		t.Errorf("before the reload: %q", got)
	}
	s.write("two", "", "")
	s.signal("reload")
	s.logs("generation 1 exited with code 0")
	if got := s.get(); got != "two" {
		t.Errorf("after the reload: %q", got)
	}
	for _, line := range []string{"signal 1 (SIGHUP) received, reconfiguring", ": reconfiguring\n", "signal process started"} {
		s.logs(line)
	}

	if err := os.Rename(s.log, s.log+".1"); err != nil {
		t.Fatal(err)
	}
	s.signal("reopen")
	s.eventually("new log file", func() bool { _, err := os.Stat(s.log); return err == nil })

	s.signal("quit")
	s.end()
	for _, line := range []string{"signal 3 (SIGQUIT) received, shutting down", ": gracefully shutting down\n", ": exiting\n", ": exit\n"} {
		s.logs(line)
	}
}

func TestFailedReloadChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("one", "", "")
	s.start()
	for _, broken := range []struct{ main, server, log string }{
		{"foo bar;", "", `[emerg] `},
		{"", "listen unix:DIR/no/socket;", `failed (2: No such file or directory)`},
		{"", "listen unix:DIR/tls ssl; ssl_certificate DIR/no.pem; ssl_certificate_key DIR/no.key;", "no.pem"},
	} {
		s.write("two", broken.main, broken.server)
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.logs(broken.log)
		s.logs("the configuration of before stays in force")
		if got := s.get(); got != "one" {
			t.Errorf("after a failed reload: %q", got)
		}
		writeFile(t, s.log, "")
	}
	s.write("three", "", "")
	s.signal("reload")
	s.logs("generation 2 serves")
	if got := s.get(); got != "three" {
		t.Errorf("after a good reload: %q", got)
	}
	s.signal("stop")
	s.end()
}

func TestFastStop(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		s := newSite(t)
		s.write("one", "", "")
		s.start()
		idle, err := net.Dial("unix", s.socket)
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		s.end()
		s.logs(order(sig).Cause + ", exiting")
	}
}

func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("one", "", "")
	s.start()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.done
	if s.read(s.pid) == "" {
		t.Error("no pid file is left by a killed process")
	}
	stderr, code := s.weir("-s", "stop")
	if code != 1 || !strings.Contains(stderr, "failed (3: No such process)") {
		t.Errorf("-s stop: %d, %s", code, stderr)
	}
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("one", "daemon on;", "")
	if stderr, code := s.weir(); code != 0 || stderr != "" {
		t.Fatalf("exit code %d, stderr: %s", code, stderr)
	}
	if got := s.get(); got != "one" {
		t.Errorf("right after the start: %q", got)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(s.read(s.pid)))
	if err != nil {
		t.Fatal(err)
	}
	if session, err := sessionOf(pid); err != nil || session != pid {
		t.Errorf("process %d is in session %d (%v)", pid, session, err)
	}
	for fd := range 3 {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); err != nil || target != os.DevNull {
			t.Errorf("file descriptor %d of a daemon is %s (%v)", fd, target, err)
		}
	}
	s.signal("quit")
	s.eventually("end of the daemon", func() bool { return s.read(s.pid) == "" })
}

func TestDaemonThatCannotStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("one", "daemon on;", "listen unix:DIR/no/socket;")
	stderr, code := s.weir()
	if code != 1 || !strings.Contains(stderr, "weir: [emerg] ") || !strings.Contains(stderr, "/no/socket") {
		t.Errorf("exit code %d, stderr: %s", code, stderr)
	}
	if got := s.read(s.pid); got != "" {
		t.Errorf("pid file: %q", got)
	}
}

// sessionOf reads a process's session from /proc.
func sessionOf(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command's name, in parentheses, may hold spaces.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return strconv.Atoi(fields[3])
}
