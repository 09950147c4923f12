package node

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/node/link"
)

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
		Large:  max(g.conf.Expect, c.knownNodes()) > largeCluster,
		Stream: c.link.Sync(),
		Who:    func(conn net.Conn) string { return conn.(*link.Conn).Peer().ID },
		Allow:  g.allow(),
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
func (c *cluster) admitMember(m gossip.Member) error { return admitsMember(c.state(), &m) }

// admitted gives the members that are admitted still: of some the table of nodes
// tells only later that they are not.
func (c *cluster) admitted(list []gossip.Member) []gossip.Member {
	s := c.state()
	return slices.DeleteFunc(list, func(m gossip.Member) bool { return admitsMember(s, &m) != nil })
}

// admitsMember is the rule: neither nodes that were removed, nor those that claim
// another's name. Who is not in the table may come, to join.
func admitsMember(s *consensus.State, m *gossip.Member) error {
	n, known := s.Node(consensus.NodeID(m.ID))
	if known && n.Removed {
		return fmt.Errorf("node %q was removed from the cluster", n.Name)
	}
	if owner, taken := s.Owner(m.Name); taken && owner != consensus.NodeID(m.ID) {
		return fmt.Errorf("the name %q is that of another node", m.Name)
	}
	return nil
}

// largeCluster is from how many nodes on failures are detected less eagerly, if
// as many are known at the start.
const largeCluster = 32

// How often the node tells how busy it is, and looks whether a secret has had
// its time.
const (
	loadPause   = time.Second
	secretPause = time.Minute
)

// keepTime does what is due now and then, until ctx ends.
func (c *cluster) keepTime(ctx context.Context) {
	load, secrets := time.NewTicker(loadPause), time.NewTicker(secretPause)
	defer load.Stop()
	defer secrets.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-load.C:
			if c.consensus.Load().Removed() {
				c.withdraw()
			}
			if refused := c.consensus.Load().Refused(); refused != c.member.Load().Refused && !c.withdrawn.Load() {
				c.changeMeta(func(m *gossip.Meta) { m.Refused = refused })
			}
			c.gossip.Load().SetLoad(uint16(min(c.feed.balancer.Connections(), math.MaxUint16)))
			c.feed.compareAgain()
		case <-secrets.C:
			c.adoptSecrets(c.state())
		}
	}
}

// withdraw ends gossip on a node that was removed: what the others say is none of
// its business any more, and it does for itself what they shared.
func (c *cluster) withdraw() {
	if c.withdrawn.Load() {
		return
	}
	err := c.leaveGossip()
	c.withdrawn.Store(true)
	if err != nil {
		c.log.Logf(errorlog.Info, 0, "cluster: %v", err) // they have no part in it any more
	}
	c.feed.meet(nil)
}

// leaveGossip tells the others that this node goes, and may be back, and stops.
func (c *cluster) leaveGossip() error {
	if c.withdrawn.Load() {
		return nil
	}
	c.changeMeta(func(m *gossip.Meta) { m.Ready, m.Restarting = false, true })
	g := c.gossip.Load()
	if err := g.Leave(time.Second); err != nil {
		c.log.Logf(errorlog.Info, 0, "cluster: %v", err) // they will find out
	}
	return g.Close()
}

// changeMeta tells all members something new of this node.
func (c *cluster) changeMeta(change func(*gossip.Meta)) {
	c.metaMu.Lock()
	defer c.metaMu.Unlock()
	meta := *c.member.Load()
	change(&meta)
	c.member.Store(&meta)
	c.gossip.Load().SetMeta(meta)
}

// drains tells the others that this node takes nothing new.
func (c *cluster) drains() {
	if c != nil && c.gossip.Load() != nil && !c.withdrawn.Load() {
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
		found, err := joinTargets(limit, names, conf)
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
