package clustertest

import (
	"testing"
)

// TestClusterObeys: what an operator orders on one node, all nodes obey, and clients stay with their servers.
func TestClusterObeys(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.startApps("")
	c.everywhere("one two")
	three := c.app("three")
	vs := c.visit(12)
	vs.stay(c, func() {
		c.nodes[0].order("upstream", "add", "app", three, "weight=2")
		c.everywhere("one three two")
		c.nodes[1].order("upstream", "drain", "app", c.apps["one"], "--why", "new disk")
		c.everywhere("three two")
		c.nodes[2].order("upstream", "up", "app", c.apps["one"])
		c.everywhere("one three two")
		c.nodes[1].order("upstream", "remove", "app", three)
		c.everywhere("one two")
	})
}

// TestClusterAnyNodeDies: each node in turn is killed and comes back; every client goes on with its login through another.
func TestClusterAnyNodeDies(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.startApps("")
	vs := c.visit(30)
	vs.stay(c, func() {
		for _, n := range c.nodes {
			n.kill()
			c.everywhere("one two")
			n.start()
			c.awaitFormed()
		}
	})
	if vs.moves.Load() == 0 {
		t.Error("nobody had to go to another node: the test shows nothing")
	}
}

// TestClusterRollingRestart: nodes are ended and started one after the other, as for an update.
func TestClusterRollingRestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.startApps("")
	vs := c.visit(15)
	vs.stay(c, func() {
		for _, n := range c.nodes {
			n.quit()
			if n.State() != "exit status 0" {
				t.Errorf("%s: %s", n.name, n.State())
			}
			n.start()
			c.awaitFormed()
		}
	})
}
