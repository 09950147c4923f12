package clustertest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// What a cluster may cost each node.
const (
	idlePercent = 2.0 // of one processor, when nothing happens
	manyServers = 10_000
	manyMB      = 60 // of resident memory with so many servers
)

// busy is what the node has used of the processors.
func (n *clusterNode) busy() time.Duration {
	n.cluster.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.ID()))
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name, which may hold anything
	fields := strings.Fields(rest)
	const user, system = 11, 12 // in hundredths of a second, proc_pid_stat(5)
	a, errA := strconv.Atoi(fields[user])
	b, errB := strconv.Atoi(fields[system])
	if err := errors.Join(errA, errB); err != nil {
		n.cluster.t.Fatal(err)
	}
	return time.Duration(a+b) * 10 * time.Millisecond
}

// resident is the memory the node has, in MB.
func (n *clusterNode) resident() float64 {
	n.cluster.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.ID()))
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		n.cluster.t.Fatal(err)
	}
	return float64(kB) / 1024
}

// idle tells what the busiest node uses of a processor while nothing happens, in percent.
func (c *cluster) idle(watched time.Duration) (most float64) {
	c.t.Helper()
	var before []time.Duration
	for _, n := range c.nodes {
		before = append(before, n.busy())
	}
	began := time.Now()
	<-time.After(watched)
	for i, n := range c.nodes {
		most = max(most, 100*float64(n.busy()-before[i])/float64(time.Since(began)))
	}
	return most
}

// startIdle starts three nodes that nobody asks for anything.
func startIdle(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 3)
	c.write(fmt.Sprintf("upstream app { zone app 1m; server %s; }", freeAddress(t)))
	c.start()
	<-time.After(3 * time.Second) // until what forming has brought is over
	return c
}

// TestClusterIdle: being in a cluster costs a node next to nothing. Other tests run beside it, and a processor that others
// use as well does less in the same time, so that the least of some stretches counts.
func TestClusterIdle(t *testing.T) {
	t.Parallel()
	c := startIdle(t)
	got := c.idle(3 * time.Second)
	for stretch := 1; stretch < 5 && got > idlePercent*3/2; stretch++ {
		got = min(got, c.idle(3*time.Second))
	}
	t.Logf("%.1f %% of a processor", got)
	if got > idlePercent*3/2 {
		t.Errorf("%.1f %% of a processor", got)
	}
}

// TestMeasureClusterIdle is the same for a longer time.
func TestMeasureClusterIdle(t *testing.T) {
	program.Measure(t)
	got := startIdle(t).idle(20 * time.Second)
	t.Logf("%.2f %% of a processor", got)
	if got > idlePercent {
		t.Errorf("%.2f %% of a processor", got)
	}
	measured.Record(t, "each of three nodes when nothing happens, for 20 s", 1, fmt.Sprintf("%.2f %% of one processor", got))
}

// atRest is when the runtime has collected garbage and returned memory, as it does every two minutes.
const atRest = 150 * time.Second

// withServers starts a cluster, or a single node without one, that has many servers agreed on, and tells the memory of
// the largest node when it has come to rest.
func withServers(t *testing.T, nodes, servers int) (c *cluster, mb float64) {
	t.Helper()
	c = newCluster(t, nodes)
	var lines strings.Builder
	for i := range servers {
		fmt.Fprintf(&lines, "server 10.8.%d.%d:80;\n", i>>8, i&255)
	}
	c.write("upstream app { zone app 16m; state app.state; }")
	for _, n := range c.nodes {
		if err := os.WriteFile(n.path("app.state"), []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if nodes == 1 {
			n.lonely()
		}
		n.start()
	}
	if nodes > 1 {
		c.awaitFormed()
		c.awaitServers("app", servers)
	}
	<-time.After(atRest)
	for _, n := range c.nodes {
		mb = max(mb, n.resident())
	}
	return c, mb
}

// awaitServers waits until all nodes have so many servers agreed on.
func (c *cluster) awaitServers(upstream string, servers int) {
	c.t.Helper()
	for _, n := range c.nodes {
		c.await("all servers agreed on at "+n.name, func() error { return n.has(upstream, servers) })
	}
}

// comeAndGo has the last node stop and start again, and another one join behind it.
func (c *cluster) comeAndGo() (restarted, joined *clusterNode) {
	c.t.Helper()
	restarted = c.nodes[len(c.nodes)-1]
	restarted.quit()
	restarted.start()
	joined = c.node(len(c.nodes) + 1)
	joined.http = strings.ReplaceAll(restarted.http, restarted.addr, joined.addr)
	joined.write()
	c.nodes = append(c.nodes, joined)
	joined.start()
	return restarted, joined
}

// lonely takes the cluster out of the configuration.
func (n *clusterNode) lonely() {
	text := fmt.Sprintf("worker_processes 1; error_log error.log notice; pid weir.pid; events {}\nhttp { access_log off; %s }\n", n.http)
	if err := os.WriteFile(n.path("weir.conf"), []byte(text), 0o600); err != nil {
		n.cluster.t.Fatal(err)
	}
}

// has tells, by an error, that another number of servers has been agreed on.
func (n *clusterNode) has(upstream string, servers int) error {
	u, err := n.client().Upstream(n.cluster.t.Context(), upstream)
	if err != nil {
		return err
	}
	agreed := 0
	for _, s := range u.Servers {
		if s.Source == "added" {
			agreed++
		}
	}
	if agreed != servers {
		return fmt.Errorf("%d of %d servers are agreed on", agreed, servers)
	}
	return nil
}

// TestMeasureClusterMemory: what is agreed on about 10,000 servers, and all else that a cluster needs, fits into 60 MB more
// than the same servers take without a cluster. So it does in a node that reads it at its start, and in one that joins.
func TestMeasureClusterMemory(t *testing.T) {
	program.Measure(t)
	_, alone := withServers(t, 1, manyServers)
	c, together := withServers(t, 3, manyServers)
	again, fourth := c.comeAndGo()
	c.awaitServers("app", manyServers)
	<-time.After(atRest)
	restarted, joined := again.resident(), fourth.resident()
	result := fmt.Sprintf("%.0f MB more (%.0f MB, %.0f MB without a cluster); restarted %.0f MB, newly joined %.0f MB", together-alone, together, alone, restarted, joined)
	t.Log(result)
	if max(together, restarted, joined)-alone > manyMB {
		t.Error("more than", manyMB, "MB")
	}
	measured.Record(t, "resident memory of a node of three with 10,000 servers", 1, result)
}
