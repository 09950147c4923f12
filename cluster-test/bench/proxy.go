package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
)

// setup is what a proxy's configuration depends on.
type setup struct {
	dir       string // for its files
	ssl       string // folder of KIND.crt, KIND.key and KIND.pem (both in one)
	port      int
	backends  [2]int // ports
	key       key
	h2        bool
	resume    bool // whether TLS sessions may be resumed
	realistic bool
	cached    bool
}

// proxy is a program under measure.
type proxy struct {
	name    string
	program string // a path, or a name in PATH
	version []string
	debian  string // the package to install
	conf    func(s setup) string
	args    func(conf, dir string) []string
	env     []string
	fits    func(c benchCase) bool
}

// proxies returns all programs that can be measured; nginx is what the others are compared with. before is another
// binary of weir, empty for none.
func proxies(weir, before string) []proxy {
	all := func(benchCase) bool { return true }
	simple := func(c benchCase) bool { return !c.realistic && !c.cached }
	// Caddy has no switch for session tickets, with which wrk spares itself and Caddy the handshake.
	caddy := func(c benchCase) bool { return simple(c) && !(c.close && c.key != plain) }
	list := []proxy{
		{
			name: "nginx", program: "nginx", version: []string{"-v"}, debian: "nginx-light", conf: nginxConf, fits: all,
			args: func(conf, dir string) []string {
				return []string{"-p", dir, "-c", conf, "-g", "daemon off; master_process off;"}
			},
		},
		{
			name: "weir", program: weir, version: []string{"-v"}, conf: nginxConf, fits: all,
			args: func(conf, dir string) []string { return []string{"-p", dir, "-c", conf} },
		},
		{
			name: "haproxy", program: "haproxy", version: []string{"-v"}, debian: "haproxy", conf: haproxyConf, fits: simple,
			args: func(conf, _ string) []string { return []string{"-db", "-f", conf} },
		},
		{
			name: "caddy", program: "caddy", version: []string{"version"}, debian: "caddy", conf: caddyConf, fits: caddy,
			args: func(conf, _ string) []string { return []string{"run", "--adapter", "caddyfile", "--config", conf} },
			env:  []string{"GOMAXPROCS=1"},
		},
	}
	if before != "" {
		other := list[1]
		other.name, other.program = "before", before
		list = slices.Insert(list, 2, other)
	}
	return list
}

// versionLine asks the program for its version; the first line of what it prints.
func (p proxy) versionLine() string {
	out, err := exec.Command(p.program, p.version...).CombinedOutput()
	if err != nil {
		return p.name + " (version unknown: " + err.Error() + ")"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return p.name + ": " + strings.TrimPrefix(line, p.name+" version: ")
}

// instance is a proxy that runs.
type instance struct {
	*process.Process
	proxy proxy
	url   string // with the path of the case
	addr  string
	rate  float64 // requests a second of the last run of h2load
}

// start writes the configuration of a case, starts the proxy pinned to CPUs and waits until it answers.
func (p proxy) start(ctx context.Context, s setup, c benchCase, cpus string) (*instance, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.port, s.key, s.realistic, s.cached = port, c.key, c.realistic, c.cached
	s.resume, s.h2 = !c.close, c.streams > 0
	s.dir = filepath.Join(s.dir, p.name+"-"+c.name)
	if err := os.MkdirAll(filepath.Join(s.dir, "logs"), 0o755); err != nil {
		return nil, err
	}
	conf := filepath.Join(s.dir, p.name+".conf")
	if err := os.WriteFile(conf, []byte(p.conf(s)), 0o644); err != nil {
		return nil, err
	}
	proc, err := process.Start(process.Options{
		Name: p.name, Program: "taskset", Args: append([]string{"-c", cpus, p.program}, p.args(conf, s.dir)...),
		Env: append(p.env, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir, "HOME="+s.dir), Log: filepath.Join(s.dir, "output.log"),
	})
	if err != nil {
		return nil, err
	}
	in := &instance{Process: proc, proxy: p, addr: fmt.Sprintf("127.0.0.1:%d", port)}
	in.url = "http://" + in.addr + c.path
	if c.key != plain {
		in.url = "https://" + in.addr + c.path
	}
	if err := in.Await(ctx, 30*time.Second, func() error { return answersOnce(in.addr, c) }); err != nil {
		in.stop()
		return nil, fmt.Errorf("%w%s", err, process.LastLines(filepath.Join(s.dir, "logs", "error.log"), 5))
	}
	return in, nil
}

func (in *instance) stop() { in.Stop(syscall.SIGTERM, 3*time.Second) }

// freePort asks the kernel for a port of 127.0.0.1 that nobody uses.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
