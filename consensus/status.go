package consensus

import "slices"

// Part is what a node does in reaching agreement.
type Part string

// The parts.
const (
	PartLeader   Part = "leader"
	PartFollower Part = "follower"
	PartNonVoter Part = "non-voter"
	PartNone     Part = "none" // it does not take part at the moment, or yet
)

// Status is how agreement fares, as one node sees it.
type Status struct {
	Part      Part     `json:"part"`
	Leader    NodeID   `json:"leader,omitempty"` // empty: nobody is known to lead
	Cluster   Cluster  `json:"cluster"`
	Applied   uint64   `json:"applied"` // index of the state that is served
	Voters    []NodeID `json:"voters"`
	NonVoters []NodeID `json:"non_voters"`
	Missing   []NodeID `json:"missing"` // voters that gossip does not see
	// Stopped says why the node does not take part, if it does not.
	Stopped string `json:"stopped,omitempty"`
}

// Quorum reports whether more than half of the voters are there.
func (s *Status) Quorum() bool {
	return len(s.Voters) > 0 && 2*(len(s.Voters)-len(s.Missing)) > len(s.Voters)
}

// Status returns how agreement fares. It asks nobody.
func (c *Consensus) Status() Status {
	s := Status{Part: PartNone, Cluster: c.State().Cluster(), Applied: c.board.served()}
	e, why := c.engine()
	if e == nil {
		s.Stopped = why.Error()
		return s
	}
	s.Leader, _ = e.leader()
	servers := e.servers()
	var alive map[NodeID]uint64
	if c.o.Presence != nil {
		alive = c.o.Presence()
	}
	for _, n := range servers {
		switch _, seen := alive[n.id]; {
		case !n.voter:
			s.NonVoters = append(s.NonVoters, n.id)
		default:
			s.Voters = append(s.Voters, n.id)
			if !seen && n.id != c.o.ID {
				s.Missing = append(s.Missing, n.id)
			}
		}
	}
	switch {
	case s.Leader == c.o.ID:
		s.Part = PartLeader
	case slices.Contains(s.Voters, c.o.ID):
		s.Part = PartFollower
	case slices.Contains(s.NonVoters, c.o.ID):
		s.Part = PartNonVoter
	}
	if err := c.unwelcomed(s.Part); err != nil {
		s.Stopped = err.Error()
	}
	return s
}
