package consensus

import (
	"net"
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// spares tells how many connections a node has in reserve to another.
func (n *testNode) spares(to *testNode) int {
	return n.instance().layer.spare.count(raft.ServerAddress(to.addr))
}

// Nodes that may be elected have connections in reserve, and replace those whose
// other end has gone.
func TestSpares(t *testing.T) {
	inTime(t, func(t *testing.T) {
		w := cluster(t, 3, inMemory)
		full := func() bool {
			for _, a := range w.all() {
				for _, b := range w.all() {
					if want := spareConns; a != b && a.spares(b) != want || a == b && a.spares(b) != 0 {
						return false
					}
				}
			}
			return true
		}
		w.eventually("spares to all voters", full)
		a, b := w.all()[0], w.all()[1]
		layer, to := a.instance().layer, raft.ServerAddress(b.addr)
		gone := layer.spare.take(to)
		dialled, err := layer.Dial(to, a.o.Timeouts.Heartbeat)
		if gone == nil || err != nil || a.spares(b) > spareConns {
			t.Fatalf("%v, %v", gone, err)
		}
		_ = dialled.Close()
		_ = gone.(*layerConn).Conn.Close() // as if the other end had gone
		layer.spare.put(to, gone)
		w.eventually("it is replaced", func() bool {
			layer.spare.mu.Lock()
			kept := slices.Contains(layer.spare.conns[to], gone)
			layer.spare.mu.Unlock()
			return !kept && full()
		})
		stranger, other := net.Pipe()
		layer.spare.put("stranger", stranger)
		w.eventually("there are none to others", func() bool { return layer.spare.count("stranger") == 0 })
		if _, err := other.Read(make([]byte, 1)); err == nil {
			t.Error("it was not closed")
		}
	})
}

// What is open is silent; what is closed, or speaks, is of no use.
func TestSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pair := func() (here, there net.Conn) {
		here, err1 := net.Dial("tcp", l.Addr().String())
		there, err2 := l.Accept()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		t.Cleanup(func() { here.Close(); there.Close() })
		return here, there
	}
	open, there := pair()
	for range 3 {
		if !silent(open) {
			t.Error("an open one")
		}
	}
	if _, err := there.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if n, err := open.Read(b); n != 4 || err != nil {
		t.Errorf("it cannot be used any more: %d, %v", n, err)
	}
	closed, there := pair()
	there.Close()
	for silent(closed) { // until the end has come
	}
	speaking, there := pair()
	if _, err := there.Write([]byte("what?")); err != nil {
		t.Fatal(err)
	}
	for silent(speaking) {
	}
}
