package config

import (
	"net/netip"
	"slices"
)

// DefaultClusterPort is the port of gossip where none is written; peer TCP has the next one.
const DefaultClusterPort = 7946

// Cluster is the cluster block: with which other nodes this one works together.
type Cluster struct {
	Pos    Pos
	Name   string         // the same on every node
	Node   string         // what this node is called
	Listen netip.AddrPort // gossip by UDP and TCP; peer TCP on the next port
	Join   []JoinAddress
	Allow  []netip.Prefix // who may speak to either port; empty: everybody
	Expect int            // how many nodes form the first cluster; 0: this node only joins one
	Secret string         // absolute path of the file with the cluster secret
}

// Allows reports whether something that comes from an address may speak to the
// ports of the cluster. What the node says to itself may always.
func (c *Cluster) Allows(from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	return len(c.Allow) == 0 || from == c.Listen.Addr() || slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(from) })
}

// JoinAddress is where other nodes may be found.
type JoinAddress struct {
	Host    string // an IP address without brackets, or a name; of SRV records if Service
	Port    uint16 // 0 for the names of SRV records, which tell ports themselves
	Service bool
}

// PeerAddr gives the address of peer TCP that belongs to the gossip address of a node.
func PeerAddr(gossip netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(gossip.Addr(), gossip.Port()+1)
}
