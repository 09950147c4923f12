package clustertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/node/control"
)

// operated is weir as a process of its own that is operated by its commands.
type operated struct {
	*process.Process
	t             *testing.T
	program, conf string
	addr, dir     string
	client        *http.Client
}

// operate starts weir in front of one server.
func operate(t *testing.T, server string) *operated {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o := &operated{t: t, program: buildWeir(t), dir: dir, conf: filepath.Join(dir, "weir.conf"), addr: freeAddress(t),
		client: &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}}
	text := fmt.Sprintf(`error_log %[1]s/log info; pid %[1]s/pid; data %[1]s/data; events {} http { access_log off;
		upstream app { zone app 64k; server %[2]s; } upstream fixed { server %[2]s; }
		server { listen %[3]s; location / { proxy_pass http://app; } } }`, dir, server, o.addr)
	if err := os.WriteFile(o.conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	o.start()
	return o
}

func (o *operated) start() {
	o.t.Helper()
	var err error
	o.Process, err = process.Start(process.Options{Name: "weir", Program: o.program, Args: []string{"-c", o.conf}, Log: filepath.Join(o.dir, "output")})
	if err != nil {
		o.t.Fatal(err)
	}
	p := o.Process
	o.t.Cleanup(func() { p.Stop(syscall.SIGKILL, limit) })
	if err := p.Await(o.t.Context(), limit, func() error { _, err := o.ask("cluster", "status"); return err }); err != nil {
		o.t.Fatal(err)
	}
}

// ask runs a command and returns what it writes.
func (o *operated) ask(args ...string) (string, error) {
	out, err := exec.CommandContext(o.t.Context(), o.program, append(args, "-c", o.conf)...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("weir %s: %w: %s", args, err, out)
	}
	return string(out), nil
}

func (o *operated) must(args ...string) string {
	o.t.Helper()
	out, err := o.ask(args...)
	if err != nil {
		o.t.Error(err)
	}
	return out
}

// seen asks n times and tells who answered, sorted, each once.
func (o *operated) seen(n int) string {
	who := map[string]bool{}
	for range n {
		resp, err := o.client.Get("http://" + o.addr)
		if err != nil {
			who[err.Error()] = true
			continue
		}
		who[resp.Header.Get("X-Server")+strings.TrimPrefix(resp.Status, "200 OK")] = true
		_ = resp.Body.Close() // nothing is in it
	}
	return strings.Join(sortedKeys(who), " ")
}

// named starts a server that tells its name, and returns its address.
func named(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Server", name) }))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestOperate: what an operator orders by the commands takes effect on the next
// request, and outlives a restart.
func TestOperate(t *testing.T) {
	t.Parallel()
	one, two := named(t, "one"), named(t, "two")
	o := operate(t, one)
	step := func(want string, args ...string) {
		t.Helper()
		o.must(args...)
		if got := o.seen(6); got != want {
			t.Errorf("weir %s: answered by %q, want %q", args, got, want)
		}
	}
	step("one two", "upstream", "add", "app", two, "weight=2", "max_conns=50")
	step("two", "upstream", "drain", "app", one, "--why", "new disk")
	step("502 Bad Gateway", "upstream", "set", "app", two, "down", "--json")
	step("two", "upstream", "up", "app", two)
	if out := o.must("upstream", "list", "app"); !strings.Contains(out, "drain by ") || !strings.Contains(out, ": new disk") || !strings.Contains(out, "weight=2 max_conns=50 down") {
		t.Errorf("the list:\n%s", out)
	}
	o.Stop(syscall.SIGTERM, limit)
	if _, err := os.Stat(control.SocketPath(filepath.Join(o.dir, "data"))); !os.IsNotExist(err) {
		t.Errorf("the socket after the end: %v", err)
	}
	var exit *exec.ExitError
	if out, err := o.ask("upstream", "list"); !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(out, "is weir running?") {
		t.Errorf("nobody there: %v", err)
	}
	o.start()
	step("two", "upstream", "list")
	step("one two", "upstream", "set", "app", one, "order=none")
	step("one", "upstream", "remove", "app", two)
	if out, err := o.ask("upstream", "add", "fixed", two); err == nil || !strings.Contains(out, "has no zone") {
		t.Errorf("a fixed upstream: %v", err)
	}
}

// TestKillWhileWriting: what was acknowledged is there after a kill.
func TestKillWhileWriting(t *testing.T) {
	t.Parallel()
	o := operate(t, named(t, "one"))
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	client := &control.Client{Path: control.SocketPath(filepath.Join(o.dir, "data"))}
	var acknowledged []string
	enough := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			server := fmt.Sprintf("10.0.%d.%d:80", n/256, n%256)
			if _, err := client.AddServer(ctx, "app", control.NewServer{Server: server}); err != nil {
				done <- err
				return
			}
			if acknowledged = append(acknowledged, server); n == 30 {
				close(enough)
			}
		}
	}()
	select {
	case <-enough:
	case err := <-done:
		t.Fatal(err)
	}
	o.Stop(syscall.SIGKILL, limit)
	var told *control.Failure
	var nobody *control.UnreachableError
	if err := <-done; !errors.As(err, &nobody) && (!errors.As(err, &told) || told.Code != control.OutcomeUnknown) {
		t.Errorf("of a write that was not answered: %v", err)
	}
	began := time.Now()
	o.start()
	u, err := client.Upstream(ctx, "app")
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range acknowledged {
		if !slices.ContainsFunc(u.Servers, func(s control.Server) bool { return s.Server == server }) {
			t.Errorf("%s was acknowledged and is gone", server)
		}
	}
	t.Logf("%d writes acknowledged, there again after %s", len(acknowledged), time.Since(began))
}
