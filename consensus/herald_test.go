package consensus

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The log of each node says once that there is a cluster, who leads, when nobody
// does and who is missing, and who leads again.
func TestHerald(t *testing.T) {
	t.Parallel()
	w := newNetwork(t)
	for range 3 {
		w.add("", 3).o.Timeouts.Write = 300 * time.Millisecond
	}
	for _, node := range w.all() {
		node.start()
	}
	w.settled()
	leader, others := w.leader()
	w.eventually("the leader says so", func() bool { return leader.says("cluster: this node leads") })
	for _, node := range w.all() {
		w.eventually("the cluster is named", func() bool {
			return node.says(`this node has part in \"shop\", whose id is ` + leader.up().State().Cluster().ID)
		})
	}
	left := others[0]
	w.eventually("the leader is named", func() bool { return left.says(fmt.Sprintf(`node \"%s\" leads`, leader.o.Name)) })
	leader.stop()
	others[1].stop()
	w.eventually("nobody leads", func() bool { return left.says("no node leads") })
	if !left.says("2 of 3 voters are missing: ") || !left.says(others[1].o.Name) {
		t.Errorf("%q", left.log)
	}
	others[1].start()
	w.eventually("one leads", func() bool { return left.count(" leads\"") >= 2 })
	if n := left.count("no node leads"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// count tells how many lines of a node's log have a text.
func (n *testNode) count(text string) (lines int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.log {
		if strings.Contains(line, text) {
			lines++
		}
	}
	return lines
}

// A node whose configuration names another cluster than its data says so.
func TestRenamedCluster(t *testing.T) {
	t.Parallel()
	w := newNetwork(t)
	node := w.add(t.TempDir(), 1).start()
	w.settled()
	node.stop()
	node.o.Cluster = "store"
	node.start()
	w.eventually("it says so", func() bool {
		return node.says(`the data folder is of cluster \"shop\", and the configuration names \"store\"`)
	})
}
