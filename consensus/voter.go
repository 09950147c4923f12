package consensus

import "time"

// maxVoters bounds who takes part in elections. The others follow the log.
const maxVoters = 5

// The patience of the rules by which votes are given and taken.
const (
	promoteAfter = 10 * time.Second // alive without a break
	replaceAfter = 30 * time.Second // dead
	removeAfter  = 24 * time.Hour   // dead
)

// Attendance is what the leader knows of a node.
type Attendance struct {
	ID     NodeID
	Voter  bool
	Leader bool
	Alive  bool          // and not far behind in the log
	For    time.Duration // since when it is that
}

// StepKind is what is to be done about a node.
type StepKind uint8

// The steps. A node is removed only when it has no vote.
const (
	StepNone StepKind = iota
	StepPromote
	StepDemote
	StepRemove
)

// Step is the next change of who votes.
type Step struct {
	Kind StepKind
	ID   NodeID
}

// NextStep returns what the leader is to do next about votes, one thing at a
// time: nodes are sorted by id. The number of voters is odd and at most five.
// A dead voter keeps its vote until another has taken its place, or it is gone
// for a day. No step is taken that would leave the living without a majority.
func NextStep(nodes []Attendance) Step {
	voters, alive, steady, expected := 0, 0, 0, 0
	for _, n := range nodes {
		if n.Alive || n.For < removeAfter {
			expected++
		}
		if n.Voter {
			voters++
			if n.Alive {
				alive++
			}
			if n.Alive || n.For < replaceAfter {
				steady++
			}
		}
	}
	want := min(maxVoters, expected)
	want -= 1 - want%2
	switch {
	case alive <= voters/2:
		return Step{} // there is no leader who could
	case steady < want:
		if s := first(nodes, StepPromote, func(n *Attendance) bool { return !n.Voter && n.Alive && n.For >= promoteAfter }); s.Kind != StepNone {
			return s
		}
	}
	if voters > want {
		if s := first(nodes, StepDemote, func(n *Attendance) bool { return n.Voter && !n.Alive && n.For >= replaceAfter }); s.Kind != StepNone {
			return s
		}
		if steady > want && alive-1 > (voters-1)/2 {
			return first(nodes, StepDemote, func(n *Attendance) bool { return n.Voter && n.Alive && !n.Leader })
		}
	}
	return first(nodes, StepRemove, func(n *Attendance) bool { return !n.Voter && !n.Alive && n.For >= removeAfter })
}

func first(nodes []Attendance, kind StepKind, is func(*Attendance) bool) Step {
	for i := range nodes {
		if is(&nodes[i]) {
			return Step{kind, nodes[i].ID}
		}
	}
	return Step{}
}
