package health

import (
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

// Counts are what the checks of a peer have come to so far.
type Counts struct {
	Checks    uint64
	Fails     uint64
	Unhealthy uint64 // how often the peer became unhealthy
	Passed    bool   // the last check; of no meaning while Checks is 0
}

// add counts a finding that has led from one status to another.
func (n *Counts) add(f Finding, from, to Status) {
	n.Checks++
	if n.Passed = f.Passed(); !n.Passed {
		n.Fails++
	}
	if from != StatusDown && to == StatusDown {
		n.Unhealthy++
	}
}

// PeerStatus is what the checks have found about a peer.
type PeerStatus struct {
	Peer    upstream.PeerID
	Verdict upstream.Verdict
	Reason  Reason // why the verdict is what it is; ReasonNone: the last change was for the better
	Nodes   Status // what the nodes conclude together; without other nodes: what this one does
	Prober  bool   // this node asks the peer
	// Held is for how long it may not be taken back, since it failed again soon
	// after it had been.
	Held   time.Duration
	Counts Counts // of all its checks together
}

// Status returns what is known of the peers of an upstream, in no order; nil
// where it has no checks.
func (c *Checker) Status(name string) []PeerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[name]
	if g == nil {
		return nil
	}
	list := make([]PeerStatus, 0, len(g.subjects))
	for _, s := range g.subjects {
		st := PeerStatus{Peer: s.id, Verdict: s.verdict, Reason: s.reason, Nodes: s.nodes, Prober: s.asks()}
		if st.Verdict == upstream.VerdictUnhealthy && c.shares(s) {
			st.Held = max(0, time.Until(s.steadiness.until))
		}
		for i, t := range s.targets {
			st.Counts.Checks += t.counts.Checks
			st.Counts.Fails += t.counts.Fails
			st.Counts.Unhealthy += t.counts.Unhealthy
			st.Counts.Passed = t.counts.Passed && (i == 0 || st.Counts.Passed)
		}
		list = append(list, st)
	}
	return list
}
