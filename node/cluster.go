package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/node/link"
)

// cluster is what a node shares with others: agreement and gossip, and the link
// that carries both. A node that is alone agrees with itself; it has neither
// link nor gossip, and opens no port.
type cluster struct {
	ground    *ground
	log       *errorlog.Logger
	feed      *feed
	link      *link.Link
	consensus atomic.Pointer[consensus.Consensus] // nil until it is open
	gossip    atomic.Pointer[gossip.Gossip]       // likewise
	targets   atomic.Pointer[[]netip.AddrPort]
	member    atomic.Pointer[gossip.Meta] // what the others are told of this node
	metaMu    sync.Mutex                  // held while member changes
	stops     []stop

	withdrawn  atomic.Bool // gossip has ended, since the node was removed
	rechecking atomic.Bool // is about to be done

	endSeed context.CancelFunc // of the configuration in force; nil before there is one
	seeding sync.WaitGroup

	keysMu  sync.Mutex
	secrets []*link.Secret // the first one signs
	keys    [][]byte       // of gossip, the first one seals
}

// clusterOptions say what a cluster is opened over.
type clusterOptions struct {
	ground *ground
	feed   *feed
	log    *errorlog.Logger
	check  func(dir string) error // of the store, in another process; nil: in this one
	names  lookup
}

// Verbs of the calls between nodes, beside those of sharing.go.
const (
	verbAgree  = "agree"  // a message of consensus
	verbName   = "name"   // what have you heard of a name?
	verbConfig = "config" // what is your configuration?
)

// openCluster starts all that a node shares with others, one straight line: each
// start is followed by its stop, and close runs the stops backwards. It returns
// before others are found: the node serves with what it knows.
func openCluster(o clusterOptions) (*cluster, error) {
	c := &cluster{ground: o.ground, feed: o.feed, log: o.log}
	if err := c.open(o); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *cluster) open(o clusterOptions) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	if c.ground.conf == nil {
		defer cancel()
		return c.openAlone(ctx, o)
	}
	c.feed.join(c)
	c.feed.adoptKeys(c.state()) // nothing is agreed on yet
	if err := c.openLink(); err != nil {
		cancel()
		return err
	}
	c.onStop("closing the link between nodes", c.link.Close)

	if err := c.openConsensus(o); err != nil {
		cancel()
		return err
	}
	if err := c.openGossip(); err != nil {
		cancel()
		return err
	}
	c.onStop("leaving gossip", c.leaveGossip)

	var busy sync.WaitGroup
	busy.Go(func() { c.seek(ctx, o.names) })
	busy.Go(func() { c.feed.decide(ctx) })
	busy.Go(func() { c.feed.sharing.attend(ctx) })
	busy.Go(func() { c.keepTime(ctx) })
	c.onStop("ending the search for nodes", func() error {
		cancel()
		busy.Wait()
		return nil
	})
	return nil
}

// alonePatience bounds how long the start of a node that is alone waits for its
// own log.
const alonePatience = 2 * time.Second

// openAlone opens agreement of this node with itself. It begins to serve with
// all it agreed on before, unless the disk fails or hangs: then with what it has
// of it.
func (c *cluster) openAlone(ctx context.Context, o clusterOptions) error {
	if err := c.openConsensus(o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, alonePatience)
	defer cancel()
	if _, err := c.consensus.Load().Read(ctx); err != nil {
		c.log.Logf(errorlog.Warn, 0, "changes that were made while weir ran are not in force yet: %v", err)
	}
	return nil
}

func (c *cluster) onStop(name string, run func() error) { c.stops = append(c.stops, stop{name, run}) }

// close stops everything. The node stays a member of its cluster: to stop is not
// to leave.
func (c *cluster) close() error {
	var failed []error
	if c.endSeed != nil {
		c.endSeed()
		c.seeding.Wait()
	}
	for i := len(c.stops) - 1; i >= 0; i-- {
		if err := c.stops[i].run(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.stops[i].name, err))
		}
	}
	c.stops = nil
	return errors.Join(failed...)
}

// state is the newest that was agreed on as far as this node knows.
func (c *cluster) state() *consensus.State {
	if agreement := c.consensus.Load(); agreement != nil {
		return agreement.State()
	}
	return &consensus.State{}
}

// self is the id of this node.
func (c *cluster) self() consensus.NodeID { return consensus.NodeID(c.ground.identity.ID) }

func (c *cluster) openLink() error {
	g := c.ground
	l, err := link.Open(link.Options{
		Listener: g.listener, Identity: g.identity, Cluster: g.conf.Name, Secrets: []*link.Secret{g.secret},
		Allow: g.allow(), Admit: c.admit, AdmitCaller: c.admitCaller,
		Handlers: c.handlers(),
		Log:      func(text string) { c.log.Logf(errorlog.Warn, 0, "cluster: %s", text) },
	})
	c.link, c.secrets = l, []*link.Secret{g.secret}
	return err
}

