package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/upstream"
)

// sharingNodes are nodes that share sessions over a network of calls.
type sharingNodes struct {
	mu    sync.Mutex
	nodes map[string]*sharingNode
	gone  map[string]bool
	boots map[string]uint64
	since map[string]time.Time
	deaf  string // nothing reaches it
	told  int    // sessions, to one node each
	full  int    // how many sends find no room yet
}

// sharingNode is one of sharingNodes: a table of sessions, and what shares it.
type sharingNode struct {
	*sharing
	table *upstream.Sessions
	keys  *upstream.Keys
	own   agreement
}

func (c *sharingNode) SetKeys(k *upstream.Keys) { c.keys = k }

func (c *sharingNode) PutSessions(_ string, list []upstream.LearnedSession) {
	c.table.Merge(list, time.Now().UnixNano())
}

func (c *sharingNode) FindSession(_ string, key upstream.SessionKey) (upstream.LearnedSession, bool) {
	return c.table.Get(key, time.Now().UnixNano())
}

func (c *sharingNode) SharedSessions(f func(zone string, list []upstream.LearnedSession) bool) {
	var at upstream.Page
	for list := c.table.Next(&at, 100); len(list) > 0 && f("zone", list); list = c.table.Next(&at, 100) {
	}
}

func newSharingNodes() *sharingNodes {
	return &sharingNodes{nodes: map[string]*sharingNode{}, gone: map[string]bool{}, boots: map[string]uint64{}, since: map[string]time.Time{}}
}

// do runs f while nothing else happens.
func (w *sharingNodes) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// settle makes a node, or makes it anew.
func (w *sharingNodes) settle(ctx context.Context, id string) *sharingNode {
	c := &sharingNode{own: agreement{state: &consensus.State{}}, table: upstream.NewSessions(1<<20, time.Hour)}
	c.sharing = &sharing{
		self: id, others: func() []string { return w.others(id) }, tables: c, state: func() *consensus.State { return c.own.state },
		first: func(*consensus.State) []byte { return nil },
		send:  func(to []string, zone string, list []gossip.Session) error { return w.send(to, zone, list) },
		ask: func(ctx context.Context, node, verb string, body []byte) ([]byte, error) {
			return w.ask(id, node, verb, body)
		},
		presence: newPresence(),
	}
	w.mu.Lock()
	w.nodes[id], w.gone[id] = c, false
	w.boots[id]++
	w.since[id] = time.Now()
	w.mu.Unlock()
	go c.attend(ctx)
	return c
}

func (w *sharingNodes) others(id string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.nodes)), func(o string) bool { return o == id || w.gone[o] })
}

// tell tells all nodes who is alive.
func (w *sharingNodes) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []gossip.Member
	for id := range w.nodes {
		list = append(list, gossip.Member{ID: id, Alive: !w.gone[id], Since: w.since[id], Meta: gossip.Meta{Boot: w.boots[id]}})
	}
	for _, c := range w.nodes {
		c.presence.set(list)
	}
}

func (w *sharingNodes) send(to []string, zone string, list []gossip.Session) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full > 0 {
		w.full--
		return errors.New("full")
	}
	for _, id := range to {
		if !w.gone[id] && w.deaf != id {
			w.told += len(list)
			w.nodes[id].hear(zone, list)
		}
	}
	return nil
}

func (w *sharingNodes) ask(from, node, verb string, body []byte) ([]byte, error) {
	w.mu.Lock()
	c, gone := w.nodes[node], w.gone[node] || w.gone[from]
	w.mu.Unlock()
	switch {
	case gone:
		return nil, errors.New("gone")
	case verb == verbFindSession:
		return c.answerSession(body)
	}
	return c.answerKey(body)
}

// learn lets a node learn sessions.
func (c *sharingNode) learn(from, to int) {
	var list []upstream.LearnedSession
	for n := from; n < to; n++ {
		list = append(list, upstream.LearnedSession{Key: sessionOf(n), Server: upstream.ServerID(n + 1), Seen: time.Now().UnixNano()})
	}
	c.table.Merge(list, time.Now().UnixNano())
	c.Learned("zone", list)
}

func sessionOf(n int) upstream.SessionKey { return upstream.SessionKeyOf(fmt.Append(nil, n)) }

// copies counts on how many nodes that are alive a session is.
func (w *sharingNodes) copies(n int) (count int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, c := range w.nodes {
		if _, ok := c.FindSession("", sessionOf(n)); ok && !w.gone[id] {
			count++
		}
	}
	return count
}

