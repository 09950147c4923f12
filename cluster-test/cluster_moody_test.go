package clustertest

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// moody is a server of ours that falls ill and gets well again when told: it refuses connections, or falls silent.
type moody struct {
	t      *testing.T
	addr   string
	server *http.Server // nil: it refuses

	mu     sync.Mutex
	silent chan struct{} // while not nil, nobody gets an answer until it is closed
}

// newMoody starts one that is well.
func newMoody(t *testing.T) *moody {
	t.Helper()
	p := &moody{t: t, addr: freeAddress(t)}
	p.listen()
	t.Cleanup(func() { p.recover(); p.refuse() })
	return p
}

// ServeHTTP implements http.Handler.
func (p *moody) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	silent := p.silent
	p.mu.Unlock()
	if silent != nil {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
	}
}

func (p *moody) listen() {
	p.t.Helper()
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.server = &http.Server{Handler: p}
	go func(s *http.Server) { _ = s.Serve(ln) }(p.server) // it ends by Close
}

// refuse ends all connections, as when the process dies.
func (p *moody) refuse() {
	if p.server != nil {
		_ = p.server.Close()
		p.server = nil
	}
}

// hush lets it take connections and requests, and say nothing.
func (p *moody) hush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = make(chan struct{})
}

// recover makes it well again.
func (p *moody) recover() {
	p.mu.Lock()
	if p.silent != nil {
		close(p.silent)
		p.silent = nil
	}
	p.mu.Unlock()
	if p.server == nil {
		p.listen()
	}
}

// state is how a node uses a server at the moment.
func (n *clusterNode) state(addr string) (string, error) {
	u, err := n.client().Upstream(n.cluster.t.Context(), "app")
	if err != nil {
		return "", err
	}
	for _, s := range u.Servers {
		for _, p := range s.Peers {
			if p.Addr == addr {
				return p.State, nil
			}
		}
	}
	return "", fmt.Errorf("%s has no server %s", n.name, addr)
}

// awaitState waits until a node uses a server as is wanted, and tells when that was.
func (n *clusterNode) awaitState(addr string, want func(state string) bool) (time.Time, error) {
	err := waitFor(n.cluster.t.Context(), func() error {
		state, err := n.state(addr)
		if err == nil && !want(state) {
			err = fmt.Errorf("%s on %s is %s", addr, n.name, state)
		}
		return err
	})
	return time.Now(), err
}
