package consensus

import (
	"encoding/json"
	"fmt"
)

// The kinds of messages between nodes.
const (
	askHello    = "hello"    // who are you, and what do you know?
	askPropose  = "propose"  // have this command agreed on
	askRead     = "read"     // up to which index must I have applied to read what was acknowledged?
	askTransfer = "transfer" // hand over leadership
	askReadmit  = "readmit"  // I have lost my log: take my vote, and give me the log anew
	askPromise  = "promise"  // will you let me form the cluster of these nodes?
)

// maxHops is how often a message is passed on: to a relay, and by it to the
// leader.
const maxHops = 2

// message is what one node asks another.
type message struct {
	Kind  string   `json:"kind"`
	Hops  int      `json:"hops,omitempty"`  // how often it has been passed on
	Entry []byte   `json:"entry,omitempty"` // the command of propose, encoded
	Node  NodeID   `json:"node,omitempty"`  // who asks for readmit and promise; who is to lead no more in transfer
	Set   []NodeID `json:"set,omitempty"`   // who is to form, in promise
	Hello *hello   `json:"hello,omitempty"` // of who asks
}

// What becomes of a message.
const (
	replyDone     = ""
	replyNoLeader = "no leader" // nothing was done
	replyMaybe    = "maybe"     // it may have been done, or be yet
	replyOlder    = "older"     // nothing was done: some nodes are too old for it
	replyRefused  = "refused"   // it is not done, and asking again does not help
)

// reply is what comes back.
type reply struct {
	Code   string  `json:"code,omitempty"`
	Text   string  `json:"text,omitempty"` // in words, if Code is set
	Result *Result `json:"result,omitempty"`
	Index  uint64  `json:"index,omitempty"`
	Hello  *hello  `json:"hello,omitempty"`
	// Older tells of replyOlder.
	Older *LevelError `json:"older,omitempty"`
}

// hello is what a node tells of itself.
type hello struct {
	ID        NodeID `json:"id"`
	Addr      string `json:"addr"`
	Cluster   string `json:"cluster"` // its name
	ClusterID string `json:"cluster_id,omitempty"`
	Epoch     uint32 `json:"epoch,omitempty"`
	// Formed says that the node has part in a log, or is about to begin one.
	Formed bool     `json:"formed,omitempty"`
	Leader NodeID   `json:"leader,omitempty"`
	Expect int      `json:"expect,omitempty"`
	Chosen []NodeID `json:"chosen,omitempty"` // who should form, as it sees it
	Boot   uint64   `json:"boot,omitempty"`
	Run    uint64   `json:"run,omitempty"`
	// Join is what who asks wants to be entered as; Refusal why it would be
	// refused, in the answer.
	Join    *JoinNode `json:"join,omitempty"`
	Refusal string    `json:"refusal,omitempty"`
	// KnownBoot and KnownRun are the newest start of who asks that the node who
	// answers knows of; Removed that it was shut out.
	KnownBoot uint64 `json:"known_boot,omitempty"`
	KnownRun  uint64 `json:"known_run,omitempty"`
	Removed   bool   `json:"removed,omitempty"`
}

// decodeMessage reads what another node asks.
func decodeMessage(body []byte) (message, error) {
	var m message
	if len(body) > 2*MaxCommand {
		return m, fmt.Errorf("a message of %d bytes", len(body))
	}
	if err := json.Unmarshal(body, &m); err != nil { // fields of newer versions are left out
		return m, fmt.Errorf("message: %w", err)
	}
	if m.Hops < 0 {
		return m, fmt.Errorf("message passed on %d times", m.Hops)
	}
	return m, nil
}
