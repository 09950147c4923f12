package clustertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

// cluster is weir on several nodes, each a process with a data folder of its own, in front of Node.js servers. Its
// clients go to any node.
type cluster struct {
	t       *testing.T
	dir     string // short, since the path of a socket has 107 bytes
	program string
	secret  string // the file
	nodes   []*clusterNode
	apps    map[string]string // addresses of the Node.js servers, by name
}

// newCluster prepares as many nodes, and starts none.
func newCluster(t *testing.T, nodes int) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &cluster{t: t, dir: dir, program: buildWeir(t), secret: filepath.Join(dir, "secret"), apps: map[string]string{}}
	c.keygen(c.secret)
	for i := range nodes {
		c.nodes = append(c.nodes, c.node(i+1))
	}
	return c
}

// keygen makes the secret of a cluster.
func (c *cluster) keygen(file string) {
	c.t.Helper()
	if out, err := exec.CommandContext(c.t.Context(), c.program, "keygen", file).CombinedOutput(); err != nil {
		c.t.Fatalf("weir keygen: %v: %s", err, out)
	}
}

// app starts a Node.js server that keeps logins in its memory.
func (c *cluster) app(name string) string {
	c.t.Helper()
	addr := freeAddress(c.t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := process.Start(process.Options{
		Name: name, Program: program.Need(c.t, "node"), Args: []string{filepath.Join(top, "examples", "app", "server.js")},
		Env: []string{"HOST=" + host, "PORT=" + port, "NAME=" + name}, Log: filepath.Join(c.dir, name+".output"),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { p.Stop(syscall.SIGKILL, limit) })
	if err := p.Await(c.t.Context(), limit, func() error { return answers(addr) }); err != nil {
		c.t.Fatal(err)
	}
	c.apps[name] = addr
	return addr
}

// write gives every node its configuration: the same upstreams, whose lines are given.
func (c *cluster) write(upstreams string) {
	for _, n := range c.nodes {
		n.http = upstreams + fmt.Sprintf(" server { listen %s; location / { proxy_pass http://app; } }", n.addr)
		n.write()
	}
}

// start starts all nodes, one after the other without waiting, and waits until they have formed a cluster.
func (c *cluster) start() {
	c.t.Helper()
	for _, n := range c.nodes {
		n.start()
	}
	c.awaitFormed()
}

// startApps is start in front of two Node.js servers with sticky clients.
func (c *cluster) startApps(more string) {
	c.t.Helper()
	c.write(fmt.Sprintf("upstream app { zone app 1m; server %s; server %s; sticky cookie srv_id expires=1h path=/; } %s", c.app("one"), c.app("two"), more))
	c.start()
}

// awaitFormed waits until every node that runs follows one leader, and sees all that run.
func (c *cluster) awaitFormed() {
	c.t.Helper()
	c.await("one cluster of all nodes that run", c.formed)
}

// formed tells, by an error, that the nodes that run are not one cluster.
func (c *cluster) formed() error {
	ids, leaders := map[string]bool{}, map[string]bool{}
	for _, n := range c.running() {
		s, err := n.client().Status(c.t.Context())
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", n.name, err)
		case s.Cluster == nil || !s.Cluster.Quorum || s.Cluster.Leader == nil:
			return fmt.Errorf("%s knows no leader: %+v", n.name, s.Cluster)
		}
		ids[s.Cluster.ID], leaders[s.Cluster.Leader.ID] = true, true
		members, err := n.client().Members(c.t.Context())
		if err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
		alive := 0
		for _, m := range members {
			if m.Alive && m.Part != "none" {
				alive++
			}
		}
		if alive != len(c.running()) {
			return fmt.Errorf("%s sees %d nodes: %+v", n.name, alive, members)
		}
	}
	if len(ids) != 1 || len(leaders) != 1 {
		return fmt.Errorf("%d clusters, %d leaders", len(ids), len(leaders))
	}
	return nil
}

// running are the nodes that were started and not killed since.
func (c *cluster) running() (list []*clusterNode) {
	for _, n := range c.nodes {
		if n.runs.Load() {
			list = append(list, n)
		}
	}
	return list
}

// leader returns the node that leads.
func (c *cluster) leader() *clusterNode {
	c.t.Helper()
	var leader *clusterNode
	c.await("a leader", func() error {
		for _, n := range c.running() {
			if s, err := n.client().Status(c.t.Context()); err == nil && s.Cluster.Part == "leader" {
				leader = n
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}

// await waits until what is wanted holds.
func (c *cluster) await(what string, ask func() error) {
	c.t.Helper()
	if err := waitFor(c.t.Context(), ask); err != nil {
		for _, n := range c.nodes {
			c.t.Logf("%s:%s", n.name, process.LastLines(n.path("error.log"), 30))
		}
		c.t.Fatalf("never: %s: %v", what, err)
	}
}

// waitFor asks until there is no error, and returns the last one when that takes too long.
func waitFor(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// everywhere waits until clients without cookies are answered by these servers, and no others, through every node.
func (c *cluster) everywhere(want string) {
	c.t.Helper()
	for _, n := range c.running() {
		c.await(n.name+" sends clients to "+want, func() error {
			if got := n.seen(8); got != want {
				return fmt.Errorf("answered by %q", got)
			}
			return nil
		})
	}
}

// node prepares a node of the cluster.
func (c *cluster) node(number int) *clusterNode {
	first := loopback.FreeRun(c.t, 2) // gossip, peer TCP
	n := &clusterNode{cluster: c, name: fmt.Sprint("n", number), addr: freeAddress(c.t), listen: first.String(), secret: c.secret, of: "shop"}
	if err := os.MkdirAll(n.path(""), 0o700); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// join lists where the nodes are.
func (c *cluster) join() string {
	var list []string
	for _, n := range c.nodes {
		list = append(list, n.listen)
	}
	return strings.Join(list, " ")
}

// waited is for how long this process, in which clients and some servers are, and the nodes that run have waited for a
// processor.
func (c *cluster) waited() time.Duration {
	pids := []int{os.Getpid()}
	for _, n := range c.running() {
		pids = append(pids, n.ID())
	}
	return measured.Waited(pids...)
}

// rest gives the nodes a second for what they tell each other, in which they hardly wait for a processor; on a machine
// that is busy for long, some more seconds.
func (c *cluster) rest() {
	const hardly = 500 * time.Millisecond // all of them together
	for range 10 {
		before := c.waited()
		<-time.After(time.Second)
		if c.waited()-before < hardly {
			return
		}
	}
}

// each does something with all nodes at once.
func (c *cluster) each(do func(n *clusterNode)) {
	var all sync.WaitGroup
	for _, n := range c.nodes {
		all.Go(func() { do(n) })
	}
	all.Wait()
}
