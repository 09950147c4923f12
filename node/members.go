package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/gossip"
)

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

// members gives the nodes that gossip knows, as far as they may be members.
func (c *cluster) members() []gossip.Member {
	if g := c.gossip.Load(); g != nil && !c.withdrawn.Load() {
		return c.admitted(g.Members())
	}
	return nil
}

// presence gives the nodes that gossip sees alive, and how far each follows the
// agreed log. Those that are refused do not follow it, and nothing is to wait for
// them.
func (c *cluster) presence() map[consensus.NodeID]uint64 {
	list := map[consensus.NodeID]uint64{}
	for _, m := range c.members() {
		if m.Alive && !m.Refused {
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
