package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

// build builds commands of the checkout into a folder of the test.
func build(t *testing.T, dir string, packages ...string) {
	t.Helper()
	args := append([]string{"build", "-buildvcs=false", "-o", dir + "/"}, packages...)
	cmd := exec.CommandContext(t.Context(), program.Need(t, "go"), args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as make builds
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// example is a `make run` under test.
type example struct {
	*process.Process
	ports  []string // HTTP, HTTPS, and of the two servers
	dir    string
	output string // path
	client *http.Client
}

// startExample runs the real thing, with weir and the Go servers or node, on free ports.
func startExample(t *testing.T) *example {
	t.Helper()
	fromTop(t)
	bin := t.TempDir()
	build(t, bin, "./cmd/weir", "./examples/run", "./examples/app/twin")
	e := &example{ports: freePorts(t, 4), dir: t.TempDir(), output: filepath.Join(bin, "output")}
	var err error
	e.Process, err = process.Start(process.Options{
		Name: "make run", Program: filepath.Join(bin, "run"), Log: e.output,
		Env: []string{
			"WEIR=" + filepath.Join(bin, "weir"), "TWIN=" + filepath.Join(bin, "twin"), "RUN_DIR=" + e.dir,
			"HTTP_PORT=" + e.ports[0], "HTTPS_PORT=" + e.ports[1], "APP1_PORT=" + e.ports[2], "APP2_PORT=" + e.ports[3],
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Stop(syscall.SIGTERM, 15*time.Second) })
	if err := e.Await(t.Context(), 30*time.Second, e.prints("Ctrl-C stops everything")); err != nil {
		t.Fatal(err)
	}
	e.client = &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e
}

// prints is the question whether a text was printed.
func (e *example) prints(text string) func() error {
	return func() error {
		if !strings.Contains(process.LastLines(e.output, 1000), text) {
			return fmt.Errorf("nothing printed %q", text)
		}
		return nil
	}
}

func (e *example) get(t *testing.T, scheme, path string) (*http.Response, string) {
	t.Helper()
	port := e.ports[0]
	if scheme == "https" {
		port = e.ports[1]
	}
	resp, err := e.client.Get(scheme + "://localhost:" + port + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestWholeExample is what README promises of `make run`, done by a newcomer.
func TestWholeExample(t *testing.T) {
	e := startExample(t)

	resp, _ := e.get(t, "http", "/webapp/?a=b")
	if want := "https://localhost:" + e.ports[1] + "/webapp/?a=b"; resp.StatusCode != 301 || resp.Header.Get("Location") != want {
		t.Errorf("plain HTTP: %s to %q, want 301 to %q", resp.Status, resp.Header.Get("Location"), want)
	}
	if resp, _ := e.get(t, "https", "/"); resp.StatusCode != 302 || !strings.HasSuffix(resp.Header.Get("Location"), "/webapp/") {
		t.Errorf("/: %s to %q", resp.Status, resp.Header.Get("Location"))
	}
	first, body := e.get(t, "https", "/webapp/")
	if first.StatusCode != 200 || !strings.Contains(body, "Hello world") {
		t.Fatalf("the page: %s %s", first.Status, body)
	}
	server := first.Header.Get("X-Server")
	for range 20 {
		if resp, _ := e.get(t, "https", "/webapp/me"); resp.Header.Get("X-Server") != server {
			t.Fatalf("ip_hash sent one client to %s and to %s", server, resp.Header.Get("X-Server"))
		}
	}
	e.tryWebSocket(t)
	if err := e.Await(t.Context(), 10*time.Second, e.prints(`"GET /webapp/me HTTP/1.1" 401`)); err != nil {
		t.Errorf("the access log is not followed: %v", err)
	}

	e.killUnderLoad(t, server)
	if resp, _ := e.get(t, "https", "/webapp/me"); resp.Header.Get("X-Server") == server {
		t.Errorf("server %s answers after its death", server)
	}
	if err := e.Await(t.Context(), 10*time.Second, e.prints("server "+server+" has ended")); err != nil {
		t.Error(err)
	}

	e.client.CloseIdleConnections()
	e.Stop(syscall.SIGINT, 15*time.Second)
	if e.State() != "exit status 0" {
		t.Errorf("Ctrl-C: %s%s", e.State(), process.LastLines(e.output, 20))
	}
	for _, port := range e.ports {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			t.Errorf("something still listens on port %s", port)
		}
	}
}

// killUnderLoad kills a server while clients ask it; no request may fail.
func (e *example) killUnderLoad(t *testing.T, server string) {
	t.Helper()
	const clients, each = 8, 60
	var (
		all     sync.WaitGroup
		started = make(chan struct{}, clients*each)
	)
	for range clients {
		all.Go(func() {
			for range each {
				started <- struct{}{}
				resp, err := e.client.Get("https://localhost:" + e.ports[1] + "/webapp/me")
				if err != nil {
					t.Errorf("while %s dies: %v", server, err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("while %s dies: %s %v: %s", server, resp.Status, err, body)
				}
			}
		})
	}
	for range clients * each / 3 {
		<-started
	}
	e.kill(t, server)
	all.Wait()
}

// kill ends a server as `kill -9` does, by the number that the example prints.
func (e *example) kill(t *testing.T, server string) {
	t.Helper()
	m := regexp.MustCompile(`kill -9 (\d+) +# server ` + server).FindStringSubmatch(process.LastLines(e.output, 1000))
	if m == nil {
		t.Fatalf("no process id of server %s is printed", server)
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// tryWebSocket opens a tunnel through weir and reads the server's greeting.
func (e *example) tryWebSocket(t *testing.T) {
	t.Helper()
	conn, err := tls.Dial("tcp", "127.0.0.1:"+e.ports[1], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "GET /wstunnel/?greet=1 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 {
		t.Fatalf("WebSocket: %s", resp.Status)
	}
	frame := make([]byte, 2+len("connected to one"))
	if _, err := io.ReadFull(r, frame); err != nil {
		t.Fatal(err)
	}
	if got := string(frame[2:]); frame[0] != 0x81 || got != "connected to "+resp.Header.Get("X-Server") {
		t.Errorf("greeting %q", got)
	}
}
