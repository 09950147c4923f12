package lb

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// transients are the upstreams that only requests know of: what the variables
// of a proxy_pass gave. They are kept for their idle connections, which
// outlive reloads and changes of the host's addresses as far as these stay.
//
// Their peers never count as failed: as in nginx, each request tries the
// addresses anew, for nobody has said that they belong together.
type transients struct {
	mu    sync.RWMutex
	known map[transientKey]*transient
}

// transientKey is what a request asked for.
type transientKey struct {
	host           string
	port           uint16
	unix           bool   // host is the path of a socket
	servers        string // name servers that were asked; empty: host is an address
	noIPv4, noIPv6 bool
}

// transient is one of them.
type transient struct {
	current atomic.Pointer[upstream.Pool]
	idle    *connect.Group
	target  *proxy.Target

	addrs []netip.Addr
	used  int64 // wire.Now, to the second
}

const (
	transientLimit  = 1024            // remembered at a time
	transientUnused = 5 * time.Minute // until one is forgotten
)

// get returns the upstream of a host that has the given addresses now.
func (t *transients) get(k transientKey, addrs []netip.Addr) (*proxy.Target, error) {
	t.mu.RLock()
	z := t.known[k]
	fits := z != nil && slices.Equal(z.addrs, addrs) && wire.Now()-z.used < int64(time.Second)
	t.mu.RUnlock()
	if fits {
		return z.target, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if z = t.known[k]; z == nil {
		z = t.add(k)
	}
	z.used = wire.Now()
	if z.current.Load() != nil && slices.Equal(z.addrs, addrs) {
		return z.target, nil
	}
	if err := z.move(k, addrs); err != nil {
		return nil, err
	}
	return z.target, nil
}

// add makes an upstream without peers; the lock is held.
func (t *transients) add(k transientKey) *transient {
	if t.known == nil {
		t.known = map[transientKey]*transient{}
	}
	if len(t.known) >= transientLimit {
		t.forgetOne()
	}
	limits := config.DefaultKeepalive()
	z := &transient{idle: connect.NewGroup(keepalive(&limits))}
	z.target = &proxy.Target{Name: k.host, Pool: &z.current, Idle: z.idle}
	t.known[k] = z
	return z
}

// move gives the upstream new addresses. Peers that stay keep their idle
// connections.
func (z *transient) move(k transientKey, addrs []netip.Addr) error {
	server := upstream.Server{Name: k.host, Weight: 1}
	if k.unix {
		server.Addrs = []upstream.Addr{{Path: k.host}}
	}
	for _, a := range addrs {
		server.Addrs = append(server.Addrs, upstream.Addr{AddrPort: netip.AddrPortFrom(a, k.port)})
	}
	before := z.current.Load()
	next, err := upstream.NewPool(upstream.Config{Name: k.host, Servers: []upstream.Server{server}, AllowEmpty: true}, before)
	if err != nil {
		return err
	}
	z.addrs = addrs
	z.current.Store(next)
	next.TakeOver(before)
	return nil
}

// forgetOne makes room: of a few, whichever was not used for longest.
func (t *transients) forgetOne() {
	const glances = 16 // the order of a map's entries is chance enough
	var victim transientKey
	seen, oldest := 0, int64(0)
	for k, z := range t.known {
		if seen == 0 || z.used < oldest {
			victim, oldest = k, z.used
		}
		if seen++; seen == glances {
			break
		}
	}
	t.forget(victim)
}

// forget ends an upstream. Requests that use it end normally.
func (t *transients) forget(k transientKey) {
	z := t.known[k]
	delete(t.known, k)
	if p := z.current.Load(); p != nil {
		p.Retire()
	}
	z.idle.Close()
}

// sweep closes what has been idle for too long.
func (t *transients) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, z := range t.known {
		z.idle.Sweep()
		if wire.Now()-z.used > int64(transientUnused) {
			t.forget(k)
		}
	}
}

// close ends all of them.
func (t *transients) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.known {
		t.forget(k)
	}
}
