package clustertest

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/examples/app"
	"github.com/weir-lb/weir/examples/selfsigned"
)

// h2Site is the program in front of an example application, speaking HTTP/2 plain and over TLS.
type h2Site struct{ plain, secure, dir string }

func startH2Site(t *testing.T) *h2Site {
	t.Helper()
	server := httptest.NewServer(app.New("one"))
	t.Cleanup(server.Close)
	s := &h2Site{plain: freeAddress(t), secure: freeAddress(t), dir: t.TempDir()}
	certify(t, s.dir)
	startWith(t, s.dir, s.plain, fmt.Sprintf(`error_log error.log info;
pid weir.pid;
events {}
http {
    log_format h2 '$http2 $server_protocol "$request" $status $ssl_alpn_protocol';
    access_log access.log h2;
    http2 on;
    keepalive_requests 1000000;
    server {
        listen %s;
        listen %s ssl;
        ssl_certificate guide.crt;
        ssl_certificate_key guide.key;
        location / { proxy_pass %s; }
    }
}
`, s.plain, s.secure, server.URL))
	return s
}

// certify puts a certificate into a folder, guide.crt and guide.key.
func certify(t *testing.T, dir string) {
	t.Helper()
	pair, err := selfsigned.Make(selfsigned.ECDSA, "example.com", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Write(dir, "guide"); err != nil {
		t.Fatal(err)
	}
}

// startWith runs the program with a configuration until the test ends.
func startWith(t *testing.T, dir, addr, conf string) {
	t.Helper()
	file := filepath.Join(dir, "weir.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := process.Start(process.Options{
		Name: "weir", Program: buildWeir(t), Args: []string{"-p", dir, "-c", file}, Log: filepath.Join(dir, "output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(syscall.SIGTERM, limit) })
	if err = p.Await(t.Context(), limit, func() error { return answers(addr) }); err != nil {
		t.Fatal(err)
	}
}

// output runs a program and returns what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program.Need(t, name), args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}

// TestH2spec holds the program against the cases of h2spec, all of them: make h2spec fetches it.
func TestH2spec(t *testing.T) {
	t.Parallel()
	program.Need(t, "h2spec")
	s := startH2Site(t)
	clean := regexp.MustCompile(`(?m)^(\d+) tests, (\d+) passed, 0 skipped, 0 failed$`)
	for name, addr := range map[string]string{"cleartext": s.plain, "TLS": s.secure} {
		host, port, _ := strings.Cut(addr, ":")
		args := []string{"-h", host, "-p", port, "-P", "/webapp/echo", "-o", "10"}
		if name == "TLS" {
			args = append(args, "-t", "-k")
		}
		text := output(t, "h2spec", args...)
		if m := clean.FindStringSubmatch(text); m == nil || m[1] != m[2] || len(m[1]) < 3 {
			t.Errorf("%s:\n%s", name, text[max(0, strings.Index(text, "Failures:")):])
		}
	}
}

// TestHTTP2Clients asks with clients of other makes.
func TestHTTP2Clients(t *testing.T) {
	t.Parallel()
	program.Need(t, "h2load")
	s := startH2Site(t)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"curl", []string{"-sk", "--http2", "-w", "%{http_version} %{http_code}", "-o", os.DevNull, "https://" + s.secure + "/webapp/"}, "2 200"},
		{"curl", []string{"-s", "--http2-prior-knowledge", "-w", " %{http_version}", "http://" + s.plain + "/health"}, " 2"},
		{"curl", []string{"-s", "--http2", "-w", " %{http_version}", "http://" + s.plain + "/health"}, " 1.1"}, // Upgrade: h2c is passed over
		{"curl", []string{"-sk", "--http1.1", "-w", " %{http_version}", "https://" + s.secure + "/health"}, " 1.1"},
		{"curl", []string{"-sk", "--http2", "-d", "@" + bigFile(t), "-w", " %{http_version} %{http_code}", "https://" + s.secure + "/webapp/echo"}, " 2 200"},
		{"nghttp", []string{"-nv", "-d", bigFile(t), "https://" + s.secure + "/webapp/echo"}, ":status: 200"},
		{"h2load", []string{"-n3000", "-c8", "-m32", "https://" + s.secure + "/webapp/big?kb=20"}, "3000 succeeded, 0 failed"},
		{"h2load", []string{"-n3000", "-c8", "-m32", "http://" + s.plain + "/webapp/"}, "3000 succeeded, 0 failed"},
		{"h2load", []string{"-n200", "-c4", "-m8", "-w10", "-W12", "https://" + s.secure + "/webapp/big?kb=100"}, "200 succeeded, 0 failed"},
		{"h2load", []string{"-n400", "-c4", "-m16", "-d", bigFile(t), "https://" + s.secure + "/webapp/echo"}, "400 succeeded, 0 failed"},
	} {
		if text := output(t, c.name, c.args...); !strings.Contains(text, c.want) {
			t.Errorf("%s %s: no %q in\n%s", c.name, strings.Join(c.args, " "), c.want, text)
		}
	}
}

// bigFile is a body larger than a window.
func bigFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(path, []byte(strings.Repeat("0123456789abcdef", 10_000)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGuideOverHTTP2 plays a browser's session over one connection, with the guide's basic configuration (its two slips
// put right), two servers of Node.js and the program itself.
func TestGuideOverHTTP2(t *testing.T) {
	t.Parallel()
	node := program.Need(t, "node")
	dir := t.TempDir()
	main := writeGuide(t, dir, "nodejs-guide-basic.conf")
	plain, secure := freeAddress(t), freeAddress(t)
	guide := filepath.Join(dir, "nodejs-guide-basic.conf")
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	right := strings.NewReplacer("https://nodejs;", "http://nodejs;", "' '     close", "''     close",
		"192.168.33.11:8080", startNode(t, node, "one"), "192.168.33.12:8080", startNode(t, node, "two"),
		"127.0.0.1:18080", plain, "127.0.0.1:18443", secure)
	if err := os.WriteFile(guide, []byte(right.Replace(string(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	startWith(t, dir, secure, string(conf))
	got := output(t, "node", filepath.Join("testdata", "session.js"), "https://"+secure, "example.com")
	want := `websocket offered: true
home: 302 https://example.com/webapp/
page: 200 true weir
assets: true
login: 303 200 true
upload: 200 true
websocket: 200 connected to SERVER, ping, closed
head: 200 0
closed
`
	if port := secure[strings.LastIndexByte(secure, ':'):]; strings.ReplaceAll(got, "example.com"+port, "example.com") != want {
		t.Errorf("the session went\n%s\nwant\n%s", got, want)
	}
}

// startNode runs the example application on Node.js until the test ends, and returns its address.
func startNode(t *testing.T, node, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(top, "examples", "app", "server.js"))
	cmd.Env = append(os.Environ(), "PORT=0", "HOST=127.0.0.1", "NAME="+name)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // ended with the test's context: its error is not news
	line, err := bufio.NewReader(out).ReadString('\n')
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "listening on http://")
	if err != nil || !ok {
		t.Fatalf("server.js said %q, %v", line, err)
	}
	return addr
}
