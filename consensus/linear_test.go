package consensus

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The history of one server, as clients see it: what they did, what came of it.
type (
	call struct {
		server ServerID
		kind   string // add, edit, remove, read
		weight int
	}
	outcome struct {
		code    Code
		weight  int // that was read; 0: there is no such server
		unknown bool
	}
)

// serverModel is what one server should do. Its state is the weight, 0 while it
// is not there.
func serverModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			parts := map[ServerID][]porcupine.Operation{}
			for _, o := range all {
				id := o.Input.(call).server
				parts[id] = append(parts[id], o)
			}
			var list [][]porcupine.Operation
			for _, p := range parts {
				list = append(list, p)
			}
			return list
		},
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			was, in, out := state.(int), input.(call), output.(outcome)
			next, code := was, Accepted
			switch {
			case in.kind == "read":
				return out.weight == was, was
			case in.kind == "add":
				next = in.weight
			case was == 0:
				code = Missing
			case in.kind == "edit":
				next = in.weight
			default:
				next = 0
			}
			return out.unknown || out.code == code, next
		},
	}
}

// history collects what clients see.
type history struct {
	clock atomic.Int64 // how many calls and returns there were
	mu    sync.Mutex
	ops   []porcupine.Operation
}

func (h *history) add(client int, in call, from int64, out outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{ClientId: client, Input: in, Call: from, Output: out, Return: h.clock.Add(1)}
	if out.unknown {
		o.Return = math.MaxInt64 // it may happen at any time
	}
	h.ops = append(h.ops, o)
}

func (in call) change() Change {
	at := Target{Upstream: "app", ID: in.server}
	switch in.kind {
	case "add":
		return &AddServer{at, Server{Name: "a:80", Weight: in.weight}}
	case "edit":
		return &EditServer{Target: at, Edit: Edit{Weight: &in.weight}}
	}
	return &RemoveServer{at}
}

// do has one client do one thing, on a node that is up.
func (h *history) do(t *testing.T, client int, node *testNode, in call) {
	from := h.clock.Add(1)
	c := node.up()
	if in.kind == "read" {
		s, err := c.Read(t.Context())
		if err != nil {
			t.Errorf("read: %v", err)
			return
		}
		e, _ := s.Upstream("app")
		a, _ := e.Added.Get(in.server)
		h.add(client, in, from, outcome{weight: a.Server.Weight})
		return
	}
	r, err := c.Propose(t.Context(), Command{Actor: "test", Change: in.change()})
	var unknown *OutcomeUnknownError
	if err != nil && !errors.As(err, &unknown) {
		t.Errorf("%s: %v", in.kind, err)
		return
	}
	h.add(client, in, from, outcome{code: r.Code, unknown: err != nil})
}

// clients is how many there are at once.
const clients = 200

// The leader dies amid 200 clients that change the members of an upstream, and
// others that read: nobody sees an error, and what they see is the history of
// one server after the other.
func TestNothingIsLostWhenTheLeaderDies(t *testing.T) {
	inTime(t, func(t *testing.T) {
		for _, nodes := range []int{3, 5} {
			w := cluster(t, nodes, inMemory)
			leader, others := w.leader()
			h := &history{}
			var running, amid sync.WaitGroup
			amid.Add(clients)
			for client := range clients {
				running.Go(func() {
					kinds := []string{"add", "edit", "remove", "read", "edit"}
					for step := range 3 {
						in := call{ServerID(1 + client%20), kinds[(client/20+step)%len(kinds)], 1 + client*10 + step}
						h.do(t, client, others[client%len(others)], in)
						if step == 0 {
							amid.Done()
						}
					}
				})
			}
			amid.Wait()
			leader.kill()
			running.Wait()
			if got := porcupine.CheckOperationsTimeout(serverModel(), h.ops, 30*time.Second); got != porcupine.Ok {
				t.Errorf("%d nodes: the history of %d operations is %v", nodes, len(h.ops), got)
			}
			h.present(t, others)
			leader.start() // it comes back and follows
			w.eventually("the same state everywhere", func() bool { return w.equal() })
		}
	})
}

// present checks that the model can fail: a history in which a write that was
// acknowledged is missing.
func (h *history) present(t *testing.T, nodes []*testNode) {
	t.Helper()
	lost := append([]porcupine.Operation(nil), h.ops...)
	now := h.clock.Add(1)
	add := call{server: 99, kind: "add", weight: 1}
	read := call{server: 99, kind: "read"}
	lost = append(lost, porcupine.Operation{Input: add, Output: outcome{}, Call: now, Return: now + 1},
		porcupine.Operation{Input: read, Output: outcome{}, Call: now + 2, Return: now + 3})
	if got := porcupine.CheckOperationsTimeout(serverModel(), lost, 30*time.Second); got != porcupine.Illegal {
		t.Errorf("a lost write is %v", got)
	}
	for _, n := range nodes {
		if n.up() == nil {
			t.Errorf("%s is down", n.o.Name)
		}
	}
}

// equal reports whether all nodes that are up have the same state, byte for byte.
func (n *network) equal() bool {
	var first []byte
	for _, node := range n.all() {
		c := node.up()
		if c == nil {
			continue
		}
		b := snapshot(n.t, c.State())
		if first == nil {
			first = b
		}
		if string(b) != string(first) {
			return false
		}
	}
	return true
}
