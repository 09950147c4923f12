package gossip

import (
	"context"
	"fmt"
	"log"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// Gossip is this node's part in it. Its methods may be called by many goroutines.
type Gossip struct {
	o       Options
	self    nodeID
	addr    string
	list    *memberlist.Memberlist
	keys    *memberlist.Keyring
	roll    *roll
	table   *table
	rumors  *rumors
	counts  *counters
	journal *journal
	inboxes *inboxes
	out     *dispatcher

	meta    atomic.Pointer[Meta]
	applied atomic.Uint64
	load    atomic.Uint32
	agreed  atomic.Int64 // when a comparison last found no difference; ns since 1970
	pinged  atomic.Int64 // when a digest last came in a packet; ns since 1970
	met     atomic.Int64 // when lists of members were last compared; ns since 1970

	inbox chan []byte   // packets, on the way to the table
	hot   chan struct{} // there are new rumors
	bulk  chan struct{} // there is something that goes by stream

	mu       sync.Mutex
	couriers map[nodeID]*courier
	talks    map[*talk]bool
	asked    map[nodeID]asked
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

const inboxDepth = 4096

// Open begins to listen and to take part, alone as yet.
func Open(o Options) (*Gossip, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	self, err := parseID(o.ID)
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	keys, err := memberlist.NewKeyring(o.Keys, o.Keys[0])
	if err != nil {
		return nil, fmt.Errorf("gossip: %w", err)
	}
	counts := &counters{}
	g := &Gossip{
		o: o, self: self, keys: keys, counts: counts,
		roll:    &roll{self: self, members: map[nodeID]*Member{}},
		table:   newTable(self, o.Meta.Boot),
		rumors:  &rumors{nodes: 1},
		journal: newJournal(o.Log, counts),
		inboxes: &inboxes{last: map[nodeID]mark{}},
		out:     newDispatcher(),
		inbox:   make(chan []byte, inboxDepth), hot: make(chan struct{}, 1), bulk: make(chan struct{}, 1),
		couriers: map[nodeID]*courier{}, talks: map[*talk]bool{}, asked: map[nodeID]asked{},
	}
	g.meta.Store(&o.Meta)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	if err := g.openMembership(); err != nil {
		g.cancel()
		return nil, err
	}
	n := g.list.LocalNode()
	g.addr = net.JoinHostPort(n.Addr.String(), strconv.Itoa(int(n.Port)))
	g.start()
	return g, nil
}

func (g *Gossip) openMembership() error {
	c := g.o.profile()
	c.Logger = log.New(g.journal, "", 0)
	c.Keyring = g.keys
	d := delegate{g}
	c.Delegate, c.Events, c.Alive, c.Ping, c.Conflict = d, d, d, d, d
	t, err := g.o.transport(c)
	if err != nil {
		return err
	}
	b := g.bound(t)
	c.Transport = b
	if g.list, err = memberlist.Create(c); err != nil {
		b.Shutdown()
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

func (g *Gossip) start() {
	loops := []func(){g.receive, g.spread, g.push, g.keep, g.deliver}
	if g.o.Stream != nil {
		loops = append(loops, g.accept)
	}
	for _, loop := range loops {
		g.launch(loop)
	}
}

// launch runs something for which Close waits. After Close it does nothing and reports so.
func (g *Gossip) launch(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		return false
	}
	g.running.Go(f)
	return true
}

// Addr is where this node listens for packets and streams of membership.
func (g *Gossip) Addr() string { return g.addr }

// Members lists all nodes that are known, this one among them, by id: also those that are no longer alive.
func (g *Gossip) Members() []Member { return g.roll.all() }

// Stats returns what has been counted.
func (g *Gossip) Stats() Stats {
	s := g.counts.stats()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.couriers {
		s.SessionWait += c.outbox.sessions()
	}
	return s
}

// SetMeta tells all members something new of this node, and waits until it is on its way, at most a second. Boot stays
// what it was at Open.
func (g *Gossip) SetMeta(m Meta) {
	m.Boot = g.o.Meta.Boot
	if old := g.meta.Swap(&m); *old == m {
		return
	}
	// An error says that nobody has been told within the time; the news stays in the queue.
	if err := g.list.UpdateNode(time.Second); err != nil {
		g.journal.tell("info", "meta", "gossip: "+err.Error())
	}
}

// SetApplied tells members how far this node has followed the log of agreements, within a second.
func (g *Gossip) SetApplied(index uint64) { g.applied.Store(index) }

// SetLoad tells members how busy this node is. They learn it with their next ping, the smaller the cluster the sooner.
func (g *Gossip) SetLoad(load uint16) { g.load.Store(uint32(load)) }

// InstallKey takes a further key of 32 bytes with which messages may come. Doing so again changes nothing.
func (g *Gossip) InstallKey(key []byte) error {
	if len(key) != keySize {
		return fmt.Errorf("gossip: a key has %d bytes, not %d", len(key), keySize)
	}
	return g.keys.AddKey(key)
}

// UseKey seals with a key that has been installed; the others go on to open.
func (g *Gossip) UseKey(key []byte) error { return g.keys.UseKey(key) }

// RemoveKey no longer opens with a key. The one in use cannot be removed.
func (g *Gossip) RemoveKey(key []byte) error { return g.keys.RemoveKey(key) }

// Leave tells the others that this node goes, so that they need not find out. It waits until one was told, at most for
// the time given. Close comes next.
func (g *Gossip) Leave(timeout time.Duration) error {
	if g.ctx.Err() != nil { // memberlist would panic
		return fmt.Errorf("gossip: closed before it left: %w", net.ErrClosed)
	}
	if err := g.list.Leave(timeout); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// Close ends everything at once. To the others this node looks dead, unless it has left before.
func (g *Gossip) Close() error {
	g.mu.Lock()
	g.cancel()
	g.mu.Unlock()
	err := g.list.Shutdown()
	if g.o.Stream != nil {
		g.o.Stream.Close()
	}
	g.mu.Lock()
	for t := range g.talks {
		t.conn.Close()
	}
	g.mu.Unlock()
	g.running.Wait()
	return err
}
