package upstream

// State is the state of a peer as the API names it.
type State uint8

// The states a peer can be in, from usable to least usable.
const (
	StateUp        State = iota
	StateDraining        // only requests bound to the peer are sent
	StateUnavail         // shut out by failures in traffic
	StateChecking        // new, waiting for its first mandatory check
	StateUnhealthy       // its checks fail
	StateDown            // taken out by configuration or order
)

// String returns the API's word for s.
func (s State) String() string {
	switch s {
	case StateUp:
		return "up"
	case StateDraining:
		return "draining"
	case StateUnavail:
		return "unavail"
	case StateChecking:
		return "checking"
	case StateUnhealthy:
		return "unhealthy"
	}
	return "down"
}

// Order is what an operator ordered for a peer at run time. It is written by
// nobody else, and it outranks the server line.
type Order uint8

// The orders. OrderNone leaves the decision to the server line.
const (
	OrderNone Order = iota
	OrderUp
	OrderDrain
	OrderDown
)

// Verdict is what this node concluded from all health checks of a peer. The
// zero value means usable: a peer is assumed healthy until proven otherwise.
type Verdict uint8

// The verdicts.
const (
	VerdictUsable Verdict = iota
	VerdictChecking
	VerdictUnhealthy
)

// Facts are what different writers say about one peer.
type Facts struct {
	Down, Drain bool    // the server line
	Order       Order   // the operator
	Verdict     Verdict // the health checks
	Unavail     bool    // the failures in traffic
}

// Combine puts the facts about a peer together. Where several hold, the state
// that lets less traffic through wins. It has no side effects.
func Combine(f Facts) State {
	down, drain := f.Down, f.Drain
	switch f.Order {
	case OrderUp:
		down, drain = false, false
	case OrderDrain:
		down, drain = false, true
	case OrderDown:
		down = true
	}
	switch {
	case down:
		return StateDown
	case f.Verdict == VerdictUnhealthy:
		return StateUnhealthy
	case f.Verdict == VerdictChecking:
		return StateChecking
	case f.Unavail:
		return StateUnavail
	case drain:
		return StateDraining
	}
	return StateUp
}

// Wanted reports whether the server line and the operator let the peer have
// requests of everyone, however it fares.
func (p *Peer) Wanted() bool {
	f := p.facts
	f.Verdict, f.Unavail = VerdictUsable, false
	return Combine(f) == StateUp
}

// admission is what a state means for picking.
type admission uint8

const (
	admitAll   admission = iota
	admitBound           // only requests with this peer's hint
	admitNone
)

// admissionOf returns the admission of a peer in state s. Being unavail is no
// matter of admission: it changes with the time and is checked at each pick.
func admissionOf(s State) admission {
	switch s {
	case StateUp, StateUnavail:
		return admitAll
	case StateDraining:
		return admitBound
	}
	return admitNone
}
