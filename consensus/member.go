package consensus

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
)

// NodeID names a node for as long as it keeps its data: 16 random bytes in
// hexadecimal.
type NodeID string

// Node is a row of the table of nodes.
type Node struct {
	Name      string `json:"name"`
	PublicKey []byte `json:"public_key"` // Ed25519; pinned when the node joined first
	Addr      string `json:"addr"`       // where its peers reach it, host:port
	// Boot counts the starts of the node, and Run tells two starts with one
	// number apart. A number that was there already means data that was rolled
	// back, with which a node could vote twice.
	Boot     uint64 `json:"boot"`
	Run      uint64 `json:"run"`
	Level    uint16 `json:"level"`  // the newest command that it understands
	Joined   uint64 `json:"joined"` // index of its first join
	Modified uint64 `json:"modified"`
	Epoch    uint32 `json:"epoch,omitempty"`   // of the cluster, at its last join
	Removed  bool   `json:"removed,omitempty"` // shut out for good
}

// Nodes calls f with every node that ever joined, sorted by id.
func (s *State) Nodes(f func(NodeID, Node)) {
	for id, n := range s.nodes.All() {
		f(id, *n)
	}
}

// Node returns the row of a node.
func (s *State) Node(id NodeID) (Node, bool) { return s.nodes.Get(id) }

// Admits tells whether a peer may speak for a node: it is in the table, was
// not removed, and has the key it joined with.
func (s *State) Admits(id NodeID, publicKey []byte) bool {
	n, ok := s.nodes.Get(id)
	return ok && !n.Removed && bytes.Equal(n.PublicKey, publicKey)
}

// Owner returns the node that has a name.
func (s *State) Owner(name string) (NodeID, bool) {
	for id, n := range s.nodes.All() {
		if n.Name == name && !n.Removed {
			return id, true
		}
	}
	return "", false
}

// present counts the nodes that were not removed.
func (s *State) present() int {
	n := 0
	for _, node := range s.nodes.All() {
		if !node.Removed {
			n++
		}
	}
	return n
}

// JoinNode enters a node into the table, or tells of its next start. The key
// that a node, and its name, joined with first is theirs for good.
type JoinNode struct {
	ID        NodeID `json:"id"`
	Name      string `json:"name"`
	PublicKey []byte `json:"public_key"`
	Addr      string `json:"addr"`
	Boot      uint64 `json:"boot"`
	Run       uint64 `json:"run"`
	Level     uint16 `json:"level"`
}

func (j *JoinNode) apply(d *draft) *refusal {
	if !isID(string(j.ID)) || j.Name == "" || j.Addr == "" || len(j.PublicKey) != ed25519.PublicKeySize {
		return refuse(Invalid, "a node has an id, a name, an address and an Ed25519 key")
	}
	if r := j.stranger(d); r != nil {
		return r
	}
	next := Node{Name: j.Name, PublicKey: bytes.Clone(j.PublicKey), Addr: j.Addr, Boot: j.Boot, Run: j.Run, Level: j.Level, Joined: d.index, Modified: d.index, Epoch: d.cluster.Epoch}
	if old, ok := d.nodes.Get(j.ID); ok {
		if j.Boot < old.Boot || j.Boot == old.Boot && j.Run != old.Run {
			return refuse(Forbidden, "node %q started for the %d. time already: its data is an old copy", j.Name, old.Boot)
		}
		next.Joined = old.Joined
	}
	d.nodes = d.nodes.with(j.ID, next)
	return nil
}

// stranger refuses who takes another node's id, name or key, and who was
// removed.
func (j *JoinNode) stranger(d *draft) *refusal {
	for id, n := range d.nodes.All() {
		sameID, sameKey := id == j.ID, bytes.Equal(n.PublicKey, j.PublicKey)
		switch {
		case n.Removed && (sameID || sameKey):
			return refuse(Forbidden, "node %q was removed", n.Name)
		case sameID && !sameKey:
			return refuse(Forbidden, "node %q joined with another key, not %s", n.Name, base64.RawStdEncoding.EncodeToString(j.PublicKey))
		case !sameID && sameKey:
			return refuse(Forbidden, "this is the key of node %q", n.Name)
		case !sameID && !n.Removed && n.Name == j.Name:
			return refuse(Forbidden, "the name %q is that of another node", j.Name)
		}
	}
	return nil
}

// RemoveNode shuts a node out for good. Its name is free for another.
type RemoveNode struct {
	ID NodeID `json:"id"`
}

func (c *RemoveNode) apply(d *draft) *refusal {
	n, ok := d.nodes.Get(c.ID)
	switch {
	case !ok:
		return refuse(Missing, "no node %q", c.ID)
	case n.Removed:
		return nil
	}
	n.Removed, n.Modified = true, d.index
	d.nodes = d.nodes.with(c.ID, n)
	return nil
}