// admit decides which nodes may connect, by the agreed table of nodes.
func (c *cluster) admit(p link.Peer) error {
	return admits(c.state(), consensus.NodeID(p.ID), p.Key)
}

// admits is the rule. A node that is not in the table may come: to join, and
// because the table of this node may be old.
func admits(s *consensus.State, id consensus.NodeID, key []byte) error {
	n, known := s.Node(id)
	switch {
	case !known:
		return nil
	case n.Removed:
		return fmt.Errorf("node %q was removed from the cluster", n.Name)
	case !s.Admits(id, key):
		return fmt.Errorf("node %q joined with another key", n.Name)
	}
	return nil
}

// admitCaller decides which nodes may call. Those that were removed may: who was
// away meanwhile is to hear of it. No handler answers them anything else.
func (c *cluster) admitCaller(p link.Peer) error {
	err := c.admit(p)
	if n, _ := c.state().Node(consensus.NodeID(p.ID)); n.Removed && bytes.Equal(n.PublicKey, p.Key) {
		return nil
	}
	return err
}

func (c *cluster) handlers() map[string]link.Handler {
	return map[string]link.Handler{
		verbAgree: func(ctx context.Context, from link.Peer, body []byte) ([]byte, error) {
			agreement := c.consensus.Load()
			if agreement == nil {
				return nil, errors.New("the node has just been started")
			}
			return agreement.Answer(ctx, consensus.NodeID(from.ID), body)
		},
		verbName:        c.amongMembers(func(body []byte) ([]byte, error) { return c.feed.witnessed(body) }),
		verbFindSession: c.amongMembers(func(body []byte) ([]byte, error) { return c.feed.answerSession(body) }),
		verbFindKey:     c.amongMembers(func(body []byte) ([]byte, error) { return c.feed.answerKey(body) }),
		verbConfig:      c.amongMembers(func([]byte) ([]byte, error) { return c.feed.describe() }),
	}
}

// amongMembers answers only nodes that have joined: who merely has the secret is
// to join first.
func (c *cluster) amongMembers(answer func(body []byte) ([]byte, error)) link.Handler {
	return func(_ context.Context, from link.Peer, body []byte) ([]byte, error) {
		if !c.state().Admits(consensus.NodeID(from.ID), from.Key) {
			return nil, errors.New("the node has not joined")
		}
		return answer(body)
	}
}

func (c *cluster) openConsensus(o clusterOptions) error {
	g := c.ground
	options := consensus.Options{
		Dir: g.dir, ID: c.self(), PublicKey: g.identity.PublicKey(), Boot: g.identity.Boot, Run: g.identity.Run,
		OnState: c.adopt, Check: c.storeCheck(o.check), Log: slog.New(errorlog.NewHandler(c.log)),
	}
	if g.conf != nil {
		options.Name, options.Addr = g.conf.Node, config.PeerAddr(g.conf.Listen).String()
		options.Stream = c.link.Raft()
		options.Cluster, options.Expect = g.conf.Name, g.conf.Expect
		first := g.secret.StickyKey()
		options.FirstSticky = consensus.Key{ID: firstStickyID(first), Secret: first}
		options.Targets, options.Presence, options.Call = c.peers, c.presence, c.callAgree
	}
	agreement, err := consensus.Open(options)
	if err != nil {
		return err
	}
	c.consensus.Store(agreement)
	c.onStop("ending agreement", agreement.Close)
	return nil
}

// storeCheck is what comes before the log is opened, each time.
func (c *cluster) storeCheck(check func(dir string) error) func(dir string) error {
	if check == nil {
		check = consensus.CheckStore
	}
	return func(dir string) error {
		if err := c.ground.identity.Counted(); err != nil {
			return err
		}
		return check(dir)
	}
}

// callAgree has another node answer a message of consensus.
func (c *cluster) callAgree(ctx context.Context, addr string, body []byte) ([]byte, error) {
	answer, err := c.link.Call(ctx, addr, verbAgree, body)
	if failed, ok := errors.AsType[*link.CallError](err); ok && failed.Undone {
		return nil, &consensus.UndoneError{Err: err}
	}
	return answer, err
}

// configure notes the configuration that is now in force.
func (c *cluster) configure(cfg *config.Config) {
	if c == nil {
		return
	}
	c.feed.configure(cfg)
	if c.endSeed != nil {
		c.endSeed()
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.endSeed = cancel
	c.seeding.Go(func() { c.seed(ctx, cfg) })
}
