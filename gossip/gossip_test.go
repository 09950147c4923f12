package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
)

// tcpStream carries frames over plain TCP, as package link does over TLS.
type tcpStream struct{ net.Listener }

func (s tcpStream) Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// testNode is a node of a test and what its callbacks were told.
type testNode struct {
	*Gossip
	mu       sync.Mutex
	reports  map[string]map[uint64]Report // by node and key
	records  []Record
	sessions map[string][]Session
	alive    int
	fresh    []string
	lines    []string
}

// idOf is the id of the i-th node of a test.
func idOf(i int) string { return fmt.Sprintf("%032x", i+1) }

// keyOf is one of several keys.
func keyOf(i byte) []byte { return bytes.Repeat([]byte{i}, keySize) }

// hear makes the callbacks of a node that note everything.
func (n *testNode) hear(o *Options) {
	n.reports, n.sessions = map[string]map[uint64]Report{}, map[string][]Session{}
	locked := func(f func()) {
		n.mu.Lock()
		defer n.mu.Unlock()
		f()
	}
	o.OnReports = func(list []Report) {
		locked(func() {
			for _, r := range list {
				if n.reports[r.Node] == nil {
					n.reports[r.Node] = map[uint64]Report{}
				}
				n.reports[r.Node][r.Key] = r
			}
		})
	}
	o.OnRecords = func(list []Record) { locked(func() { n.records = append(n.records, list...) }) }
	o.OnSessions = func(zone string, list []Session) {
		locked(func() { n.sessions[zone] = append(n.sessions[zone], list...) })
	}
	o.OnFresh = func(ids []string) { locked(func() { n.fresh = ids }) }
	o.OnMembers = func(list []Member) {
		locked(func() {
			n.alive = 0
			for _, m := range list {
				if m.Alive {
					n.alive++
				}
			}
		})
	}
	o.Log = func(level, text string) { locked(func() { n.lines = append(n.lines, level+" "+text) }) }
}

// has reports whether a node has heard a report.
func (n *testNode) has(node string, key uint64, status uint8) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, ok := n.reports[node][key]
	return ok && r.Status == status && !r.Gone
}

// told returns the lines of the log that hold some words.
func (n *testNode) told(words string) (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.lines {
		if bytes.Contains([]byte(line), []byte(words)) {
			lines = append(lines, line)
		}
	}
	return lines
}

// startOn begins a node on loopback, which change may make another one than usual.
func startOn(t *testing.T, i int, change func(*Options)) *testNode {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{}
	o := Options{
		ID: idOf(i), Cluster: "shop", Listen: loopback.Free(t), Keys: [][]byte{keyOf(1)},
		Meta: Meta{Name: fmt.Sprint("node", i), Boot: 1, Link: listener.Addr().String(), Ready: true}, Stream: tcpStream{listener},
	}
	n.hear(&o)
	if change != nil {
		change(&o)
	}
	if n.Gossip, err = Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// eventually waits for something, with a deadline.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// TestThreeNodes tells the story of three nodes on loopback, over UDP and TCP.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	var nodes []*testNode
	for i := range 3 {
		n := startOn(t, i, nil)
		if i > 0 {
			first := nodes[0].Addr()
			go n.Seek(t.Context(), func() []string { return []string{first} })
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		eventually(t, "everyone knows everyone", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.alive == 3 })
	}
	since := time.UnixMilli(time.Now().UnixMilli())
	nodes[0].Publish(Report{Key: 7, Status: 3, Reason: 1, Since: since, Latency: 3 * time.Millisecond})
	for _, n := range nodes[1:] {
		eventually(t, "the report comes", func() bool { return n.has(idOf(0), 7, 3) })
		n.mu.Lock()
		r := n.reports[idOf(0)][7]
		n.mu.Unlock()
		if want := (Report{Node: idOf(0), Boot: 1, Seq: 1, Key: 7, Status: 3, Reason: 1, Since: since, Latency: 3 * time.Millisecond}); r != want {
			t.Errorf("got %+v, want %+v", r, want)
		}
	}
	if err := nodes[1].Put(KindOwn, 1, []byte("hash")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record comes", func() bool {
		nodes[0].mu.Lock()
		defer nodes[0].mu.Unlock()
		return len(nodes[0].records) == 1 && string(nodes[0].records[0].Value) == "hash"
	})
	nodes[2].SetApplied(42)
	nodes[2].SetMeta(Meta{Name: "node2", Draining: true})
	eventually(t, "index and drain come", func() bool {
		all := nodes[0].Members()
		return len(all) == 3 && all[2].Applied == 42 && all[2].Draining && all[2].Boot == 1
	})
	eventually(t, "the tables agree", func() bool {
		nodes[0].mu.Lock()
		defer nodes[0].mu.Unlock()
		return len(nodes[0].fresh) == 2
	})
	if err := nodes[2].Leave(time.Minute); err != nil {
		t.Error(err)
	}
	eventually(t, "the one that left is gone", func() bool { return !nodes[0].Members()[2].Alive })
	if err := errors.Join(nodes[2].Close(), nodes[2].Close()); err != nil {
		t.Error(err)
	}
	if err := nodes[2].Leave(time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("leaving after the end: %v", err)
	}
	nodes[2].Publish(Report{Key: 1, Status: 1}) // to nobody
	nodes[2].SetMeta(Meta{Name: "late"})
}

// TestSendSessions sends learned sessions, and sends them again to a member whose connection broke.
func TestSendSessions(t *testing.T) {
	t.Parallel()
	a, b := startOn(t, 0, nil), startOn(t, 1, nil)
	if n, err := a.Join(t.Context(), []string{b.Addr()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	var want []Session
	send := func(from, to int) {
		var list []Session
		for i := from; i < to; i++ {
			list = append(list, Session{Key: [16]byte{byte(i), byte(i >> 8)}, Server: uint64(i), Seen: int64(i)})
		}
		want = append(want, list...)
		if err := a.SendSessions([]string{idOf(0), idOf(1), idOf(9)}, "cart", list); err != nil {
			t.Fatal(err)
		}
	}
	came := func() bool { b.mu.Lock(); defer b.mu.Unlock(); return slices.Equal(b.sessions["cart"], want) }
	send(0, 3000)
	eventually(t, "sessions come in order", came)
	b.mu.Lock()
	b.Gossip.mu.Lock()
	for talk := range b.talks {
		talk.conn.Close()
	}
	b.Gossip.mu.Unlock()
	b.mu.Unlock()
	send(3000, 3001)
	send(3001, 6000)
	eventually(t, "sessions come after the connection broke, each once", came)
}
