package lb

import (
	"sync"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/upstream"
)

// transients are the upstreams that only requests know of: addresses that the
// variables of a proxy_pass gave. They are bounded, and the one that is given
// up costs no more than its idle connections.
type transients struct {
	mu    sync.Mutex
	known map[string]*pool
}

// transientLimit bounds how many are remembered.
const transientLimit = 1024

// get returns the upstream of an address.
func (t *transients) get(name string, addrs []upstream.Addr) (*proxy.Target, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if z := t.known[name]; z != nil {
		return z.target, nil
	}
	next, err := upstream.NewPool(upstream.Config{Name: name, Servers: []upstream.Server{{
		Name: name, Addrs: addrs, Weight: 1, MaxFails: 1, FailTimeout: config.DefaultFailTimeout,
	}}}, nil)
	if err != nil {
		return nil, err
	}
	if t.known == nil {
		t.known = map[string]*pool{}
	}
	for victim, z := range t.known {
		if len(t.known) < transientLimit {
			break
		}
		delete(t.known, victim)
		z.current.Load().Retire()
		z.idle.Close()
	}
	limits := config.DefaultKeepalive()
	z := &pool{name: name, idle: connect.NewGroup(keepalive(&limits))}
	z.current.Store(next)
	z.target = &proxy.Target{Name: name, Pool: &z.current, Idle: z.idle}
	t.known[name] = z
	return z.target, nil
}

// sweep closes what has been idle for too long.
func (t *transients) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, z := range t.known {
		z.idle.Sweep()
	}
}
