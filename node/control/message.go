package control

import (
	"strings"
	"time"
)

// Status is how a node and its cluster fare, as the node sees it.
type Status struct {
	Node    string `json:"node,omitempty"` // its name; empty without a cluster
	ID      string `json:"id"`
	Version string `json:"version"`
	Data    string `json:"data"` // the data folder
	// Cluster is nil where the configuration has no cluster block.
	Cluster *ClusterStatus `json:"cluster"`
	// Applied is the index of the last change that is in force on the node.
	Applied uint64 `json:"applied"`
	// Stopped says why the node takes no part in agreement, if it does not.
	Stopped string `json:"stopped,omitempty"`
	// Checks is nil where no server is checked.
	Checks *CheckStatus `json:"checks,omitempty"`
	Rings  []RingStatus `json:"rings,omitempty"`
}

// ClusterStatus is how agreement between nodes fares.
type ClusterStatus struct {
	Name      string    `json:"name"`
	ID        string    `json:"id,omitempty"` // empty: not formed yet
	Epoch     uint32    `json:"epoch,omitempty"`
	Part      string    `json:"part"`   // leader, follower, non-voter, none
	Leader    *NodeName `json:"leader"` // nil: nobody is known to lead
	Quorum    bool      `json:"quorum"`
	Voters    int       `json:"voters"`
	NonVoters int       `json:"non_voters"`
	// Missing are the voters that nobody hears of.
	Missing []NodeName `json:"missing,omitempty"`
	// Differing says which nodes have another configuration, and in what.
	Differing []string `json:"differing,omitempty"`
	// Older are the nodes whose program understands fewer kinds of changes than
	// that of others: what they cannot read is refused while they are there.
	Older []NodeName `json:"older,omitempty"`
	// Sessions is nil where nodes share no learned sessions.
	Sessions *SessionStatus `json:"sessions,omitempty"`
	Gossip   GossipStatus   `json:"gossip"`
}

// CheckStatus is how the checks of servers fare on a node.
type CheckStatus struct {
	Peers     int    `json:"peers"`     // under check
	Here      int    `json:"here"`      // of these, asked by this node
	Unhealthy int    `json:"unhealthy"` // of these peers, as this node judges
	Probes    uint64 `json:"probes"`    // that this node has made of them
	Fails     uint64 `json:"fails"`     // of these, failed
}

// SessionStatus is how learned sessions fare that nodes share. All counts are of
// this node since its start, and of what was told, for each node that was to hear
// it.
type SessionStatus struct {
	Kept    int    `json:"kept"`    // known now
	Room    int    `json:"room"`    // how many there may be
	Evicted uint64 `json:"evicted"` // dropped for want of room
	Sent    uint64 `json:"sent"`    // told, and acknowledged
	Waiting int    `json:"waiting"` // to be told, or acknowledged
	Lost    uint64 `json:"lost"`    // not told: a queue was full, or its node was gone for long
	Asked   uint64 `json:"asked"`   // asked of others, since a request named them and they were unknown here
	Found   uint64 `json:"found"`   // of these, known elsewhere
	Unasked uint64 `json:"unasked"` // not asked of others, since too many were
}

// GossipStatus counts what went wrong in gossip on a node since its start.
type GossipStatus struct {
	Strangers uint64 `json:"strangers"` // came without our key, or from another cluster
	Outside   uint64 `json:"outside"`   // came from an address that is not allowed, by either port
	Malformed uint64 `json:"malformed"` // no node of ours would send it
	Oversized uint64 `json:"oversized"` // longer than anything of ours
	Unknown   uint64 `json:"unknown"`   // of nodes that are not members, or are not admitted
	Replayed  uint64 `json:"replayed"`  // records that came again much later
	Dropped   uint64 `json:"dropped"`   // packets for which a queue had no room
	Full      uint64 `json:"full"`      // records for which there was no room
	TCPOnly   uint64 `json:"tcp_only"`  // pings that UDP lost, and TCP did not
}

// Refused is how much was not let in.
func (g *GossipStatus) Refused() uint64 {
	return g.Strangers + g.Outside + g.Malformed + g.Oversized + g.Unknown + g.Replayed
}

