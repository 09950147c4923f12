package clustertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// intruder starts a node beside the cluster, which the others do not expect.
func (c *cluster) intruder(name string, alter func(n *clusterNode)) *clusterNode {
	c.t.Helper()
	n := c.node(len(c.nodes) + 1)
	n.name = "intruder-" + name
	n.http = fmt.Sprintf("server { listen %s; location / { return 200 ok; } }", n.addr)
	alter(n)
	if err := os.MkdirAll(n.path(""), 0o700); err != nil {
		c.t.Fatal(err)
	}
	n.write()
	n.start()
	return n
}

// logged tells, by an error, that none of the nodes has logged a line with some words.
func logged(words string, nodes ...*clusterNode) error {
	for _, n := range nodes {
		if strings.Contains(n.log(), words) {
			return nil
		}
	}
	return fmt.Errorf("nobody has logged %q", words)
}

// TestClusterRefuses: what does not belong to the cluster is refused with a line of the log, and nothing else changes.
func TestClusterRefuses(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := newCluster(t, 3)
	c.startApps("")
	c.visit(6).stay(c, func() {
		for _, tt := range []struct {
			name         string
			alter        func(n *clusterNode)
			here, theirs string // what is logged
		}{
			{"secret", func(n *clusterNode) { n.secret = filepath.Join(c.dir, "other"); c.keygen(n.secret) }, "it has another cluster secret", ""},
			{"cluster", func(n *clusterNode) { n.of = "library" }, "it belongs to another cluster", ""},
			{"name", func(n *clusterNode) { n.as = "n2" }, "", `the name "n2" is that of another node`},
		} {
			n := c.intruder(tt.name, tt.alter)
			c.await("the refusal of another "+tt.name, func() error {
				return errors.Join(logged(tt.here, c.nodes...), logged(tt.theirs, n))
			})
			if s, err := n.client().Status(t.Context()); err != nil || s.Cluster.Quorum {
				t.Errorf("with another %s: %+v, %v", tt.name, s.Cluster, err)
			}
			n.kill()
		}
		c.garbage()
		c.await("the refusal of garbage", func() error { return logged("refused what came from", c.nodes...) })
	})
	c.awaitFormed()
	const perMinute = 12 // and node
	most := perMinute * (1 + int(time.Since(began).Minutes()))
	for _, n := range c.nodes {
		if lines := strings.Count(n.log(), " refused "); lines > most {
			t.Errorf("%s has logged %d refusals:\n%s", n.name, lines, n.log())
		}
		if strings.Contains(n.log(), "[alert]") || strings.Contains(n.log(), "[emerg]") {
			t.Errorf("%s:\n%s", n.name, n.log())
		}
	}
}

// TestClusterDataRolledBack: a node whose data folder is an older one, as from a backup, could vote twice. It is refused
// and goes on serving; the others lose nothing.
func TestClusterDataRolledBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.startApps("upstream many { zone many 1m; server 127.0.0.1:1; }")
	n := c.nodes[2]
	n.quit()
	backup := filepath.Join(c.dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(n.path("data"))); err != nil {
		t.Fatal(err)
	}
	n.start()
	c.awaitFormed()
	want := []string{"10.0.0.1:80", "10.0.0.2:80"}
	for _, server := range want {
		n.order("upstream", "add", "many", server)
	}
	n.quit()
	if err := os.RemoveAll(n.path("data")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, n.path("data")); err != nil {
		t.Fatal(err)
	}
	n.start()
	c.everywhere("one two")
	c.await("the refusal of old data", func() error { return logged("its data is an old copy", n) })
	one := c.nodes[0]
	one.order("cluster", "keys", "rotate", "sticky")
	c.await("a new key in use, for which the refused node is not waited", func() error {
		if status := one.order("cluster", "status"); !strings.Contains(status, " retiring, ") {
			return errors.New(status)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, n := range c.nodes[:2] {
		c.await("all that was acknowledged on "+n.name, func() error { return n.holds(ctx, "many", want) })
	}
}

// garbage sends what nobody understands to all ports of the nodes.
func (c *cluster) garbage() {
	c.t.Helper()
	noise := make([]byte, 100<<10)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, n := range c.nodes {
		at := netip.MustParseAddrPort(n.listen)
		for _, network := range []string{"udp", "tcp", "next tcp"} {
			to := at
			if rest, next := strings.CutPrefix(network, "next "); next {
				network, to = rest, netip.AddrPortFrom(at.Addr(), at.Port()+1)
			}
			for _, words := range [][]byte{noise[:1200], noise, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), {0}, bytes.Repeat([]byte{0xff}, 1000)} {
				conn, err := net.Dial(network, to.String())
				if err != nil {
					c.t.Fatal(err)
				}
				_, _ = conn.Write(words[:min(len(words), 60000)]) // the node may have closed it by then
				conn.Close()
			}
		}
	}
}
