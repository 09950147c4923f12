package consensus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what a Consensus is opened over. ID, Name, PublicKey, Addr, Boot
// and Run are those of [JoinNode].
type Options struct {
	// Dir is the data folder of the node; below it are raft, state and
	// quarantine. If it is empty everything is in memory.
	Dir string
	ID  NodeID
	// Name is the node's, as operators call it.
	Name      string
	PublicKey []byte
	Addr      string
	Boot      uint64
	Run       uint64

	// Stream carries the log to other nodes. Nil: the node is alone, and none of
	// the fields that follow up to Call is used.
	Stream Stream
	// Cluster is the name that was configured, and Expect how many nodes form it.
	Cluster string
	Expect  int
	// FirstSticky is the first sticky key of a cluster that is formed, with which
	// nodes seal before they know of it; without one it is random.
	FirstSticky Key
	// Targets returns addresses at which nodes of the cluster may be: those that
	// are configured, and those that gossip sees.
	Targets func() []string
	// Presence returns the nodes that gossip sees alive and that the cluster does not refuse, and the index that each
	// has applied. It is asked about once a second; this node is in it.
	Presence func() map[NodeID]uint64
	// Call has the Answer method of the node at an address answer body. If it is
	// certain that it did not, and will not, the error is an *UndoneError.
	Call func(ctx context.Context, addr string, body []byte) ([]byte, error)

	// OnState is told of states, each newer than the one before; some are left
	// out when they come quickly. It is called from one goroutine, and a write is
	// done only when it has returned.
	OnState func(*State)
	// Check looks through the store in a folder, as CheckStore does, before it is
	// opened. A damaged one can end the process that looks, so this should be
	// another process. Nil: CheckStore.
	Check func(dir string) error
	// Log hears of what an operator should know. Nil: nobody.
	Log *slog.Logger
	// Timeouts may be left zero.
	Timeouts Timeouts

	free     func(dir string) (uint64, error) // of the disk, in bytes; tests have their own
	writable func(dir string) error           // whether the disk can be written; likewise
	wrap     func(store) store                // around the store below the guard; of tests
	kinds    vocabulary                       // what this program understands; tests have more
	decode   func([]byte) (Command, error)    // likewise
	now      func() time.Time                 // the leader's patience with nodes, and ages of keys, go by it
}

