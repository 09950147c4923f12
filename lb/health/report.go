package health

import (
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// Reason is why a check of a peer failed.
type Reason uint8

// The reasons.
const (
	ReasonNone        Reason = iota // it passed
	ReasonRefused                   // nobody listens
	ReasonUnreachable               // no connection for another reason
	ReasonTimeout
	ReasonTLS       // the handshake failed
	ReasonClosed    // the connection broke off
	ReasonMalformed // the reply breaks the rules of its protocol
	ReasonStatus    // not the right one, as for all that follow
	ReasonHeader
	ReasonBody
	ReasonRequire // a variable is empty or "0"
	ReasonService // what a gRPC server says of its service
	ReasonPassive // failures in traffic
)

// String names the reason in one word.
func (r Reason) String() string {
	return [...]string{"none", "refused", "unreachable", "timeout", "tls", "closed", "malformed", "status", "header", "body",
		"require", "service", "passive"}[r]
}

// Finding is what one probe came to.
type Finding struct {
	Reason  Reason // ReasonNone: passed
	Detail  string // for the log, beyond the reason; empty: nothing to add
	Latency time.Duration
}

// Passed reports whether the peer did what was asked of it.
func (f Finding) Passed() bool { return f.Reason == ReasonNone }

// words tell of a failure in the log.
func (f Finding) words() string {
	if f.Detail == "" {
		return f.Reason.String()
	}
	return f.Reason.String() + ": " + f.Detail
}

// Status is what one node says of a peer.
type Status uint8

// The statuses.
const (
	StatusUnknown Status = iota // not enough checks were made
	StatusUp
	StatusSuspect // up, but the last check failed
	StatusDown
)

// String names the status in one word.
func (s Status) String() string { return [...]string{"unknown", "up", "suspect", "down"}[s] }

// Report is what one node says of one peer, made of all its checks. Of two by
// the same node that with the larger Boot and then Seq is the newer one.
type Report struct {
	Peer    upstream.PeerID
	Node    string // who says it; empty: this one
	Boot    uint64 // of the node's process
	Seq     uint64 // grows with every report of the process
	Status  Status
	Reason  Reason        // of StatusSuspect and StatusDown
	Since   time.Time     // when it was found, or found again because another node wanted to know
	Latency time.Duration // of the probe that led to it
}
