package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// network is several nodes in this process, connected in memory. What goes
// between two of them can be cut. Tests have it in a time of their own, where a
// machine that is busy makes nobody late: see inTime.
type network struct {
	t     *testing.T
	mu    sync.Mutex
	nodes []*testNode
	cuts  map[[2]*testNode]bool
	conns map[net.Conn][2]*testNode
}

// testNode is one node, which may be down.
type testNode struct {
	net  *network
	o    Options
	addr string

	mu     sync.Mutex
	c      *Consensus // nil: it is down
	shown  *State     // what OnState got last
	log    []string
	starts uint64
	stream *testStream // of the last start
}

// quick are timeouts for tests. They leave room for a machine that is busy.
func quick() Timeouts {
	return Timeouts{Heartbeat: 250 * time.Millisecond, Lease: 200 * time.Millisecond, Tick: 50 * time.Millisecond, Retry: 50 * time.Millisecond, Write: 10 * time.Second}
}

// inTime runs a test in parallel to others, in a time that goes on only when
// nothing is left to be done.
func inTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	t.TempDir() // what is made first is removed last, when the nodes are down
	n := &network{t: t, cuts: map[[2]*testNode]bool{}, conns: map[net.Conn][2]*testNode{}}
	t.Cleanup(func() {
		var down sync.WaitGroup
		for _, node := range n.all() {
			down.Go(func() { node.stop() })
		}
		down.Wait()
	})
	return n
}

// add makes a node that is down.
func (n *network) add(dir string, expect int) *testNode {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	i := len(n.nodes) + 1
	node := &testNode{net: n}
	node.o = Options{Dir: dir, ID: NodeID(fmt.Sprintf("%032x", i)), Name: fmt.Sprintf("lb%d", i), PublicKey: make([]byte, 32), Cluster: "shop", Expect: expect, Timeouts: quick()}
	node.o.PublicKey[0] = byte(i)
	node.addr = fmt.Sprintf("10.0.0.%d:7946", i)
	node.o.Addr = node.addr
	node.o.Targets, node.o.Presence, node.o.Call = n.addresses, node.presence, node.call
	node.o.OnState = func(s *State) { node.mu.Lock(); node.shown = s; node.mu.Unlock() }
	node.o.Log = slog.New(slog.NewTextHandler(node, nil))
	n.nodes = append(n.nodes, node)
	return node
}

// Write takes a line of the node's log.
func (n *testNode) Write(line []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.log = append(n.log, string(line))
	return len(line), nil
}

func (n *network) all() []*testNode {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*testNode(nil), n.nodes...)
}

func (n *network) addresses() (list []string) {
	for _, node := range n.all() {
		list = append(list, node.addr)
	}
	return list
}

// start starts a node that is down.
func (n *testNode) start() *testNode {
	n.net.t.Helper()
	n.mu.Lock()
	n.starts++
	n.o.Boot, n.o.Run = n.starts, rand.Uint64()
	n.stream = &testStream{node: n, conns: make(chan net.Conn), closed: make(chan struct{})}
	o := n.o
	o.Stream = n.stream
	n.mu.Unlock()
	c, err := Open(o)
	if err != nil {
		n.net.t.Fatal(err)
	}
	n.mu.Lock()
	n.c = c
	n.mu.Unlock()
	return n
}

// stop closes a node.
func (n *testNode) stop() {
	n.mu.Lock()
	c := n.c
	n.c = nil
	n.mu.Unlock()
	if c == nil {
		return
	}
	if err := c.Close(); err != nil {
		n.net.t.Error(err)
	}
}

// kill ends a node as the end of its process does: its port is closed and its
// connections break, and then ends what runs, of which nobody hears any more.
func (n *testNode) kill() {
	n.mu.Lock()
	c := n.c
	n.c = nil
	n.mu.Unlock()
	n.net.isolate(n)
	if err := c.Close(); err != nil {
		n.net.t.Error(err)
	}
	n.net.heal(n)
}

func (n *testNode) up() *Consensus {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

// isolate cuts a node off from all others; heal takes it back.
func (n *network) isolate(node *testNode) {
	for _, other := range n.all() {
		n.cut(node, other)
	}
}

func (n *network) cut(a, b *testNode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]*testNode{a, b}], n.cuts[[2]*testNode{b, a}] = true, true
	n.breakLocked(a, b)
}

// breakConns breaks the connections between two nodes, which may make new ones.
func (n *network) breakConns(a, b *testNode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.breakLocked(a, b)
}

func (n *network) breakLocked(a, b *testNode) {
	for c, ends := range n.conns {
		if ends == [2]*testNode{a, b} || ends == [2]*testNode{b, a} {
			c.Close()
			delete(n.conns, c)
		}
	}
}