// Stream carries connections between nodes, each authenticated by both sides.
type Stream interface {
	net.Listener
	// Dial connects to the node at an address of the table of nodes.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Timeouts are the times that agreement takes. The zero value of each stands
// for its default.
type Timeouts struct {
	Heartbeat time.Duration // after which a silent leader is given up; 1 s, alone 50 ms
	Lease     time.Duration // for which a leader leads that hears from nobody; half of Heartbeat
	Store     time.Duration // after which the disk is given up; 5 s
	Write     time.Duration // for a write, and to wait for a leader; 5 s
	Tick      time.Duration // between looks at what is to be done; 1 s
	Retry     time.Duration // until a store that has failed is opened again; 1 s, doubling to 30 s
}

func (t Timeouts) withDefaults(alone bool) Timeouts {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	if alone { // nobody else can be elected, nor be late
		set(&t.Heartbeat, 50*time.Millisecond)
		set(&t.Lease, t.Heartbeat)
	}
	set(&t.Heartbeat, time.Second)
	set(&t.Lease, t.Heartbeat/2)
	set(&t.Store, storeLimit)
	set(&t.Write, 5*time.Second)
	set(&t.Tick, time.Second)
	set(&t.Retry, time.Second)
	return t
}

// maxRetry bounds the pause before a store that failed is opened again.
const maxRetry = 30 * time.Second

// Consensus is this node's part in agreement. Its methods may be called by many
// goroutines. What goes wrong with the disk or the network ends no more than
// agreement on this node: State goes on to give what was agreed on last.
type Consensus struct {
	o     Options
	board *board

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	current engine // nil: not agreeing at the moment
	why     error  // why not, when current is nil
	news    bell   // rings when current, or its leader, changes
	trouble string // what interrupts agreement, as it was told; empty: nothing
	// unwelcome is why the node was not let in when it asked last.
	unwelcome error

	forming forming
	herald  herald
	again   atomic.Bool // this node is to announce itself, though it is known
}

// engine is what orders commands: a sequencer, or an instance of Raft. An error
// of its methods that tells of what may have happened is errMaybe.
type engine interface {
	// propose orders a command, if this node leads.
	propose(ctx context.Context, entry []byte) (Result, error)
	// verify returns an index that no write lies behind which was acknowledged
	// before the call, if this node leads.
	verify(ctx context.Context) (uint64, error)
	// leader returns who leads; an empty id if nobody is known to.
	leader() (id NodeID, addr string)
	// servers returns who takes part.
	servers() []server
	// transfer has another voter lead, if this node leads.
	transfer() error
	close()
}

// server is a node in the configuration of the log.
type server struct {
	id    NodeID
	addr  string
	voter bool
}

// Open starts to take part in agreement. It returns before there is a leader,
// with the last state that is known; what keeps it from agreeing later is no
// error of Open, but told by Status and the log.
func Open(o Options) (*Consensus, error) {
	alone := o.Stream == nil
	switch {
	case !isID(string(o.ID)):
		return nil, errors.New("consensus: the node has no id of 32 hexadecimal digits")
	case !alone && (o.Name == "" || o.Addr == "" || o.Cluster == "" || o.Targets == nil || o.Presence == nil || o.Call == nil):
		return nil, errors.New("consensus: no Name, Addr, Cluster, Targets, Presence or Call")
	}
	o.Timeouts = o.Timeouts.withDefaults(alone)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Check == nil {
		o.Check = CheckStore
	}
	if o.free == nil {
		o.free = freeSpace
	}
	if o.writable == nil {
		o.writable = tryFolder
	}
	if o.kinds == nil {
		o.kinds = kinds()
	}
	if o.decode == nil {
		o.decode = o.kinds.decode
	}
	if o.now == nil {
		o.now = time.Now
	}
	c := &Consensus{o: o, board: newBoard(), why: errStarting}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.begin(); err != nil {
		c.cancel()
		return nil, err
	}
	return c, nil
}

// begin makes what is there at once, and starts what works in the background.
func (c *Consensus) begin() error {
	if c.o.Dir != "" {
		if err := c.loadImage(); err != nil {
			return err
		}
	}
	c.work.Go(c.publish)
	if c.o.Dir != "" {
		c.work.Go(c.saveImages)
	}
	if c.o.Stream == nil && c.o.Dir == "" {
		c.use(newSequencer(c.o.ID, c.board), nil)
		return nil
	}
	var mux *streamMux
	if c.o.Stream != nil {
		mux = newStreamMux(c.o.Stream)
	}
	c.work.Go(func() { c.supervise(mux) })
	if c.o.Stream != nil {
		c.work.Go(c.announce)
	}
	return nil
}

// Close stops taking part. A leader hands over first. The node stays what it
// is: to stop is not to leave. Where the disk hangs, Close gives up waiting for
// it after a while, and says so.
func (c *Consensus) Close() error {
	c.cancel()
	done := make(chan struct{})
	go func() {
		c.work.Wait()
		close(done)
	}()
	limit := time.NewTimer(2 * (c.o.Timeouts.Store + c.o.Timeouts.Heartbeat))
	defer limit.Stop()
	select {
	case <-done:
		return nil
	case <-limit.C:
		return errors.New("consensus: the disk hangs, the log is left as it is")
	}
}

// State returns the newest state that this node knows.
func (c *Consensus) State() *State { return c.board.newest() }

// WaitIndex waits until a state of that index, or a newer one, has been handed
// to Options.OnState. The error is that of ctx, or errClosed.
func (c *Consensus) WaitIndex(ctx context.Context, index uint64) error {
	for {
		changed := c.board.changed.wait()
		if c.board.served() >= index {
			return nil
		}
		c.board.want(index)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
			return errClosed
		}
	}
}

// Leader returns who leads as far as this node knows, and where it is; an empty
// id if nobody does.
func (c *Consensus) Leader() (NodeID, string) {
	e, _ := c.engine()
	if e == nil {
		return "", ""
	}
	id, addr := e.leader()
	if n, ok := c.State().Node(id); ok {
		addr = n.Addr // it may have moved since
	}
	return id, addr
}

// Removed reports whether the cluster has shut this node out for good.
func (c *Consensus) Removed() bool {
	e, why := c.engine()
	return e == nil && errors.Is(why, errRemoved)
}

// Refused reports whether the cluster lets this node agree on nothing until an
// operator has mended it: it was removed, or its data is an old copy.
func (c *Consensus) Refused() bool {
	e, why := c.engine()
	return e == nil && errors.Is(why, errRefused)
}

// Transfer has another voter lead. Any node may be asked. It returns who leads
// then: still the same node if no other can, nobody if this node has not heard of
// another one soon.
func (c *Consensus) Transfer(ctx context.Context) (NodeID, error) {
	before, _ := c.Leader()
	if _, err := c.ask(ctx, message{Kind: askTransfer, Node: before}, c.o.Timeouts.Write); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*c.o.Timeouts.Heartbeat)
	defer cancel()
	for {
		news := c.news.wait()
		now, _ := c.Leader()
		switch {
		case now != "" && now != before, len(c.Status().Voters) < 2:
			return now, nil
		case !c.rest(ctx, news, retryPause):
			return "", nil
		}
	}
}

// Why a node does not agree.
var (
	errStarting = errors.New("agreement has not begun yet")
	errClosed   = errors.New("agreement is closed")
)

// engine returns what orders commands, or nil and why there is nothing.
func (c *Consensus) engine() (engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, c.why
}

// use makes e what orders commands; nil stands for nothing, and why for the
// reason.
func (c *Consensus) use(e engine, why error) {
	c.mu.Lock()
	c.current, c.why = e, why
	c.mu.Unlock()
	c.news.ring()
}
