package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/program"
)

// nobody is the number of the user that weir turns into in these tests.
const nobody = 65534

// TestUser gives up the rights of root, keeps what a reload needs, and still
// leaves nothing behind.
func TestUser(t *testing.T) {
	t.Parallel()
	program.Root(t)
	s := newSite(t)
	s.write("one", "user nobody;", "")
	s.start()
	if got := s.get(); got != "one" {
		t.Errorf("reply: %q", got)
	}
	for _, line := range s.threads("Uid", "CapEff", "CapPrm") {
		switch strings.Join(strings.Fields(line), " ") {
		case "Uid: 65534 65534 65534 65534", "CapEff: 0000000000000400", "CapPrm: 0000000000000400":
		default:
			t.Errorf("a thread has %s", line)
		}
	}

	// Rotation of a log in a directory that only root can write.
	if err := os.Rename(s.log, s.log+".1"); err != nil {
		t.Fatal(err)
	}
	s.signal("reopen")
	s.eventually("new log", func() bool { _, err := os.Stat(s.log); return err == nil })

	// A port below 1024, on an address of loopback that is this test's own.
	address := fmt.Sprintf("127.%d.%d.%d:99", 100+s.cmd.Process.Pid>>16&63, s.cmd.Process.Pid>>8&255, s.cmd.Process.Pid&255)
	s.write("two", "user nobody;", "listen "+address+";")
	s.signal("reload")
	s.logs("generation 2 serves")
	reply, err := http.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()

	key := filepath.Join(s.dir, "key.pem")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.write("three", "user nobody;", "listen unix:DIR/tls ssl; ssl_certificate DIR/key.pem; ssl_certificate_key DIR/key.pem;")
	if stderr, _ := s.weir("-t"); !strings.Contains(stderr, `user "nobody" cannot read "`+key+`"`) {
		t.Errorf("-t does not warn: %s", stderr)
	}
	s.signal("reload")
	s.logs(key + `"`)
	s.logs("the configuration of before stays in force")

	s.signal("quit")
	s.end()
	if _, err := os.Lstat(s.socket); err == nil {
		t.Error("the unix socket is left behind")
	}
}

// TestUserData: the data folder belongs to whom the process turns into from
// the pid file on, also what a start as root finds or makes there, and is of use
// at the next start. What replaces a file never belongs to another, not for a
// moment: a start that fails may leave it.
func TestUserData(t *testing.T) {
	t.Parallel()
	program.Root(t)
	s := newSite(t)
	if err := os.Chmod(s.dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s.write("one", "user nobody; data DIR/data;", "")
	data := filepath.Join(s.dir, "data")
	for range 2 {
		stop := watchOwner(t, filepath.Join(data, "node.json"))
		s.start()
		checkOwners(t, data)
		s.eventually("the log of changes", func() bool { _, err := os.Stat(filepath.Join(data, "raft", "raft.db")); return err == nil })
		checkOwners(t, data)
		stop()
		s.signal("quit")
		s.end()
	}
	if log := s.read(s.log); strings.Contains(log, "[error]") || strings.Contains(log, "[alert]") || strings.Contains(log, "[warn] changes") {
		t.Error(log)
	}
}

// checkOwners fails the test for each file in dir that does not belong to nobody.
func checkOwners(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // it was there while weir wrote another file
		}
		if err != nil {
			return err
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != nobody {
			t.Errorf("%s belongs to %d", path, owner)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// watchOwner fails the test if the file path, whenever it is there, belongs to
// another than nobody, until stop is called.
func watchOwner(t *testing.T, path string) (stop func()) {
	t.Helper()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for {
			if info, err := os.Lstat(path); err == nil && info.Sys().(*syscall.Stat_t).Uid != nobody {
				t.Errorf("%s belonged to %d for a moment", path, info.Sys().(*syscall.Stat_t).Uid)
				return
			}
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(end); <-ended })
	t.Cleanup(stop)
	return stop
}

// threads gives lines of /proc/PID/status of every thread.
func (s *site) threads(names ...string) []string {
	s.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("no threads: %v", err)
	}
	var lines []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended since
		}
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, name := range names {
				if strings.HasPrefix(line, name+":") {
					lines = append(lines, line)
				}
			}
		}
	}
	return lines
}

// TestControlSocketOfUser: root and the user that weir runs as may operate it,
// others not, and the socket is gone at the end.
func TestControlSocketOfUser(t *testing.T) {
	t.Parallel()
	program.Root(t)
	s := newSite(t)
	s.write("one", "user nobody; data DIR/data;", "")
	s.start()
	s.eventually("control socket", func() bool { _, err := os.Stat(s.dir + "/data/control.sock"); return err == nil })
	for _, c := range []struct {
		uid  uint32
		code int
		says string
	}{
		{0, 0, ""},
		{nobody, 0, ""},
		{1, 3, "only root and the user that weir runs as may use it"},
	} {
		cmd := exec.Command(weirPath(t), "upstream", "list", "--socket", s.dir+"/data/control.sock")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("user %d: %v, %s", c.uid, err, out)
		}
	}
	s.signal("quit")
	s.end()
	if _, err := os.Lstat(s.dir + "/data/control.sock"); err == nil {
		t.Error("the control socket is left behind")
	}
}
