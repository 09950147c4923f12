package lb

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

const (
	// askTime is how long a request waits for what other nodes know.
	askTime = 15 * time.Millisecond
	// askAgain is how long a key that was not found is not asked for again.
	askAgain = time.Second
	// maxKeyAsks bounds how many keys are asked for within askAgain: who makes
	// ids up is not to keep the cluster busy.
	maxKeyAsks = 8
)

// stickyKeys holds the sticky keys in force over all generations: those of a
// cluster, with those of files behind them.
type stickyKeys struct {
	used   atomic.Pointer[upstream.Keys] // by all pools; nil: ids are plain
	outlet Outlet

	mu     sync.Mutex
	shared *upstream.Keys             // of the cluster; nil: there is none
	files  *upstream.Keys             // nil: there are none
	asks   map[uint16]context.Context // keys asked for lately; they end with the asking
	none   map[uint16]bool            // ids that are known to be no key's
}

func newStickyKeys(o Outlet) *stickyKeys {
	return &stickyKeys{outlet: o, asks: map[uint16]context.Context{}, none: map[uint16]bool{}}
}

// SetKeys gives the balancer the sticky keys that all nodes share; the keys of
// sticky_key files then only open what they have sealed. A ring that does not
// seal yet, as upstream.NoKeys, leaves sealing to the files, and without any to
// later. nil: there is no cluster.
func (b *Balancer) SetKeys(shared *upstream.Keys) {
	k := b.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shared = shared
	clear(k.none)
	k.choose()
}

// SetTickets gives the balancer the keys that all nodes share for TLS session
// tickets: the first seals, all open. Servers with ssl_session_ticket_key files
// keep to these. Without keys the balancer goes on with ones of its own.
func (b *Balancer) SetTickets(shared [][32]byte) { b.tickets.Set(shared) }

// setFiles puts the keys of a configuration's files in force.
func (k *stickyKeys) setFiles(files *upstream.Keys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.files = files
	k.choose()
}

// choose puts both together; the lock is held.
func (k *stickyKeys) choose() {
	switch {
	case k.shared == nil:
		k.used.Store(k.files)
	case k.files == nil:
		k.used.Store(k.shared)
	case k.shared.Seals():
		k.used.Store(k.shared.With(k.files))
	default:
		k.used.Store(k.files)
	}
}

// missing waits askTime at most for a key that the ring lacks. It reports
// whether there may be such a key on other nodes, though not on this one.
func (k *stickyKeys) missing(id uint16) bool {
	k.mu.Lock()
	if k.shared == nil || k.none[id] {
		k.mu.Unlock()
		return false
	}
	asking := k.asks[id]
	if asking == nil && k.outlet != nil && len(k.asks) < maxKeyAsks {
		var end context.CancelFunc
		asking, end = context.WithTimeout(context.Background(), askTime)
		k.asks[id] = asking
		go k.ask(asking, id, end)
	}
	k.mu.Unlock()
	if asking == nil {
		return true
	}
	<-asking.Done()
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.none[id]
}

// ask asks for a key once for all requests that miss it.
func (k *stickyKeys) ask(ctx context.Context, id uint16, end context.CancelFunc) {
	none := k.outlet.AskKey(ctx, id)
	k.mu.Lock()
	if none {
		k.none[id] = true
	}
	k.mu.Unlock()
	end()
	time.AfterFunc(askAgain, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.asks, id)
	})
}
