package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/weir-lb/weir/cluster-test/process"
)

// nodes is how many there are.
const nodes = 3

// node is one weir of the cluster.
type node struct {
	stage               *stage
	name                string
	dir                 string // the prefix: logs, pid file, configuration, data
	httpPort, httpsPort int
	clusterPort         int // of gossip; the next one is for TCP between nodes
}

func (s *stage) addNodes() {
	for i := range nodes {
		name := fmt.Sprint("n", i+1)
		s.nodes = append(s.nodes, &node{
			stage: s, name: name, dir: filepath.Join(s.dir, name),
			httpPort: s.httpPort + i, httpsPort: s.httpsPort + i, clusterPort: s.clusterPort + 2*i,
		})
	}
}

// prepareNodes makes the secret of the cluster, and all that its nodes start with. Each run forms a new cluster.
func (s *stage) prepareNodes() error {
	if _, err := os.Stat(s.weir); err != nil {
		return fmt.Errorf("weir is not built, run make build: %w", err)
	}
	if err := os.RemoveAll(s.secret()); err != nil {
		return err
	}
	if out, err := exec.Command(s.weir, "keygen", s.secret()).CombinedOutput(); err != nil {
		return fmt.Errorf("weir keygen: %w: %s", err, out)
	}
	for _, n := range s.nodes {
		if err := n.prepare(); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) secret() string { return filepath.Join(s.dir, "cluster.secret") }

// conf is the main configuration file.
func (n *node) conf() string { return filepath.Join(n.dir, "conf", "weir.conf") }

// log is the path of a log file.
func (n *node) log(name string) string { return filepath.Join(n.dir, "logs", name) }

// prepare empties the node's folder, and writes its configuration: the files of examples/ with its ports, and the
// cluster it belongs to.
func (n *node) prepare() error {
	for _, part := range []string{"conf", "logs", "data"} { // of the last time; what is shown is to be of this one
		if err := os.RemoveAll(filepath.Join(n.dir, part)); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(n.dir, part), 0o755); err != nil {
			return err
		}
	}
	s := n.stage
	change := strings.NewReplacer(
		"\nhttp {\n", "\nhttp {\n"+s.httpsPorts(), fmt.Sprintf("$host:%d", fileHTTPS), "$host:$https_port",
		fmt.Sprint(":", fileHTTP), fmt.Sprint(":", n.httpPort), fmt.Sprint(":", fileHTTPS), fmt.Sprint(":", n.httpsPort),
		fmt.Sprint(":", fileApp1), fmt.Sprint(":", s.appPorts[0]), fmt.Sprint(":", fileApp2), fmt.Sprint(":", s.appPorts[1]),
		"../run/ssl/", "../../ssl/", "\nevents {}\n", n.cluster()+"\nevents {}\n",
	)
	for _, name := range []string{"weir.conf", "nodejs-basic.conf"} {
		text, err := os.ReadFile(filepath.Join(s.root, "examples", name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(n.conf()), name), []byte(change.Replace(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// httpsPorts is a map that names the port for HTTPS of each node by the one for HTTP, so that what the nodes are to do is
// the same on all of them.
func (s *stage) httpsPorts() string {
	text := "    map $server_port $https_port {\n"
	for _, n := range s.nodes {
		text += fmt.Sprintf("        %d %d;\n", n.httpPort, n.httpsPort)
	}
	return text + "    }\n\n"
}

// cluster is the block that makes the weirs work as one.
func (n *node) cluster() string {
	join := ""
	for _, other := range n.stage.nodes {
		join += fmt.Sprintf(" 127.0.0.1:%d", other.clusterPort)
	}
	return fmt.Sprintf(`
cluster {
    name    example;
    node    %s;
    listen  127.0.0.1:%d;
    join   %s;
    expect  %d;
    data    %q;
    secret  %q;
}
`, n.name, n.clusterPort, join, nodes, filepath.Join(n.dir, "data"), n.stage.secret())
}

// args are the options the node is started with; its commands take them, too.
func (n *node) args() []string { return []string{"-p", n.dir, "-c", n.conf()} }

func (n *node) start() (*process.Process, error) {
	return process.Start(process.Options{Name: n.name, Program: n.stage.weir, Args: n.args(), Log: n.log("weir.log")})
}

// answers asks both listeners; the second answer comes from an application.
func (n *node) answers() error {
	if err := n.stage.ask(fmt.Sprintf("http://127.0.0.1:%d/webapp/", n.httpPort), http.StatusMovedPermanently); err != nil {
		return err
	}
	return n.stage.ask(fmt.Sprintf("https://localhost:%d/webapp/health", n.httpsPort), http.StatusOK)
}

// explain adds the end of the error log to an error of the node.
func (n *node) explain(err error) error {
	return fmt.Errorf("%w%s", err, process.LastLines(n.log("error.log"), 10))
}
