package clustertest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

// ward is weir in front of two Node.js servers, n1 and n2, that are as well as they are told to be.
type ward struct {
	*weir
	addrs map[string]string
	nodes map[string]*process.Process
}

func startWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{addrs: map[string]string{}, nodes: map[string]*process.Process{}}
	for _, name := range []string{"n1", "n2"} {
		w.addrs[name] = freeAddress(t)
		w.raise(t, name)
	}
	w.weir = startWeir(t, fmt.Sprintf(`
		match well { status 200; header Content-Type ~ "text/html"; body ~ "Hello world"; }
		upstream app { zone app 64k; server %s max_fails=0; server %s max_fails=0; }
		server { listen LISTEN; location / { proxy_pass http://app; proxy_next_upstream off; proxy_read_timeout 3s;
			health_check match=well uri=/healthz interval=100ms; } }`, w.addrs["n1"], w.addrs["n2"]))
	return w
}

// raise starts a server.
func (w *ward) raise(t *testing.T, name string) {
	t.Helper()
	host, port, err := net.SplitHostPort(w.addrs[name])
	if err != nil {
		t.Fatal(err)
	}
	w.nodes[name], err = process.Start(process.Options{
		Name: name, Program: program.Need(t, "node"), Args: []string{filepath.Join("testdata", "health.js")},
		Env: []string{"HOST=" + host, "PORT=" + port, "NAME=" + name}, Log: filepath.Join(t.TempDir(), name+".output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := w.nodes[name]
	t.Cleanup(func() { p.Stop(syscall.SIGKILL, limit) })
	if err := p.Await(t.Context(), limit, func() error { return answers(w.addrs[name]) }); err != nil {
		t.Fatal(err)
	}
}

// tell asks a server directly.
func (w *ward) tell(t *testing.T, name, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + w.addrs[name] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// lines are the lines of the log about a server's health.
func (w *ward) lines(name string) (list []string) {
	for line := range strings.Lines(w.text()) {
		if strings.Contains(line, "peer is ") && strings.Contains(line, w.addrs[name]) {
			list = append(list, line)
		}
	}
	return list
}

// awaitLine waits for the n-th line about a server's health, which is to match an expression.
func (w *ward) awaitLine(name string, n int, want string) {
	w.t.Helper()
	w.await(func() error {
		list := w.lines(name)
		if len(list) < n {
			return fmt.Errorf("%d lines about %s", len(list), name)
		}
		if len(list) > n || !regexp.MustCompile(want).MatchString(list[n-1]) {
			return fmt.Errorf("line %d about %s is %s, want %q", len(list), name, list[len(list)-1], want)
		}
		return nil
	})
}

// TestNodeServersRefuse: a server whose port is taken by nobody who listens is found to refuse at the first check.
func TestNodeServersRefuse(t *testing.T) {
	t.Parallel()
	nobody := loopback.Refusing(t)
	w := startWeir(t, fmt.Sprintf(`upstream app { zone app 64k; server %s max_fails=0; }
		server { listen LISTEN; location / { proxy_pass http://app; health_check interval=100ms; } }`, nobody))
	w.awaitLog("peer is unhealthy (refused: connect() failed (111: Connection refused)")
}

// TestNodeServersFallIll: real servers are killed, stopped, answer with errors, without an end, too slowly or not at
// all; each time none of weir's requests goes there once the check has found it, and it comes back when it is well.
// Requests are not repeated and max_fails is off, so only the checks keep them from failing.
func TestNodeServersFallIll(t *testing.T) {
	t.Parallel()
	w := startWard(t)
	w.awaitSeen(10, "n1 n2")
	const killed = "(refused|closed)" // a connection that the dead server never accepted, or whose answer was under way, is reset
	told := func(mode string) func() { return func() { w.tell(t, "n2", "/become?"+mode) } }
	well := told("well")
	lines := 0
	for _, tt := range []struct {
		what       string
		fall, rise func()
	}{
		{"status: 500", told("status"), well},
		{"header: Content-Type", told("header"), well},
		{"body: 262144 bytes were looked at", told("body"), well},
		{"timeout", told("timeout"), well},
		{"closed", told("closed"), well},
		{"timeout", func() { w.nodes["n2"].Signal(syscall.SIGSTOP) }, func() { w.nodes["n2"].Signal(syscall.SIGCONT) }},
		{killed, func() { w.nodes["n2"].Stop(syscall.SIGKILL, limit) }, func() { w.raise(t, "n2") }},
	} {
		tt.fall()
		lines++
		w.awaitLine("n2", lines, `unhealthy \(`+tt.what)
		if got := w.seen(30); got != "n1" {
			t.Errorf("%s: requests are answered by %q", tt.what, got)
		}
		tt.rise()
		lines++
		w.awaitLine("n2", lines, "peer is healthy")
		if got := w.seen(10); got != "n1 n2" {
			t.Errorf("after %s: requests are answered by %q", tt.what, got)
		}
	}
	if list := w.lines("n1"); len(list) != 0 {
		t.Errorf("of the server that was well all the time: %q", list)
	}
}