// NodeName names a node.
type NodeName struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// String returns the name that people use.
func (n NodeName) String() string {
	if n.Name == "" {
		return n.ID
	}
	return n.Name
}

// JoinNames writes names of nodes one after the other.
func JoinNames(list []NodeName) string {
	var names []string
	for _, n := range list {
		names = append(names, n.String())
	}
	return strings.Join(names, ", ")
}

// RingStatus is a key ring, without its secrets.
type RingStatus struct {
	Ring string      `json:"ring"`
	Keys []KeyStatus `json:"keys"` // the oldest first
}

// KeyStatus is a key of a ring.
type KeyStatus struct {
	ID    uint16    `json:"id"`
	State string    `json:"state"` // next, active, retiring
	Since time.Time `json:"since"`
}

// Member is a node of the cluster.
type Member struct {
	NodeName
	Addr     string    `json:"addr,omitempty"` // of its gossip
	Part     string    `json:"part"`           // leader, voter, non-voter, none
	Alive    bool      `json:"alive"`
	Since    time.Time `json:"since,omitzero"` // of alive, as seen from the node that tells
	Ready    bool      `json:"ready"`
	Draining bool      `json:"draining,omitempty"`
	Applied  uint64    `json:"applied"` // as it has told last
	Boot     uint64    `json:"boot,omitempty"`
	Self     bool      `json:"self,omitempty"` // the node that tells
}

// Upstream is a group of servers.
type Upstream struct {
	Name string `json:"name"`
	// Changeable says that servers may be added and changed: it has a zone.
	Changeable bool     `json:"changeable"`
	Queued     int      `json:"queued,omitempty"` // requests that wait for a server
	Servers    []Server `json:"servers"`          // in the order that methods see
}

// Server is a server line, or one that was added.
type Server struct {
	Server string `json:"server"`
	ID     string `json:"id"` // 16 hexadecimal digits; the same on every node
	// Source is "file" for a line of the configuration, "added" for a server
	// that was added while weir runs.
	Source string `json:"source"`
	Parameters
	Order *Order `json:"order,omitempty"`
	// Modified is the index of the last change of the server; 0: never.
	Modified uint64 `json:"modified,omitempty"`
	Peers    []Peer `json:"peers"` // the addresses it stands for
}

// Order is what an operator ordered a server to be.
type Order struct {
	Kind  string    `json:"kind"` // up, drain, down
	Who   string    `json:"who,omitempty"`
	Why   string    `json:"why,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// Peer is one address of a server, as the node that tells sees it.
type Peer struct {
	Addr  string `json:"addr"`
	State string `json:"state"` // up, draining, down, unavail, checking, unhealthy
	// HeldSeconds is for how long it is held: it stays unhealthy, though checks
	// may pass, since it failed again soon after it was healthy.
	HeldSeconds int    `json:"held_seconds,omitempty"`
	Active      int    `json:"active"`
	Requests    uint64 `json:"requests"`
	Fails       uint64 `json:"fails"`
	// Order is one about this address alone.
	Order *Order `json:"order,omitempty"`
}

// NewServer is a server to be added.
type NewServer struct {
	Server string `json:"server"` // address, as in a server line
	Parameters
}

// ServerEdit changes a server: the parameters that are given, and the order.
type ServerEdit struct {
	Parameters
	// Order is up, drain or down, and "none" takes one back. Nil: it stays.
	Order *string `json:"order,omitempty"`
	Why   string  `json:"why,omitempty"` // of the order
}

// Rotation names the key rings that get a new key.
type Rotation struct {
	// Rings are of sticky, ticket, gossip and secret. None stands for those that
	// are changed from time to time anyway: all but secret.
	Rings []string `json:"rings"`
}

// Recovery makes a quorum anew, when the nodes of one will not come back.
type Recovery struct {
	// Cluster is the cluster's id, so that it is no accident.
	Cluster string `json:"cluster"`
}

// Rings returns the names of the key rings, in the order of tables.
func Rings() []string { return []string{"sticky", "ticket", "gossip", "secret"} }
