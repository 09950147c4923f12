package lb

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cache"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/listen"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// Options are what a Balancer needs of its process.
type Options struct {
	Logs     *errorlog.Set    // where logs are opened; nil: none are
	Log      *errorlog.Logger // the main error log
	Version  string
	Hostname string   // $hostname; the system's if empty
	Resolver Resolver // nil: names that variables give are not looked up
	Outlet   Outlet   // nil: there is no cluster
}

// Balancer is the data plane: it serves one configuration at a time and
// changes to another without a gap. All its methods are safe for concurrent
// use, but for Prepare and Start, of which one pair may run at a time.
type Balancer struct {
	options     Options
	serverToken []byte
	sockets     *listen.Set
	watcher     *wire.Watcher // of clients whose reply is awaited
	pauses      *wire.Watcher // of clients that are held to limit_rate, which may be the same
	tickets     *cert.TicketKeys
	keys        *stickyKeys
	learning    *learning
	clock       clock
	table       upstream.Table
	caches      cache.Set
	checker     *health.Checker
	transients  transients
	trimmer     trimmer
	pages       sync.Map  // pageKey → []byte
	jobs        sync.Pool // of *job
	outputs     sync.Pool // of *[]byte, see job.borrow
	streams     sync.Pool // of *streamJob
	workers     http2.Workers
	connWorkers connWorkers

	current     atomic.Pointer[generation]
	numbers     atomic.Uint64 // of generations
	connections atomic.Uint64 // accepted so far
	busy        atomic.Int64  // requests in work
	requests    atomic.Uint64
	draining    atomic.Bool

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	empty  chan struct{} // closed when draining and the last connection has ended
	stop   chan struct{}
}

// New returns a balancer that serves nothing yet.
func New(o Options) (*Balancer, error) {
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname() // a machine without a name only loses $hostname
	}
	watcher, err := wire.NewWatcher()
	if err != nil {
		return nil, err
	}
	pauses, err := wire.NewWatcher()
	if err != nil {
		return nil, errors.Join(err, watcher.Close())
	}
	b := &Balancer{
		options: o, serverToken: []byte("weir/" + o.Version), watcher: watcher, pauses: pauses,
		tickets: cert.NewTicketKeys(), keys: newStickyKeys(o.Outlet), learning: newLearning(o.Outlet),
		conns: map[*conn]struct{}{}, empty: make(chan struct{}), stop: make(chan struct{}),
	}
	b.sockets = listen.New(listen.Config{
		Accept: func(nc net.Conn, s *listen.Socket) { b.connWorkers.serve(accepted{nc, s}) },
		Report: func(err error) { o.Log.Logf(errorlog.Alert, 0, "%v", err) },
	})
	b.table.Now = wire.Now
	b.connWorkers.handle, b.connWorkers.begun = b.serve, b.trimmer.note
	b.checker = newChecker(&o)
	b.jobs.New = func() any { return newJob() }
	b.outputs.New = func() any { out := make([]byte, outputSize); return &out }
	b.streams.New = func() any { return newStreamJob() }
	b.clock.set(time.Now(), b.serverToken)
	go b.tick()
	if o.Outlet != nil {
		go b.tellNews()
	}
	return b, nil
}

// Check does all of a configuration that can fail, except binding sockets,
// and keeps nothing.
func (b *Balancer) Check(conf *config.Config) error {
	c, err := b.compile(conf)
	if err != nil {
		return err
	}
	return errors.Join(b.sockets.Test(c.g.specs), c.g.discard())
}

// Prepared is a configuration that is ready to serve.
type Prepared struct {
	b      *Balancer
	c      *compiler
	change *listen.Change
}

// Prepare builds a configuration whole beside what serves, and binds the
// sockets that are new in it. On an error nothing has changed.
func (b *Balancer) Prepare(conf *config.Config) (*Prepared, error) {
	c, err := b.compile(conf)
	if err != nil {
		return nil, err
	}
	change, err := b.sockets.Open(c.g.specs)
	if err != nil {
		return nil, errors.Join(err, c.g.discard())
	}
	bindings := change.Bindings()
	c.g.bindings = make(map[*listen.Socket]*listen.Binding, len(bindings))
	for i := range bindings {
		c.g.bindings[bindings[i].Socket] = &bindings[i]
	}
	return &Prepared{b: b, c: c, change: change}, nil
}

// Start makes the configuration the one that serves. The channel is closed
// when the last request of the one before has ended; nil if there was none.
func (p *Prepared) Start() (retired <-chan struct{}) {
	b := p.b
	p.c.takeOver()
	p.c.g.caches.start()
	old := b.current.Swap(p.c.g)
	knock(b.learning.some) // of sessions learned before the generation was there
	b.checker.Apply(p.c.g.plans)
	p.c.g.closeForeign(old)
	if err := errors.Join(p.change.Commit(), p.c.g.saveStates()); err != nil {
		b.options.Log.Logf(errorlog.Alert, 0, "%v", err)
	}
	if old == nil {
		return nil
	}
	b.wakeIdle()
	old.release()
	return old.retired
}

