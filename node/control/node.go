package control

import (
	"context"
	"time"
)

// Node is what stands behind a control socket. Its methods may be called by
// many goroutines. Their errors are *Failure, or tell of a fault of the node.
type Node interface {
	// Status returns how the node and its cluster fare, as seen from here.
	Status() Status
	// Members returns the nodes of the cluster, sorted by name. A node without
	// a cluster is the only one.
	Members() []Member
	// Upstreams returns those of the configuration in force, sorted by name; with
	// a name only that one, if there is one.
	Upstreams(name string) []Upstream
	// CatchUp waits until the node has applied all that was acknowledged
	// anywhere before the call.
	CatchUp(ctx context.Context) error
	// Outcome returns what came of an earlier write, if the node knows.
	Outcome(request string) (o Outcome, known bool)

	// AddServer adds a server to an upstream.
	AddServer(ctx context.Context, w Write, upstream string, s NewServer) (Outcome, error)
	// EditServer changes a server, which is named as in its line or by its route.
	EditServer(ctx context.Context, w Write, upstream, server string, e ServerEdit) (Outcome, error)
	// RemoveServer takes a server out.
	RemoveServer(ctx context.Context, w Write, upstream, server string) (Outcome, error)

	// Transfer has another node lead. The Outcome names it.
	Transfer(ctx context.Context) (Outcome, error)
	// Leave takes this node out of its cluster for good.
	Leave(ctx context.Context, w Write) (Outcome, error)
	// RemoveNode shuts a node out for good, named by name or id.
	RemoveNode(ctx context.Context, w Write, node string) (Outcome, error)
	// Recover makes a quorum anew of this node alone, in the cluster of an id;
	// the others that are left join it again.
	Recover(cluster string) error
	// Rotate makes a new key for each of the rings; none stands for those that
	// are changed from time to time anyway. The Outcome names them.
	Rotate(ctx context.Context, w Write, rings []string) (Outcome, error)
}

// Write says how a change is asked for.
type Write struct {
	Request string // 32 hexadecimal digits: what has it is done at most once
	Actor   string // who asks, for the record
	// Patience is how long to wait for a leader where there is none; negative:
	// as long as is usual.
	Patience time.Duration
}

// Outcome is what came of a change.
type Outcome struct {
	Index   uint64 `json:"index"`             // where in the log it was decided
	Request string `json:"request,omitempty"` // under which it was asked for
	// Rings are the key rings that get a new key.
	Rings []string `json:"rings,omitempty"`
	// Leader is the name of the node that leads after a transfer; empty: it is
	// not known yet.
	Leader string `json:"leader,omitempty"`
	// Note says, in words, what is not as usual though it is done.
	Note string `json:"note,omitempty"`
}
