package clustertest

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/node/control"
)

// clusterNode is one node of a cluster.
type clusterNode struct {
	*process.Process
	cluster *cluster
	name    string
	addr    string // for clients
	listen  string // of gossip; peer TCP has the next port
	secret  string // the file
	of      string // name of its cluster
	as      string // its name in the configuration, where that is another
	http    string // what stands in http
	runs    atomic.Bool
	ends    atomic.Int64 // how often it was ended
}

// path is that of a file of the node.
func (n *clusterNode) path(name string) string { return filepath.Join(n.cluster.dir, n.name, name) }

// write writes the configuration.
func (n *clusterNode) write() {
	n.cluster.t.Helper()
	text := fmt.Sprintf(`worker_processes 1; error_log error.log notice; pid weir.pid; events {}
cluster { name %s; node %s; listen %s; join %s; expect %d; data data; secret %s; }
http { access_log off; %s }
`, n.of, cmp.Or(n.as, n.name), n.listen, n.cluster.join(), len(n.cluster.nodes), n.secret, n.http)
	if err := os.WriteFile(n.path("weir.conf"), []byte(text), 0o644); err != nil {
		n.cluster.t.Fatal(err)
	}
}

// start starts the node, and waits until it takes clients.
func (n *clusterNode) start() {
	t := n.cluster.t
	t.Helper()
	var err error
	n.Process, err = process.Start(process.Options{
		Name: n.name, Program: n.cluster.program, Args: []string{"-p", n.path(""), "-c", "weir.conf"}, Log: n.path("output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	p := n.Process
	t.Cleanup(func() { p.Stop(syscall.SIGTERM, limit) })
	if err := p.Await(t.Context(), limit, func() error { return answers(n.addr) }); err != nil {
		t.Fatalf("%v%s", err, process.LastLines(n.path("error.log"), 20))
	}
	n.runs.Store(true)
}

// kill ends the node as a power failure does.
func (n *clusterNode) kill() {
	n.runs.Store(false)
	n.ends.Add(1)
	n.Stop(syscall.SIGKILL, limit)
}

// quit ends the node when its last request is done.
func (n *clusterNode) quit() {
	n.runs.Store(false)
	n.ends.Add(1)
	n.Stop(syscall.SIGQUIT, limit)
}

// client asks the node by its control socket.
func (n *clusterNode) client() *control.Client {
	return &control.Client{Path: control.SocketPath(n.path("data"))}
}

// order runs a command against the node, as operators do.
func (n *clusterNode) order(args ...string) string {
	n.cluster.t.Helper()
	cmd := exec.CommandContext(n.cluster.t.Context(), n.cluster.program, append(args, "-p", n.path(""), "-c", "weir.conf")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		n.cluster.t.Errorf("weir %s on %s: %v: %s", args, n.name, err, out)
	}
	return string(out)
}

// seen asks n times without a cookie and tells who answered, sorted, each once.
func (n *clusterNode) seen(times int) string {
	client := &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	who := map[string]bool{}
	for range times {
		resp, err := client.Get("http://" + n.addr + "/health")
		if err != nil {
			return err.Error()
		}
		who[resp.Header.Get("X-Server")+strings.TrimPrefix(resp.Status, "200 OK")] = true
		resp.Body.Close()
	}
	return strings.Join(sortedKeys(who), " ")
}

// log is what the node has logged.
func (n *clusterNode) log() string {
	n.cluster.t.Helper()
	text, err := os.ReadFile(n.path("error.log"))
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	return string(text)
}
