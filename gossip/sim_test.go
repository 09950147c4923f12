package gossip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// network connects the nodes of a simulation within the process: packets with bounded queues, delay and loss, streams
// with delay, and cuts between groups of nodes. In a bubble of synctest its time is not that of the machine. memberlist's
// own network for tests does not fit: its queues have no room, so that two nodes can wait for each other.
type network struct {
	mu    sync.Mutex
	hosts map[string]*host // by address of membership; streams have the same address
	rng   *rand.Rand
	loss  float64 // of packets
	udp   bool    // packets are carried
}

// host is where one node is connected.
type host struct {
	net     *network
	addr    *net.UDPAddr
	group   int // hosts of different groups do not reach each other
	down    bool
	packets chan *memberlist.Packet
	gossips chan net.Conn // streams of membership
	streams chan net.Conn // our own
	conns   map[*simConn]bool
	closed  chan struct{}
	sent    atomic.Int64 // bytes

	recording bool // of packets that come
	recorded  []*memberlist.Packet
}

// record begins or ends to keep the packets that come.
func (h *host) record(on bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.recording = on
}

// replay lets those come again, and tells how many they are.
func (h *host) replay() int {
	for _, p := range h.recorded {
		h.packets <- p
	}
	return len(h.recorded)
}

const (
	simDelay = 500 * time.Microsecond // and up to twice as much more
	simQueue = 1024
)

func newNetwork(seed uint64) *network {
	return &network{hosts: map[string]*host{}, rng: rand.New(rand.NewPCG(seed, 1)), udp: true}
}

// connect makes room for the i-th node. One that was there before under this number is gone.
func (n *network) connect(i int) *host {
	h := &host{
		net: n, addr: &net.UDPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i)), Port: DefaultPort},
		packets: make(chan *memberlist.Packet, simQueue), gossips: make(chan net.Conn, simQueue), streams: make(chan net.Conn, simQueue),
		conns: map[*simConn]bool{}, closed: make(chan struct{}),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[h.addr.String()] = h
	return h
}

