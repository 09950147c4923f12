package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/upstream"
)

// cluster is several checkers on fake time that tell each other what they find,
// and servers that do as they are told.
type cluster struct {
	t     *testing.T
	start time.Time
	nodes []*clusterNode
	rand  *rand.Rand // under mu

	mu       sync.Mutex
	ill      map[string]Reason // servers by address; "node address": for one node only
	slow     time.Duration     // what a probe of an ill server takes
	probes   int
	apart    map[int]bool                   // nodes that hear nobody and that nobody hears
	delay    func(*rand.Rand) time.Duration // of a report
	reported int
}

// clusterNode is one of them.
type clusterNode struct {
	all     *cluster
	id      string
	checker *Checker
	table   upstream.Table
	log     []string
	probes  map[string]int // by address
	told    time.Duration  // when the last line of the log was written
}

// Probe implements Prober.
func (n *clusterNode) Probe(ctx context.Context, p *Place) Finding {
	c, addr := n.all, p.peer.Text
	c.mu.Lock()
	c.probes++
	n.probes[addr]++
	why, ill := c.ill[addr]
	if !ill {
		why, ill = c.ill[n.id+" "+addr]
	}
	slow := c.slow
	c.mu.Unlock()
	if ill && slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
	}
	return Finding{Reason: why}
}

// share runs a story of n nodes.
func share(t *testing.T, n int, act func(*cluster)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{
			t: t, start: time.Now(), ill: map[string]Reason{}, apart: map[int]bool{}, rand: rand.New(rand.NewPCG(1, uint64(n))),
			delay: func(r *rand.Rand) time.Duration {
				return 5*time.Millisecond + time.Duration(r.Int64N(int64(50*time.Millisecond)))
			},
		}
		for i, id := range nodeIDs(n) {
			node := &clusterNode{all: c, id: id, probes: map[string]int{}}
			node.table.Now = func() int64 { return int64(time.Since(c.start)) }
			node.checker = NewChecker(Options{
				Log: errorlog.NewFunc(errorlog.Info, func(l errorlog.Level, _ uint64, text string) {
					node.log, node.told = append(node.log, l.String()+": "+text), time.Since(c.start)
				}),
				Report: func(r Report) {
					r.Node = id
					c.spread(i, r)
				},
			})
			c.nodes = append(c.nodes, node)
		}
		c.alive()
		act(c)
		for _, n := range c.nodes {
			n.checker.Close()
		}
	})
}

// spread brings a report to all other nodes that can be reached when it comes.
func (c *cluster) spread(from int, r Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reported++
	for i, to := range c.nodes {
		if i != from && !c.apart[i] && !c.apart[from] {
			time.AfterFunc(c.delay(c.rand), func() { to.checker.Hear([]Report{r}) })
		}
	}
}

// cut sets some nodes apart, or joins them again.
func (c *cluster) cut(apart bool, nodes ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range nodes {
		c.apart[i] = apart
	}
}

// random is a number from 0 to n-1.
func (c *cluster) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rand.IntN(n)
}

// alive tells all nodes who is there: those that are apart see only themselves.
func (c *cluster) alive() {
	together := c.together()
	for i, n := range c.nodes {
		if c.apart[i] {
			n.checker.SetNodes(Nodes{Self: n.id, Alive: []string{n.id}})
		} else {
			n.checker.SetNodes(Nodes{Self: n.id, Alive: together})
		}
	}
}

// together are the nodes that are not apart.
func (c *cluster) together() []string {
	var ids []string
	for i, n := range c.nodes {
		if !c.apart[i] {
			ids = append(ids, n.id)
		}
	}
	return ids
}

// pass lets time go by, in which nodes give each other signs of life.
func (c *cluster) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Second, time.Until(end)))
		for i, n := range c.nodes {
			if !c.apart[i] {
				n.checker.Refresh(c.together())
			}
		}
	}
	synctest.Wait()
}

func serverAddr(i int) string { return fmt.Sprintf("10.0.%d.%d:80", i>>8, i&255) }

// serve puts a configuration in force on all nodes: servers 1 to n and a check.
func (c *cluster) serve(n int, check *Check) {
	c.t.Helper()
	c.serveOn(c.nodes, n, check)
}

// serveOn is serve for some of the nodes.
func (c *cluster) serveOn(nodes []*clusterNode, n int, check *Check) {
	c.t.Helper()
	for _, node := range nodes {
		cfg := upstream.Config{Name: "u", AllowEmpty: true}
		for i := range n {
			addr := netip.MustParseAddrPort(serverAddr(i + 1))
			cfg.Servers = append(cfg.Servers, upstream.Server{Name: addr.String(), Weight: 1, MaxFails: 1, Addrs: []upstream.Addr{{AddrPort: addr}}})
		}
		own := *check
		own.Prober = node
		if own.Mandatory {
			cfg.Unjudged = upstream.VerdictChecking
		}
		change, err := node.table.Prepare(cfg)
		if err == nil {
			err = node.table.Commit([]*upstream.Change{change})
		}
		if err != nil {
			c.t.Fatal(err)
		}
		node.checker.Apply([]Plan{{Roster: node.table.Find("u"), Checks: []*Check{&own}}})
	}
}

// health makes a server ill; ReasonNone: well.
func (c *cluster) health(server string, why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ill[server] = why; why == ReasonNone {
		delete(c.ill, server)
	}
}

// states are the states of a server on all nodes.
func (c *cluster) states(server string) string {
	synctest.Wait()
	var words []string
	for _, n := range c.nodes {
		for _, p := range n.table.Find("u").Pool().Status(0).Peers {
			if p.Addr == server {
				words = append(words, p.State.String())
			}
		}
	}
	return strings.Join(words, " ")
}

func (c *cluster) expect(server, want string) {
	c.t.Helper()
	if got := c.states(server); got != want {
		c.t.Errorf("after %s: %s, want %s", time.Since(c.start), got, want)
	}
}

// probers are the positions of the nodes that check a server.
func (c *cluster) probers(server string) (on, off []int) {
	for i, n := range c.nodes {
		for _, st := range n.checker.Status("u") {
			if st.Peer.Addr == server && st.Prober {
				on = append(on, i)
			} else if st.Peer.Addr == server {
				off = append(off, i)
			}
		}
	}
	return on, off
}

// probed returns how many probes there were since the last call.
func (c *cluster) probed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.probes
	c.probes = 0
	return n
}

// suspect lets a request fail at a server on a node.
func (n *clusterNode) suspect(server string) {
	n.checker.Suspect(upstream.PeerID{Upstream: "u", Server: server, Addr: server})
}

func words(n int, w string) string { return strings.TrimSpace(strings.Repeat(w+" ", n)) }
