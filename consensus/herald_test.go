package consensus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The log of each node says once that there is a cluster, who leads, when nobody
// does and who is missing, and who leads again.
func TestHerald(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		for range 3 { // with folders: a node in memory that comes back has lost its log, and no vote
			w.add(t.TempDir(), 3).o.Timeouts.Write = 300 * time.Millisecond
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
		left, other := others[0], others[1]
		w.eventually("the leader is named", func() bool { return left.says(fmt.Sprintf(`node \"%s\" leads`, leader.o.Name)) })
		leader.stop()
		other.stop()
		w.eventually("nobody leads", func() bool { return left.lastSays("no node leads") })
		late := herald{member: true, since: time.Now().Add(-time.Hour)} // nobody had gone yet when the node's own began to wait, perhaps
		late.miss(left.up())
		if !left.says("2 of 3 voters are missing: ") || !late.told {
			t.Errorf("%q", left.lines())
		}
		before := left.count("no node leads")
		for range 3 {
			late.miss(left.up())
		}
		if again := left.count("no node leads"); again != before {
			t.Errorf("said %d times again", again-before)
		}
		other.start()
		w.eventually("one leads", func() bool { return left.lastSays(" leads\"") })
	})
}

// lines is what the node has logged.
func (n *testNode) lines() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// count tells how many lines of a node's log have a text.
func (n *testNode) count(text string) (lines int) {
	for _, line := range n.lines() {
		if strings.Contains(line, text) {
			lines++
		}
	}
	return lines
}

// lastSays reports whether the last line that tells of leading has a text.
func (n *testNode) lastSays(text string) bool {
	lines := n.lines()
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "leads") {
			return strings.Contains(lines[i], text)
		}
	}
	return false
}

// A node whose configuration names another cluster than its data says so.
func TestRenamedCluster(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := newNetwork(t)
		node := w.add(t.TempDir(), 1).start()
		w.settled()
		node.stop()
		node.o.Cluster = "store"
		node.start()
		w.eventually("it says so", func() bool {
			return node.says(`the data folder is of cluster \"shop\", and the configuration names \"store\"`)
		})
	})
}
