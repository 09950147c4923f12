package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"github.com/weir-lb/weir/examples/selfsigned"
)

// Ports as they stand in examples/*.conf.
const (
	fileHTTP  = 8080
	fileHTTPS = 8443
	fileApp1  = 3001
	fileApp2  = 3002
)

// stage is everything that is decided before the first process starts.
type stage struct {
	root  string // the checkout
	dir   string // run/, the prefix of weir: logs, pid file, certificate
	conf  string // main configuration file
	weir  string // binary
	app   []string
	about string // one line on the application servers

	httpPort, httpsPort int
	appPorts            [2]int
	client              *http.Client // trusts the example's certificate
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
		conf: filepath.Join(root, "examples", "weir.conf"),
		weir: cmp.Or(getenv("WEIR"), filepath.Join(root, "bin", "weir")),
	}
	if _, err := os.Stat(s.conf); err != nil {
		return nil, fmt.Errorf("start this from the top folder of the checkout: %w", err)
	}
	ports := []struct {
		name string
		port *int
		in   int
	}{
		{"HTTP_PORT", &s.httpPort, fileHTTP}, {"HTTPS_PORT", &s.httpsPort, fileHTTPS},
		{"APP1_PORT", &s.appPorts[0], fileApp1}, {"APP2_PORT", &s.appPorts[1], fileApp2},
	}
	for _, p := range ports {
		*p.port = p.in
		if text := getenv(p.name); text != "" {
			if *p.port, err = strconv.Atoi(text); err != nil || *p.port < 1 || *p.port > 65535 {
				return nil, fmt.Errorf("%s=%s is not a port", p.name, text)
			}
		}
		if err := mustBeFree(p.name, *p.port); err != nil {
			return nil, err
		}
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

// prepare makes folders, certificate and empty logs and, for other ports than the files name, a copy of the configuration.
func (s *stage) prepare() error {
	if err := os.MkdirAll(filepath.Join(s.dir, "logs"), 0o755); err != nil {
		return err
	}
	for _, name := range []string{"access.log", "error.log"} { // of the last time; what is shown is to be of this one
		if err := os.Remove(filepath.Join(s.dir, "logs", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
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
	return s.copyConf()
}

// copyConf leaves the files of examples/ in use as they are, unless other ports or another folder were asked for.
func (s *stage) copyConf() error {
	asWritten := s.httpPort == fileHTTP && s.httpsPort == fileHTTPS && s.appPorts == [2]int{fileApp1, fileApp2}
	if asWritten && s.dir == filepath.Join(s.root, "run") {
		return nil
	}
	dir := filepath.Join(s.dir, "conf")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	change := strings.NewReplacer(
		fmt.Sprint(":", fileHTTP), fmt.Sprint(":", s.httpPort), fmt.Sprint(":", fileHTTPS), fmt.Sprint(":", s.httpsPort),
		fmt.Sprint(":", fileApp1), fmt.Sprint(":", s.appPorts[0]), fmt.Sprint(":", fileApp2), fmt.Sprint(":", s.appPorts[1]),
		"../run/ssl/", "../ssl/",
	)
	for _, name := range []string{"weir.conf", "nodejs-basic.conf"} {
		text, err := os.ReadFile(filepath.Join(s.root, "examples", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(change.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	s.conf = filepath.Join(dir, "weir.conf")
	return nil
}

func (s *stage) startApp(i int) (*process.Process, error) {
	name := [2]string{"one", "two"}[i]
	env := []string{"HOST=127.0.0.1", fmt.Sprint("PORT=", s.appPorts[i]), "NAME=" + name}
	return process.Start(process.Options{
		Name: name, Program: s.app[0], Args: s.app[1:], Env: env, Log: filepath.Join(s.dir, "logs", "app-"+name+".log"),
	})
}

// weirArgs are the options weir is started with, and -s is used with.
func (s *stage) weirArgs() []string { return []string{"-p", s.dir, "-c", s.conf} }

func (s *stage) startWeir() (*process.Process, error) {
	if _, err := os.Stat(s.weir); err != nil {
		return nil, fmt.Errorf("weir is not built, run make build: %w", err)
	}
	return process.Start(process.Options{
		Name: "weir", Program: s.weir, Args: s.weirArgs(), Log: filepath.Join(s.dir, "logs", "weir.log"),
	})
}

// explain adds the end of the error log to an error of weir.
func (s *stage) explain(err error) error {
	return fmt.Errorf("%w%s", err, process.LastLines(filepath.Join(s.dir, "logs", "error.log"), 10))
}

// appAnswers makes the question whether application server i is ready.
func (s *stage) appAnswers(i int) func() error {
	return func() error { return s.ask(fmt.Sprintf("http://127.0.0.1:%d/health", s.appPorts[i]), http.StatusOK) }
}

// weirAnswers asks both listeners; the second answer comes from an application.
func (s *stage) weirAnswers() error {
	if err := s.ask(fmt.Sprintf("http://127.0.0.1:%d/webapp/", s.httpPort), http.StatusMovedPermanently); err != nil {
		return err
	}
	return s.ask(fmt.Sprintf("https://localhost:%d/webapp/health", s.httpsPort), http.StatusOK)
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

// show prints what there is to open and to try.
func (s *stage) show(w io.Writer, weir *process.Process, apps []*process.Process) {
	fmt.Fprintf(w, `
weir runs in front of %[5]s and %[6]s, with %[1]s

  open   http://localhost:%[2]d/           is sent on to HTTPS; your browser will warn of the self-made certificate
         https://localhost:%[3]d/webapp/   a page that tells which server made it, a login, a WebSocket
  or     curl -k https://localhost:%[3]d/webapp/me

  kill the server that answers you, and see the other take over (it is started again after %[7]v):
         kill -9 %[8]d   # server %[5]s, in the log: 127.0.0.1:%[12]d
         kill -9 %[9]d   # server %[6]s, in the log: 127.0.0.1:%[13]d
  change the configuration and reload:
         %[4]s -s reload   # or: kill -HUP %[10]d

  the access log follows (errors are in %[11]s); Ctrl-C stops everything

`, s.conf, s.httpPort, s.httpsPort, s.commandLine(), apps[0].Name(), apps[1].Name(), restartAfter,
		apps[0].ID(), apps[1].ID(), weir.ID(), filepath.Join(s.dir, "logs", "error.log"), s.appPorts[0], s.appPorts[1])
}

// commandLine is how weir was started, to be pasted into a shell.
func (s *stage) commandLine() string {
	words := []string{s.weir}
	for _, arg := range s.weirArgs() {
		if strings.ContainsAny(arg, " ;'\"$&()*") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