// TestSharing: up to five nodes know all sessions, of more at least three, also
// when nodes go, come, and come back without memory.
func TestSharing(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{2, 3, 5, 9} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := newSharingNodes()
				for n := range nodes {
					w.settle(ctx, fmt.Sprint("node", n))
				}
				w.tell()
				synctest.Wait()
				const sessions = 500
				check := func(when string) {
					t.Helper()
					time.Sleep(time.Minute) // of fake time
					alive := len(w.others(""))
					want := alive
					if alive > everyNode {
						want = 3
					}
					for n := range sessions {
						if got := w.copies(n); got < want {
							t.Fatalf("%s: session %d is on %d nodes of %d", when, n, got, alive)
						}
					}
				}
				w.nodes["node0"].learn(0, sessions/2)
				w.nodes["node1"].learn(sessions/2, sessions)
				check("learned")
				w.do(func() { w.gone["node0"] = true })
				w.tell()
				check("one has gone")
				w.settle(ctx, "node0")
				w.do(func() { w.told, w.full = 0, 7 })
				w.tell()
				check("it came back")
				w.do(func() {
					if nodes <= everyNode && w.told != sessions {
						t.Errorf("it was told %d sessions of %d", w.told, sessions)
					}
				})
				w.settle(ctx, "node1") // started anew so quickly that nobody saw it go
				w.tell()
				check("another was started anew")
				w.settle(ctx, "node1")
				w.do(func() { w.deaf = "node1" }) // it is taken for dead while it is told, for so short that nobody sees it
				w.tell()
				time.Sleep(time.Minute)
				w.do(func() { w.deaf, w.since["node1"] = "", time.Now() })
				w.tell()
				check("it was not dead")
				w.settle(ctx, "another")
				w.tell()
				check("one more")
				for n := range sessions {
					l, ok := w.nodes["another"].Ask(ctx, "zone", sessionOf(n))
					if _, has := w.nodes["another"].FindSession("", sessionOf(n)); !has && (!ok || l.Server != upstream.ServerID(n+1) || l.Key != sessionOf(n)) {
						t.Fatalf("session %d asked for: %+v, %t", n, l, ok)
					}
				}
				if l, ok := w.nodes["node1"].Ask(ctx, "zone", sessionOf(sessions)); ok {
					t.Errorf("a session nobody has: %+v", l)
				}
			})
		})
	}
}

// TestAskKey: a key is taken over with its ring from whoever has it; it is none
// only if all say so.
func TestAskKey(t *testing.T) {
	t.Parallel()
	w := newSharingNodes()
	for n := range 3 {
		w.settle(t.Context(), fmt.Sprint("node", n))
	}
	a, b := w.nodes["node0"], w.nodes["node1"]
	if !a.AskKey(t.Context(), 7) || a.keys != nil {
		t.Error("a key that nobody has")
	}
	w.do(func() { w.gone["node2"] = true })
	create := &consensus.CreateKey{ID: 7, Secret: make(consensus.Secret, 32)}
	w.nodes["node2"].own.make(t, create)
	if !a.AskKey(t.Context(), 7) {
		t.Error("a key that nobody has who is alive")
	}
	w.do(func() { w.gone["node2"] = false })
	if a.AskKey(t.Context(), 7) || a.keys == nil || !a.keys.Seals() {
		t.Error("a key that another node has is not taken over")
	}
	a.keys = nil
	for range 2 { // the index of the other, and one more
		a.own.make(t, &consensus.Batch{})
		if !a.AskKey(t.Context(), 7) || a.keys != nil {
			t.Error("a key is taken over from a node that is not ahead")
		}
	}
	b.sharing.others = func() []string { return []string{"node0", "node9"} }
	w.do(func() { w.gone["node9"] = true })
	if b.AskKey(t.Context(), 7) {
		t.Error("not all were asked, and the key is none")
	}
	if b.sharing.others = func() []string { return nil }; b.AskKey(t.Context(), 7) {
		t.Error("nobody was asked, and the key is none")
	}
	for _, bad := range []string{"", "{", `{"key":"AA=="}`} {
		if answer, err := a.answerSession([]byte(bad)); err == nil {
			t.Errorf("%q is answered %q", bad, answer)
		}
	}
	if answer, err := a.answerKey([]byte("[")); err == nil {
		t.Errorf("answered %q", answer)
	}
}