// cut puts nodes into groups that do not reach each other; one group for all heals.
func (n *network) cut(groupOf func(i int) int) {
	n.mu.Lock()
	for _, h := range n.hosts {
		h.group = groupOf(int(h.addr.IP.To4()[2])<<8 | int(h.addr.IP.To4()[3]))
	}
	var broken []*simConn
	for _, h := range n.hosts {
		for c := range h.conns {
			if c.from.group != c.to.group {
				broken = append(broken, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range broken {
		c.Close()
	}
}

// lose sets which share of packets gets lost.
func (n *network) lose(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = share
}

// random draws a number below one.
func (n *network) random(below int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rng.IntN(below)
}

// reach finds the host at an address, if a packet or stream from another comes there now.
func (n *network) reach(from *host, addr string) *host {
	to := n.hosts[addr]
	if to == nil || to.down || from.down || to.group != from.group {
		return nil
	}
	return to
}

// WriteToAddress is that of memberlist.NodeAwareTransport.
func (h *host) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	h.sent.Add(int64(len(b)))
	to := n.reach(h, a.Addr)
	if to == nil || !n.udp || n.rng.Float64() < n.loss {
		return time.Now(), nil
	}
	p := append([]byte(nil), b...)
	if to.recording {
		to.recorded = append(to.recorded, &memberlist.Packet{Buf: append([]byte(nil), b...), From: h.addr})
	}
	time.AfterFunc(simDelay+time.Duration(n.rng.Int64N(int64(2*simDelay))), func() {
		select {
		case to.packets <- &memberlist.Packet{Buf: p, From: h.addr, Timestamp: time.Now()}:
		default:
		}
	})
	return time.Now(), nil
}

// DialAddressTimeout is that of memberlist.NodeAwareTransport.
func (h *host) DialAddressTimeout(a memberlist.Address, _ time.Duration) (net.Conn, error) {
	return h.dial(a.Addr, func(to *host) chan net.Conn { return to.gossips })
}

// Dial is that of Stream.
func (h *host) Dial(_ context.Context, addr string) (net.Conn, error) {
	return h.dial(addr, func(to *host) chan net.Conn { return to.streams })
}

func (h *host) dial(addr string, backlog func(*host) chan net.Conn) (net.Conn, error) {
	time.Sleep(2 * simDelay)
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.reach(h, addr)
	if to == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s is out of reach", addr)}
	}
	a, b := net.Pipe()
	near, far := &simConn{Conn: a, owner: h, from: h, to: to}, &simConn{Conn: b, owner: to, from: h, to: to}
	select {
	case backlog(to) <- far:
	default:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s is too busy", addr)}
	}
	h.conns[near], to.conns[far] = true, true
	return near, nil
}

// Accept is that of Stream.
func (h *host) Accept() (net.Conn, error) {
	select {
	case c := <-h.streams:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close is that of Stream. All connections of the host end.
func (h *host) Close() error {
	h.net.mu.Lock()
	var all []*simConn
	if !h.down {
		close(h.closed)
	}
	h.down = true
	for c := range h.conns {
		all = append(all, c)
	}
	h.net.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	return nil
}

// The rest of memberlist.NodeAwareTransport.

func (h *host) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return h.addr.IP, h.addr.Port, nil
}
func (h *host) PacketCh() <-chan *memberlist.Packet { return h.packets }
func (h *host) StreamCh() <-chan net.Conn           { return h.gossips }
func (h *host) Shutdown() error                     { return h.Close() }

func (h *host) WriteTo(b []byte, addr string) (time.Time, error) {
	return h.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (h *host) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return h.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// simConn is one end of a stream.
type simConn struct {
	net.Conn
	owner, from, to *host
}

func (c *simConn) Write(b []byte) (int, error) {
	time.Sleep(simDelay)
	n, err := c.Conn.Write(b)
	c.owner.sent.Add(int64(n))
	return n, err
}

func (c *simConn) Close() error {
	c.owner.net.mu.Lock()
	delete(c.owner.conns, c)
	c.owner.net.mu.Unlock()
	return c.Conn.Close()
}

func (c *simConn) RemoteAddr() net.Addr {
	if c.owner == c.to {
		return c.from.addr
	}
	return c.to.addr
}

// simNode is a node of a simulation.
type simNode struct {
	*testNode
	host *host
	i    int
	want int // how many reports are to come
}

// count tells how many reports of others a node has.
func (n *simNode) count() (total int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, list := range n.reports {
		total += len(list)
	}
	return total
}

// simulation is a cluster in one process.
type simulation struct {
	t     *testing.T
	net   *network
	nodes []*simNode
	key   uint64
	heard atomic.Pointer[waiting]
	// change makes the options of a node others than usual.
	change func(*Options)
}

// begin starts the i-th node with the number of its run.
func (s *simulation) begin(i int, boot uint64) *simNode {
	s.t.Helper()
	s.nodes[i] = s.start(i, i, boot)
	return s.nodes[i]
}

// start starts one with the i-th identity at some place of the network.
func (s *simulation) start(i, at int, boot uint64) *simNode {
	s.t.Helper()
	h := s.net.connect(at)
	n := &simNode{testNode: &testNode{}, host: h, i: i}
	o := Options{
		ID: idOf(i), Cluster: "shop", Keys: [][]byte{keyOf(1)}, Large: len(s.nodes) > 32, Stream: h, Transport: h,
		Meta: Meta{Name: fmt.Sprint("node", i), Boot: boot, Link: h.addr.String(), Ready: true},
	}
	n.hear(&o)
	note := o.OnReports
	o.OnReports = func(list []Report) {
		note(list)
		if w := s.heard.Load(); w != nil {
			w.note(i, list)
		}
	}
	if s.change != nil {
		s.change(&o)
	}
	g, err := Open(o)
	if err != nil {
		s.t.Fatal(err)
	}
	n.Gossip = g
	return n
}

// simulate starts a cluster of some nodes, waits until everyone knows everyone, and tells a story of it.
func simulate(t *testing.T, size int, seed uint64, story func(s *simulation)) {
	s := &simulation{t: t, net: newNetwork(seed), nodes: make([]*simNode, size)}
	defer s.end()
	for i := range size {
		n := s.begin(i, 1)
		if i > 0 {
			if _, err := n.Join(t.Context(), []string{s.nodes[s.net.random(i)].host.addr.String()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.await("everyone knows everyone", time.Minute, func(n *simNode) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.alive == size
	})
	story(s)
}

// end closes all nodes, after which nothing of them is left running.
func (s *simulation) end() {
	var closing sync.WaitGroup
	for _, n := range s.nodes {
		if n != nil {
			closing.Go(func() { n.Close() })
		}
	}
	closing.Wait()
	time.Sleep(time.Minute) // memberlist's timers run out
}

// await waits until something holds at every node.
func (s *simulation) await(what string, limit time.Duration, holds func(*simNode) bool) {
	s.t.Helper()
	begin := time.Now()
	for _, n := range s.nodes {
		for !holds(n) {
			if time.Since(begin) > limit {
				s.t.Fatalf("%s: not at node %d within %s\n%v", what, n.i, limit, n.told(""))
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// pause lets time pass.
func (s *simulation) pause(d time.Duration) { time.Sleep(d) }

// sent sums up the bytes that nodes have sent.
func (s *simulation) sent() (total int64) {
	for _, n := range s.nodes {
		total += n.host.sent.Load()
	}
	return total
}

// inFakeTime runs a story where time passes only when everyone waits, so that a slow or busy machine makes no
// difference.
func inFakeTime(t *testing.T, story func(t *testing.T)) {
	t.Parallel()
	synctest.Test(t, story)
}
