package health

import "github.com/weir-lb/weir/lb/upstream"

// Vote is what another node of the panel says of a peer.
type Vote struct {
	Status Status // StatusUnknown: nothing that is fresh
	Later  bool   // it said so after this node's own checks had failed
}

// Evidence is all that is known of a peer when a verdict is made.
type Evidence struct {
	Before    Status // what the nodes have concluded so far: unknown, up or down
	Own       Status // what this node's checks say
	Prober    bool   // this node is on the panel
	Votes     [panelSize]Vote
	Others    int // how many votes there are, one for each other node of the panel
	Mandatory bool
	Settling  bool // the nodes have just become others, who may not have been heard yet
	Held      bool // it is down and may not be taken back yet: it was, and failed again soon
	// Proven: this node's checks have passed since the nodes said down, and it
	// had not said so itself; or they have passed for an interval.
	Proven bool
}

// counts are the votes of a panel.
type counts struct{ up, down, later, known, size int }

// count counts the votes. later are those for up that came after this node's
// own checks had failed.
func (e *Evidence) count() counts {
	n := counts{size: e.Others}
	for _, v := range e.Votes[:e.Others] {
		n.add(v.Status)
		if v.Status == StatusUp && v.Later {
			n.later++
		}
	}
	if e.Prober {
		n.size++
		n.add(e.Own)
	}
	return n
}

func (n *counts) add(s Status) {
	switch s {
	case StatusUp:
		n.up++
	case StatusDown:
		n.down++
	}
	if s != StatusUnknown {
		n.known++
	}
}

// majority is how many of the panel are more than half of it.
func (n *counts) majority() int { return n.size/2 + 1 }

// Nodes concludes what holds for the peer in the cluster: down when two of the
// panel say so (or its only one), up when most do and it is not held, else
// what was concluded before, as long as anybody on the panel knows anything. It
// has no side effects.
func (e *Evidence) Nodes() Status {
	n := e.count()
	switch {
	case n.known == 0 && !e.Settling:
		return StatusUnknown
	case n.down >= min(2, n.size):
		return StatusDown
	case n.up >= n.majority() && !e.Held:
		return StatusUp
	}
	return e.Before
}

// Here concludes whether this node sends requests to the peer, nodes being what
// Nodes has concluded. It has no side effects.
//
// A check of its own that fails is enough to keep requests away until most of
// the panel have looked again and say up. What it has proven itself counts more
// than what the others say: its own way to the peer is what matters here.
func (e *Evidence) Here(nodes Status) upstream.Verdict {
	n := e.count()
	switch {
	case nodes == StatusDown && !(e.Proven && e.Own == StatusUp):
		return upstream.VerdictUnhealthy
	case e.Own == StatusDown && n.later < n.majority():
		return upstream.VerdictUnhealthy
	case nodes == StatusUnknown && e.Own == StatusUnknown && e.Mandatory:
		return upstream.VerdictChecking
	}
	return upstream.VerdictUsable
}
