package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
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
	stops     []stop

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
	busy.Go(func() { c.watchSecrets(ctx) })
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
		Admit:    c.admit,
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

func (c *cluster) handlers() map[string]link.Handler {
	return map[string]link.Handler{
		verbAgree: func(ctx context.Context, from link.Peer, body []byte) ([]byte, error) {
			agreement := c.consensus.Load()
			if agreement == nil {
				return nil, errors.New("the node has just been started")
			}
			return agreement.Answer(ctx, consensus.NodeID(from.ID), body)
		},
		verbName:        func(_ context.Context, _ link.Peer, body []byte) ([]byte, error) { return c.feed.witnessed(body) },
		verbFindSession: func(_ context.Context, _ link.Peer, body []byte) ([]byte, error) { return c.feed.answerSession(body) },
		verbFindKey:     func(_ context.Context, _ link.Peer, body []byte) ([]byte, error) { return c.feed.answerKey(body) },
		verbConfig:      func(context.Context, link.Peer, []byte) ([]byte, error) { return c.feed.describe() },
	}
}

func (c *cluster) openConsensus(o clusterOptions) error {
	g := c.ground
	options := consensus.Options{
		Dir: g.dir, ID: c.self(), PublicKey: g.identity.PublicKey(), Boot: g.identity.Boot, Run: g.identity.Run,
		OnState: c.adopt, Check: o.check, Log: slog.New(errorlog.NewHandler(c.log)),
	}
	if g.conf != nil {
		options.Name, options.Addr = g.conf.Node, config.PeerAddr(g.conf.Listen).String()
		options.Stream = c.link.Raft()
		options.Cluster, options.Expect = g.conf.Name, g.conf.Expect
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

// callAgree has another node answer a message of consensus.
func (c *cluster) callAgree(ctx context.Context, addr string, body []byte) ([]byte, error) {
	answer, err := c.link.Call(ctx, addr, verbAgree, body)
	if failed, ok := errors.AsType[*link.CallError](err); ok && failed.Undone {
		return nil, &consensus.UndoneError{Err: err}
	}
	return answer, err
}

// peers gives the addresses of peer TCP at which nodes of the cluster may be.
func (c *cluster) peers() []string {
	var list []string
	if found := c.targets.Load(); found != nil {
		for _, at := range *found {
			list = append(list, config.PeerAddr(at).String())
		}
	}
	for _, m := range c.members() {
		if m.Alive && m.ID != string(c.self()) {
			list = append(list, m.Link)
		}
	}
	c.state().Nodes(func(id consensus.NodeID, n consensus.Node) {
		if id != c.self() && !n.Removed {
			list = append(list, n.Addr)
		}
	})
	slices.Sort(list)
	return slices.Compact(list)
}

// aliveNodes gives the ids of the nodes that gossip sees, this one among them.
func (c *cluster) aliveNodes() []string {
	list := []string{string(c.self())}
	for _, m := range c.members() {
		if m.Alive && m.ID != string(c.self()) {
			list = append(list, m.ID)
		}
	}
	return list
}

// nameOf gives what operators call a node, or its id.
func (c *cluster) nameOf(id string) string {
	for _, m := range c.members() {
		if m.ID == id {
			return m.Name
		}
	}
	if n, ok := c.state().Node(consensus.NodeID(id)); ok {
		return n.Name
	}
	return id
}

// callNode has a node that gossip sees answer a call.
func (c *cluster) callNode(ctx context.Context, id, verb string, body []byte) ([]byte, error) {
	for _, m := range c.members() {
		if m.ID == id && m.Alive {
			return c.link.Call(ctx, m.Link, verb, body)
		}
	}
	return nil, fmt.Errorf("node %s is not there", id)
}

// members gives the nodes that gossip knows.
func (c *cluster) members() []gossip.Member {
	if g := c.gossip.Load(); g != nil {
		return g.Members()
	}
	return nil
}

// presence gives the nodes that gossip sees alive, and how far each follows the
// agreed log.
func (c *cluster) presence() map[consensus.NodeID]uint64 {
	list := map[consensus.NodeID]uint64{}
	for _, m := range c.members() {
		if m.Alive {
			list[consensus.NodeID(m.ID)] = m.Applied
		}
	}
	list[c.self()] = c.state().Index()
	return list
}

// knownNodes is how many nodes the cluster has, without those that were removed.
func (c *cluster) knownNodes() (n int) {
	c.state().Nodes(func(_ consensus.NodeID, node consensus.Node) {
		if !node.Removed {
			n++
		}
	})
	return n
}

func (c *cluster) openGossip() error {
	g := c.ground
	meta := gossip.Meta{
		Name: g.conf.Node, Link: config.PeerAddr(g.conf.Listen).String(), Boot: g.identity.Boot,
		Level: consensus.Level, Ready: true,
	}
	c.member.Store(&meta)
	c.keysMu.Lock()
	defer c.keysMu.Unlock()
	c.keys = gossipKeys(c.state(), c.secrets[0], time.Now())
	opened, err := gossip.Open(gossip.Options{
		ID: g.identity.ID, Cluster: g.conf.Name, Listen: g.conf.Listen, Keys: c.keys, Meta: meta,
		Large:  max(g.conf.Expect, c.knownNodes()) > 32,
		Stream: c.link.Sync(),
		Who:    func(conn net.Conn) string { return conn.(*link.Conn).Peer().ID },
		Admit:  c.admitMember,

		OnMembers:  c.feed.meet,
		OnReports:  c.feed.hearReports,
		OnFresh:    c.feed.refresh,
		OnRecords:  c.feed.hearRecords,
		OnSessions: c.feed.sharing.hear,
		Log:        func(level, text string) { c.logf(level, "%s", text) },
	})
	if err != nil {
		return err
	}
	c.gossip.Store(opened)
	c.feed.publishConfig()
	return nil
}

func (c *cluster) logf(level, format string, args ...any) {
	l, err := errorlog.ParseLevel(level)
	if err != nil {
		l = errorlog.Error
	}
	c.log.Logf(l, 0, format, args...)
}

// admitMember decides which nodes gossip takes for members.
func (c *cluster) admitMember(m gossip.Member) error {
	n, known := c.state().Node(consensus.NodeID(m.ID))
	if known && n.Removed {
		return fmt.Errorf("node %q was removed from the cluster", n.Name)
	}
	return nil
}

// leaveGossip tells the others that this node will be back, and stops.
func (c *cluster) leaveGossip() error {
	c.changeMeta(func(m *gossip.Meta) { m.Ready, m.Restarting = false, true })
	g := c.gossip.Load()
	if err := g.Leave(time.Second); err != nil {
		c.log.Logf(errorlog.Info, 0, "cluster: %v", err) // they will find out
	}
	return g.Close()
}

// changeMeta tells all members something new of this node. It is not called
// twice at a time.
func (c *cluster) changeMeta(change func(*gossip.Meta)) {
	meta := *c.member.Load()
	change(&meta)
	c.member.Store(&meta)
	c.gossip.Load().SetMeta(meta)
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

// drains tells the others that this node takes nothing new.
func (c *cluster) drains() {
	if c != nil && c.gossip.Load() != nil {
		c.changeMeta(func(m *gossip.Meta) { m.Ready, m.Draining = false, true })
	}
}

// seek looks for other nodes until ctx ends: names may lead elsewhere tomorrow.
func (c *cluster) seek(ctx context.Context, names lookup) {
	conf := c.ground.conf
	before := ""
	c.gossip.Load().Seek(ctx, func() []string {
		limit, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		found, err := joinTargets(limit, names, conf.Join, conf.Listen)
		if err != nil && err.Error() != before {
			before = err.Error()
			c.log.Logf(errorlog.Warn, 0, "cluster: %v", err)
		}
		c.targets.Store(&found)
		var list []string
		for _, at := range found {
			list = append(list, at.String())
		}
		return list
	})
}
