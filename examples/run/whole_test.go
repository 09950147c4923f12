package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
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
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", dir + "/"}, packages...)
	cmd := exec.CommandContext(t.Context(), program.Need(t, "go"), args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as make builds
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

// restartAfter is how long the example leaves alone what has ended.
const restartAfter = time.Second

// example is a `make run` under test.
type example struct {
	*process.Process
	ports  map[string]string // of its environment
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
	e := &example{ports: freePorts(t), dir: t.TempDir(), output: filepath.Join(bin, "output")}
	environment := []string{"WEIR=" + filepath.Join(bin, "weir"), "TWIN=" + filepath.Join(bin, "twin"), "RUN_DIR=" + e.dir, "RESTART_AFTER=" + restartAfter.String()}
	for name, port := range e.ports {
		environment = append(environment, name+"="+port)
	}
	var err error
	e.Process, err = process.Start(process.Options{Name: "make run", Program: filepath.Join(bin, "run"), Log: e.output, Env: environment})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Stop(syscall.SIGTERM, patience) })
	if err := e.Await(t.Context(), patience, e.prints("Ctrl-C stops everything")); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	e.client = &http.Client{
		Jar:           jar,
		Timeout:       patience,
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

// at is the begin of URLs for one of the nodes.
func (e *example) at(scheme string, node int) string {
	first, err := strconv.Atoi(e.ports[strings.ToUpper(scheme)+"_PORT"])
	if err != nil {
		panic(err) // we chose it
	}
	return fmt.Sprintf("%s://localhost:%d", scheme, first+node)
}

func (e *example) get(t *testing.T, scheme, path string) (*http.Response, string) {
	t.Helper()
	resp, err := e.client.Get(e.at(scheme, 0) + path)
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
	if want := e.at("https", 0) + "/webapp/?a=b"; resp.StatusCode != 301 || resp.Header.Get("Location") != want {
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
	if err := e.Await(t.Context(), patience, e.prints(`"GET /webapp/me HTTP/1.1" 401`)); err != nil {
		t.Errorf("the access log is not followed: %v", err)
	}

	e.killNode(t)
	e.killUnderLoad(t, server)
	if err := e.Await(t.Context(), patience, e.prints("server "+server+" has ended")); err != nil {
		t.Error(err)
	}

	for i := range nodes {
		text, err := os.ReadFile(filepath.Join(e.dir, fmt.Sprint("n", i+1), "logs", "error.log"))
		if err != nil || strings.Contains(string(text), "differs from that of this node") {
			t.Errorf("node n%d, whose configuration is that of the others: %v\n%s", i+1, err, text)
		}
	}

	e.client.CloseIdleConnections()
	e.Stop(syscall.SIGINT, patience)
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

// killNode signs in at the first node and kills it: the login holds at the others.
func (e *example) killNode(t *testing.T) {
	t.Helper()
	resp, err := e.client.PostForm(e.at("https", 0)+"/webapp/login", url.Values{"user": {"anna"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("login: %s", resp.Status)
	}
	e.kill(t, "node n1")
	if err := e.Await(t.Context(), patience, e.prints("node n1 has ended")); err != nil {
		t.Error(err)
	}
	for i := 1; i < nodes; i++ {
		resp, err := e.client.Get(e.at("https", i) + "/webapp/me")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), `"user":"anna"`) {
			t.Errorf("node n%d, after the death of n1: %s %s %v", i+1, resp.Status, body, err)
		}
	}
	if err := e.Await(t.Context(), 2*restartAfter+patience, e.prints("node n1 is back")); err != nil {
		t.Error(err)
	}
	e.client.Jar, err = cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Await(t.Context(), patience, func() error {
		resp, err := e.client.Get(e.at("https", 0) + "/webapp/health")
		if err == nil {
			resp.Body.Close()
		}
		return err
	}); err != nil {
		t.Error(err)
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
				resp, err := e.client.Get(e.at("https", 0) + "/webapp/me")
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
	e.kill(t, "server "+server)
	all.Wait()
}

// kill ends a server as `kill -9` does, by the number that the example prints.
func (e *example) kill(t *testing.T, name string) {
	t.Helper()
	m := regexp.MustCompile(`kill -9 (\d+) +# ` + name).FindStringSubmatch(process.LastLines(e.output, 1000))
	if m == nil {
		t.Fatalf("no process id of %s is printed", name)
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
	conn, err := tls.Dial("tcp", "127.0.0.1:"+e.ports["HTTPS_PORT"], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
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
