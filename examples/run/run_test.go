package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// patience bounds every wait of these tests.
const patience = time.Minute

// env makes a getenv of a map.
func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// fromTop lets a test see the checkout as make does.
func fromTop(t *testing.T) { t.Chdir(filepath.Join("..", "..")) }

// freePorts are the ports of an example, which nobody uses, as its environment names them.
func freePorts(t *testing.T) map[string]string {
	t.Helper()
	ports := map[string]string{}
	for name, together := range map[string]int{"HTTP_PORT": nodes, "HTTPS_PORT": nodes, "CLUSTER_PORT": 2 * nodes, "APP1_PORT": 1, "APP2_PORT": 1} {
		ports[name] = fmt.Sprint(loopback.FreeRun(t, together).Port())
	}
	return ports
}

func TestStageRefuses(t *testing.T) {
	fromTop(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	cases := []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HTTP_PORT": port}, "port " + port + " of 127.0.0.1 is taken by another program; choose another one, such as: make run HTTP_PORT="},
		{map[string]string{"HTTP_PORT": "http"}, "HTTP_PORT=http is not a port"},
		{map[string]string{"HTTP_PORT": "70000"}, "HTTP_PORT=70000 is not a port"},
	}
	for _, c := range cases {
		if _, err := newStage(env(c.env)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.env, err, c.want)
		}
	}
}

func TestStageNeedsTheCheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := newStage(env(nil)); err == nil || !strings.Contains(err.Error(), "top folder of the checkout") {
		t.Errorf("%v", err)
	}
}

func TestStageWithoutNode(t *testing.T) {
	fromTop(t)
	t.Setenv("PATH", t.TempDir())
	ports := freePorts(t)
	ports["TWIN"] = "/nowhere/twin"
	if _, err := newStage(env(ports)); err == nil || !strings.Contains(err.Error(), "node is not installed, and its Go twin is not built") {
		t.Errorf("without both: %v", err)
	}
	ports["TWIN"] = filepath.Join("Makefile") // any file will do
	s, err := newStage(env(ports))
	if err != nil || !strings.Contains(s.about, "node is not installed: two servers of its Go twin") {
		t.Errorf("with the twin: %v, %+v", err, s)
	}
}

func TestPortsInTheConfiguration(t *testing.T) {
	fromTop(t)
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{root: root, dir: t.TempDir(), httpPort: 81, httpsPort: 444, clusterPort: 90, appPorts: [2]int{82, 83}}
	s.addNodes()
	second := s.nodes[1]
	if err := second.prepare(); err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, name := range []string{"weir.conf", "nodejs-basic.conf"} {
		text, err := os.ReadFile(filepath.Join(second.dir, "conf", name))
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	for _, want := range []string{
		"listen      127.0.0.1:82;", "listen      127.0.0.1:445 ssl;", "return 301 https://$host:$https_port$request_uri;",
		"81 444;", "82 445;", "83 446;",
		"server 127.0.0.1:82;", "server 127.0.0.1:83;", "ssl_certificate     ../../ssl/localhost.crt;",
		"node    n2;", "listen  127.0.0.1:92;", "join    127.0.0.1:90 127.0.0.1:92 127.0.0.1:94;",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

// lockedBuffer collects what another goroutine writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually waits until something holds.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("after %v: not yet %s", limit, what)
		case <-tick.C:
		}
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	add("old\n")
	ctx, cancel := context.WithCancel(t.Context())
	var out lockedBuffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		follow(ctx, path, &out)
	}()
	shows := func(text string) func() bool { return func() bool { return strings.HasSuffix(out.String(), text) } }
	// What is added before follow has opened the file counts as old, so add until it shows.
	eventually(t, patience, "following", func() bool {
		add("one\n")
		return shows("one\n")()
	})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	add("two\n")
	eventually(t, patience, "in the new file", shows("two\n"))
	cancel()
	<-ended
	if strings.Contains(out.String(), "old") {
		t.Errorf("what was there before is shown: %q", out.String())
	}
}
