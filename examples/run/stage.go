package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
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
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/examples/selfsigned"
)

// Ports as they stand in examples/*.conf. Further nodes have the ports behind those of HTTP and HTTPS.
const (
	fileHTTP  = 8080
	fileHTTPS = 8443
	fileApp1  = 3001
	fileApp2  = 3002
)

// stage is everything that is decided before the first process starts.
type stage struct {
	root  string // the checkout
	dir   string // run/: certificate, logs of the applications, and a folder for each node
	weir  string // binary
	app   []string
	about string // one line on the application servers

	httpPort, httpsPort, clusterPort int // of the first node

	appPorts     [2]int
	restartAfter time.Duration // what has ended is left alone for so long
	nodes        []*node
	client       *http.Client // trusts the example's certificate
}

// newStage reads the environment; getenv is os.Getenv but in tests.
func newStage(getenv func(string) string) (*stage, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	s := &stage{
		root: root,
		dir:  cmp.Or(getenv("RUN_DIR"), filepath.Join(root, "run")),
		weir: cmp.Or(getenv("WEIR"), filepath.Join(root, "bin", "weir")),
	}
	if _, err := os.Stat(filepath.Join(root, "examples", "weir.conf")); err != nil {
		return nil, fmt.Errorf("start this from the top folder of the checkout: %w", err)
	}
	ports := []struct {
		name     string
		port     *int
		in       int
		together int // how many in a row
	}{
		{"HTTP_PORT", &s.httpPort, fileHTTP, nodes}, {"HTTPS_PORT", &s.httpsPort, fileHTTPS, nodes},
		{"CLUSTER_PORT", &s.clusterPort, config.DefaultClusterPort, 2 * nodes},
		{"APP1_PORT", &s.appPorts[0], fileApp1, 1}, {"APP2_PORT", &s.appPorts[1], fileApp2, 1},
	}
	for _, p := range ports {
		*p.port = p.in
		if text := getenv(p.name); text != "" {
			if *p.port, err = strconv.Atoi(text); err != nil || *p.port < 1 || *p.port+p.together > 65536 {
				return nil, fmt.Errorf("%s=%s is not a port", p.name, text)
			}
		}
		for i := range p.together {
			if err := mustBeFree(p.name, *p.port+i); err != nil {
				return nil, err
			}
		}
	}
	s.addNodes()
	if s.restartAfter, err = time.ParseDuration(cmp.Or(getenv("RESTART_AFTER"), "15s")); err != nil {
		return nil, fmt.Errorf("RESTART_AFTER: %w", err)
	}
	return s, s.chooseApp(getenv("TWIN"))
}

// mustBeFree tells early, and in words, that a port is in use.
func mustBeFree(name string, port int) error {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d of 127.0.0.1 is taken by another program; choose another one, such as: make run %s=%d",
			port, name, port+100)
	}
	if err != nil {
		return fmt.Errorf("port %d (%s): %w", port, name, err)
	}
	return listener.Close()
}

// chooseApp takes node when it is there and works, else the Go twin.
func (s *stage) chooseApp(twin string) error {
	if node, err := exec.LookPath("node"); err == nil {
		if version, err := exec.Command(node, "--version").Output(); err == nil {
			s.app = []string{node, filepath.Join(s.root, "examples", "app", "server.js")}
			s.about = "two servers of examples/app/server.js with node " + strings.TrimSpace(string(version))
			return nil
		}
	}
	twin = cmp.Or(twin, filepath.Join(s.root, "bin", "twin"))
	if _, err := os.Stat(twin); err != nil {
		return fmt.Errorf("node is not installed, and its Go twin is not built: %w", err)
	}
	s.app = []string{twin}
	s.about = "node is not installed: two servers of its Go twin, examples/app/twin, take its place"
	return nil
}

// prepare makes folders, certificate, empty logs, and the configuration of each node.
func (s *stage) prepare() error {
	if err := os.MkdirAll(filepath.Join(s.dir, "logs"), 0o755); err != nil {
		return err
	}
	ssl := filepath.Join(s.dir, "ssl")
	if !selfsigned.Fresh(ssl, "localhost") {
		pair, err := selfsigned.Make(selfsigned.ECDSA, "localhost", "127.0.0.1", "::1")
		if err != nil {
			return err
		}
		if err := pair.Write(ssl, "localhost"); err != nil {
			return err
		}
	}
	cert, err := os.ReadFile(filepath.Join(ssl, "localhost.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	s.client = &http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s.prepareNodes()
}

func (s *stage) startApp(i int) (*process.Process, error) {
	name := [2]string{"one", "two"}[i]
	env := []string{"HOST=127.0.0.1", fmt.Sprint("PORT=", s.appPorts[i]), "NAME=" + name}
	return process.Start(process.Options{
		Name: name, Program: s.app[0], Args: s.app[1:], Env: env, Log: filepath.Join(s.dir, "logs", "app-"+name+".log"),
	})
}

// appAnswers makes the question whether application server i is ready.
func (s *stage) appAnswers(i int) func() error {
	return func() error { return s.ask(fmt.Sprintf("http://127.0.0.1:%d/health", s.appPorts[i]), http.StatusOK) }
}

func (s *stage) ask(url string, want int) error {
	resp, err := s.client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s answers %s, not %d", url, resp.Status, want)
	}
	return nil
}
