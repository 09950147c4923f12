package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// fakeNode has one upstream, and answers some names with failures.
type fakeNode struct {
	mu    sync.Mutex
	heard []string // what it was asked to do
}

func (f *fakeNode) hear(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = append(f.heard, fmt.Sprintf(format, args...))
}

// take returns what was heard since the last time.
func (f *fakeNode) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.heard = nil }()
	return slices.Clone(f.heard)
}

func (f *fakeNode) Status() Status {
	return Status{Node: "lb1", ID: "1", Version: "0", Data: "/d", Applied: 7, Cluster: &ClusterStatus{Name: "shop", Part: "leader", Leader: &NodeName{ID: "1", Name: "lb1"}, Quorum: true, Voters: 3}}
}

func (f *fakeNode) Members() []Member {
	return []Member{{NodeName: NodeName{ID: "1", Name: "lb1"}, Part: "leader", Alive: true, Ready: true, Applied: 7, Self: true}}
}

func (f *fakeNode) Upstreams(name string) []Upstream {
	if name != "" && name != "a/b" {
		return nil
	}
	two := 2
	return []Upstream{{Name: "a/b", Changeable: true, Servers: []Server{{Server: "10.0.0.1:80", ID: "1", Source: "file", Parameters: Parameters{Weight: &two},
		Peers: []Peer{{Addr: "10.0.0.1:80", State: "up"}}}}}}
}

func (f *fakeNode) CatchUp(context.Context) error { f.hear("catch up"); return nil }

func (f *fakeNode) Outcome(request string) (Outcome, bool) {
	return Outcome{Index: 5, Request: request}, strings.HasPrefix(request, "0")
}

func (f *fakeNode) do(w Write, what string) (Outcome, error) {
	f.hear("%s, patience %s", what, w.Patience)
	switch {
	case w.Actor == "":
		return Outcome{}, &Failure{Code: InternalError, Text: "nobody asked"}
	case strings.Contains(what, "lonely"):
		return Outcome{}, &Failure{Code: NoQuorum, Text: "no quorum", Missing: []NodeName{{ID: "2", Name: "lb2"}}}
	case strings.Contains(what, "misty"):
		return Outcome{}, &Failure{Code: OutcomeUnknown, Text: "unknown", Request: w.Request}
	case strings.Contains(what, "broken"):
		return Outcome{}, fmt.Errorf("the disk is gone")
	case strings.Contains(what, "taken"):
		return Outcome{}, &Failure{Code: Conflict, Text: "it is there"}
	}
	return Outcome{Index: 8}, nil
}

func (f *fakeNode) AddServer(_ context.Context, w Write, upstream string, s NewServer) (Outcome, error) {
	return f.do(w, fmt.Sprintf("add to %q: %s %s", upstream, s.Server, s.Words()))
}

func (f *fakeNode) EditServer(_ context.Context, w Write, upstream, server string, e ServerEdit) (Outcome, error) {
	order := "-"
	if e.Order != nil {
		order = *e.Order
	}
	return f.do(w, fmt.Sprintf("edit in %q: %s %s, order %s %q", upstream, server, e.Words(), order, e.Why))
}

func (f *fakeNode) RemoveServer(_ context.Context, w Write, upstream, server string) (Outcome, error) {
	return f.do(w, fmt.Sprintf("remove from %q: %s", upstream, server))
}

func (f *fakeNode) Transfer(context.Context) (Outcome, error) {
	f.hear("transfer")
	return Outcome{Leader: "lb2"}, nil
}

func (f *fakeNode) Leave(_ context.Context, w Write) (Outcome, error) { return f.do(w, "leave") }

func (f *fakeNode) RemoveNode(_ context.Context, w Write, node string) (Outcome, error) {
	return f.do(w, "remove node "+node)
}

func (f *fakeNode) Recover(cluster string) error { f.hear("recover %s", cluster); return nil }

func (f *fakeNode) Rotate(_ context.Context, w Write, rings []string) (Outcome, error) {
	o, err := f.do(w, fmt.Sprintf("rotate %s", rings))
	o.Rings = rings
	return o, err
}