// Serves reports whether a configuration is in force.
func (b *Balancer) Serves() bool { return b.current.Load() != nil }

// Discard gives back what Prepare took, instead of Start.
func (p *Prepared) Discard() {
	if err := errors.Join(p.change.Abort(), p.c.g.discard()); err != nil {
		p.b.options.Log.Logf(errorlog.Alert, 0, "%v", err)
	}
}

// takeOver puts the pools of the new generation in the place of the old ones.
func (c *compiler) takeOver() {
	var changes []*upstream.Change
	for _, z := range c.g.zones {
		changes = append(changes, z.change)
		z.idle.Configure(z.limits)
		z.change = nil // what it built beside what serves is not needed twice
	}
	c.g.takeSessions(c.b.learning)
	c.b.keys.setFiles(c.g.keys)
	if err := c.b.table.Commit(changes); err != nil {
		c.b.options.Log.Logf(errorlog.Alert, 0, "%v", err)
	}
}

// closeForeign closes the idle connections of upstreams that only the old
// generation knows.
func (g *generation) closeForeign(old *generation) {
	if old == nil {
		return
	}
	for name, before := range old.zones {
		if g.zones[name] == nil {
			before.idle.Close()
		}
	}
}

// Addrs returns the addresses that are listened on, by their names in the
// configuration: "0.0.0.0:80", "[::1]:80", "unix:/run/weir.sock".
func (b *Balancer) Addrs() map[string]net.Addr {
	addrs := map[string]net.Addr{}
	for _, s := range b.sockets.Sockets() {
		addrs[s.Name()] = s.Addr()
	}
	return addrs
}

// enter counts a connection in; false when no more are served.
func (b *Balancer) enter(c *conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.conns[c] = struct{}{}
	return true
}

func (b *Balancer) leave(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
	b.signalEmpty()
	if b.closed && len(b.conns) == 0 {
		_ = b.closeWatchers() // nothing is watched any more
	}
}

func (b *Balancer) closeWatchers() error { return errors.Join(b.watcher.Close(), b.pauses.Close()) }

// signalEmpty is called with the lock held.
func (b *Balancer) signalEmpty() {
	if !b.draining.Load() || len(b.conns) > 0 {
		return
	}
	select {
	case <-b.empty:
	default:
		close(b.empty)
	}
}

// wakeIdle makes idle connections look whether the new generation has a place
// for them: their listener may be gone, or the rules about their client may
// have changed. Those that stay let go of the old generation.
func (b *Balancer) wakeIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.wake()
	}
}

// Drain takes no new connections, ends idle ones and returns when the last
// request is done or ctx ends.
func (b *Balancer) Drain(ctx context.Context) error {
	b.draining.Store(true)
	err := b.sockets.Close()
	b.mu.Lock()
	for c := range b.conns {
		c.wake()
	}
	b.signalEmpty()
	b.mu.Unlock()
	select {
	case <-b.empty:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// Close ends everything at once; what is in work learns that its client has
// gone.
func (b *Balancer) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	close(b.stop)
	b.workers.Close()
	for c := range b.conns {
		c.Shutdown() // its goroutine sees it and ends, and so does its upstream's exchange
	}
	last := len(b.conns) == 0
	b.mu.Unlock()
	b.checker.Close()
	err := b.sockets.Close()
	b.connWorkers.end()
	if last {
		err = errors.Join(err, b.closeWatchers())
	}
	if g := b.current.Load(); g != nil {
		for _, z := range g.zones {
			z.idle.Close()
		}
		g.caches.close()
	}
	b.transients.close()
	return err
}

// counts are $connections_active and its kind.
func (b *Balancer) counts() (active, reading, writing, waiting int64) {
	b.mu.Lock()
	active = int64(len(b.conns))
	b.mu.Unlock()
	writing = b.busy.Load()
	return active, 0, writing, max(active-writing, 0)
}

func (b *Balancer) getJob() *job { return b.jobs.Get().(*job) }

func (b *Balancer) putJob(j *job) {
	if cap(j.in) > 4*inputSize { // one odd request must not pin a large buffer
		j.in = make([]byte, inputSize)
	}
	j.pos, j.end, j.began, j.behind = 0, 0, 0, false
	j.forget()
	b.jobs.Put(j)
}

// tick does what is due about once a second.
func (b *Balancer) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-b.stop:
			return
		case now := <-t.C:
			b.clock.set(now, b.serverToken)
			if g := b.current.Load(); g != nil {
				for _, z := range g.zones {
					z.idle.Sweep()
				}
				g.expireSessions(now)
			}
			b.transients.sweep()
			b.trimmer.trim()
			b.workers.Trim()
		}
	}
}