func (n *network) heal(node *testNode) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for ends := range n.cuts {
		if ends[0] == node || ends[1] == node {
			delete(n.cuts, ends)
		}
	}
}

// reach returns the node at an address, if from can reach it.
func (n *network) reach(from *testNode, addr string) (*testNode, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range n.nodes {
		switch {
		case node.addr != addr:
		case node.up() == nil:
			return nil, syscall.ECONNREFUSED
		case !n.cuts[[2]*testNode{from, node}]:
			return node, nil
		}
	}
	return nil, errors.New("unreachable")
}

func (n *testNode) presence() map[NodeID]uint64 {
	m := map[NodeID]uint64{}
	for _, other := range n.net.all() {
		if to, err := n.net.reach(n, other.addr); err == nil {
			if c := to.up(); c != nil {
				m[to.o.ID] = c.State().Index()
			}
		}
	}
	return m
}

func (n *testNode) call(ctx context.Context, addr string, body []byte) ([]byte, error) {
	to, err := n.net.reach(n, addr)
	if err != nil {
		return nil, &UndoneError{err}
	}
	c := to.up()
	if c == nil {
		return nil, &UndoneError{errors.New("it is down")}
	}
	answer, err := c.Answer(ctx, n.o.ID, body)
	if _, cut := n.net.reach(n, addr); cut != nil {
		return nil, errors.New("the answer was lost")
	}
	return answer, err
}

// testStream is the Stream of one start of a node.
type testStream struct {
	node   *testNode
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (s *testStream) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *testStream) Close() error { s.once.Do(func() { close(s.closed) }); return nil }

func (s *testStream) Addr() net.Addr { return raftAddr(s.node.addr) }

func (s *testStream) Dial(ctx context.Context, addr string) (net.Conn, error) {
	n := s.node.net
	to, err := n.reach(s.node, addr)
	if err != nil {
		return nil, err
	}
	to.mu.Lock()
	other := to.stream
	to.mu.Unlock()
	here, there := newPipe(s.node.addr, addr)
	select {
	case other.conns <- there:
	case <-other.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cuts[[2]*testNode{s.node, to}] {
		here.Close()
		return nil, errors.New("unreachable")
	}
	n.conns[here] = [2]*testNode{s.node, to}
	return here, nil
}

// eventually waits for ok, and fails with what the nodes say if it does not come.
func (n *network) eventually(what string, ok func() bool) {
	n.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			for _, node := range n.all() {
				if c := node.up(); c != nil {
					n.t.Logf("%s: %+v, state %d", node.o.Name, c.Status(), c.State().Index())
				}
				n.t.Logf("%s says %q", node.o.Name, node.lines())
			}
			n.t.Fatalf("not reached: %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// cluster starts n nodes and waits until they are one, in which all vote.
func cluster(t *testing.T, n int, dir func() string) *network {
	t.Helper()
	w := newNetwork(t)
	for range n {
		w.add(dir(), n)
	}
	for _, node := range w.all() {
		node.start()
	}
	w.settled()
	return w
}

func inMemory() string { return "" }

// settled waits until all nodes that are up know each other, and the leader.
func (n *network) settled() {
	n.t.Helper()
	n.eventually("one cluster", func() bool {
		leaders := map[NodeID]bool{}
		ids := map[string]bool{}
		for _, node := range n.all() {
			c := node.up()
			if c == nil {
				continue
			}
			id, _ := c.Leader()
			leaders[id] = true
			ids[c.State().Cluster().ID] = true
			for _, other := range n.all() {
				if _, known := c.State().Node(other.o.ID); other.up() != nil && !known || !c.known() {
					return false
				}
			}
		}
		return len(leaders) == 1 && !leaders[""] && len(ids) == 1 && !ids[""]
	})
}

// leader returns the node that leads, and the others that are up.
func (n *network) leader() (leader *testNode, others []*testNode) {
	n.t.Helper()
	n.eventually("a leader", func() bool {
		leader, others = nil, nil
		for _, node := range n.all() {
			c := node.up()
			switch {
			case c == nil:
			case c.Status().Part == PartLeader:
				leader = node
			default:
				others = append(others, node)
			}
		}
		return leader != nil
	})
	return leader, others
}

// add returns a command that adds a server.
func addServer(id ServerID) Command {
	return Command{Actor: "test", Change: &AddServer{Target: Target{Upstream: "app", ID: id}, Server: Server{Name: fmt.Sprintf("10.0.0.%d:80", id), Weight: 1}}}
}

// has reports whether a state has a server that was added.
func has(s *State, id ServerID) bool {
	e, _ := s.Upstream("app")
	_, ok := e.Added.Get(id)
	return ok
}

func limit(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
