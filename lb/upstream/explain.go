package upstream

import (
	"fmt"
	"time"
)

// Reason is why a peer was picked for a request or not.
type Reason uint8

// The reasons, of which the first that holds is told.
const (
	ReasonPicked    Reason = iota // by the method
	ReasonBound                   // picked, since the request is bound to it
	ReasonTried                   // this request has been there
	ReasonDown                    // by configuration or order
	ReasonUnhealthy               // its checks fail
	ReasonChecking                // it waits for its first check
	ReasonUnavail                 // shut out by failures in traffic
	ReasonFull                    // max_conns requests are in work
	ReasonDraining                // only requests bound to it are sent
	ReasonElsewhere               // the request is bound to another peer
	ReasonBackup                  // a primary server takes the request
	ReasonOutdone                 // the method preferred another
)

// String tells the reason in words for the operator.
func (r Reason) String() string {
	return [...]string{
		"picked", "picked: the request is bound to it", "tried already", "down", "unhealthy", "checking: it was not checked yet",
		"unavail: shut out after failures", "full: max_conns requests are in work", "draining: only requests bound to it are sent",
		"the request is bound to another", "backup: not needed", "behind in the order of the method",
	}[r]
}

// Candidate is a peer as a pick saw it.
type Candidate struct {
	Peer   *Peer
	Reason Reason
	Active int // requests in work before the pick
	Weight int
}

// String tells of the candidate in one line.
func (c Candidate) String() string {
	role := ""
	if c.Peer.Backup {
		role = " backup"
	}
	return fmt.Sprintf("%s%s (weight %d, %d in work): %s", c.Peer.Text, role, c.Weight, c.Active, c.Reason)
}

// PickExplained is Pick, and tells of each peer why it was picked or not. It
// is for those who want to know: it allocates, and holds the lock longer.
func (p *Pool) PickExplained(a *PickArgs) (*Peer, []Candidate, error) {
	if a.pool != p {
		a.bind(p)
	}
	list := p.candidates(a)
	picked, err := p.Pick(a)
	for i := range list {
		c := &list[i]
		if c.Reason != ReasonOutdone {
			continue
		}
		switch {
		case c.Peer == picked && a.BoundTo(picked):
			c.Reason = ReasonBound
		case c.Peer == picked:
			c.Reason = ReasonPicked
		case picked != nil && a.BoundTo(picked):
			c.Reason = ReasonElsewhere
		case c.Peer.Backup && (picked == nil || !picked.Backup):
			c.Reason = ReasonBackup
		}
	}
	return picked, list, err
}

// BoundTo reports whether the request is bound to a peer.
func (a *PickArgs) BoundTo(p *Peer) bool {
	return a.Bound != 0 && a.Bound == p.ID || a.Bound == 0 && len(a.Hint) > 0 && string(a.Hint) == p.SID
}

// candidates tells of each peer what keeps it from being picked now;
// ReasonOutdone of those that nothing does.
func (p *Pool) candidates(a *PickArgs) (list []Candidate) {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	now := a.Now / int64(time.Second)
	for _, g := range p.groups() {
		for i := range g.peers {
			c := Candidate{Peer: &g.peers[i], Active: int(g.slots[i].hot.conns), Weight: int(g.peers[i].weight), Reason: p.obstacle(g, i, a, now)}
			list = append(list, c)
		}
	}
	return list
}

// obstacle is what keeps the peer at position i of g from being picked.
func (p *Pool) obstacle(g *group, i int, a *PickArgs, now int64) Reason {
	peer, s := &g.peers[i], &g.slots[i]
	if g == p.group(a.backup) && a.tried.has(i) || peer.Backup && a.strayed == int32(i)+1 {
		return ReasonTried
	}
	switch Combine(peer.facts) {
	case StateDown:
		return ReasonDown
	case StateUnhealthy:
		return ReasonUnhealthy
	case StateChecking:
		return ReasonChecking
	case StateDraining:
		if !a.BoundTo(peer) {
			return ReasonDraining
		}
	}
	switch {
	case !p.single && !s.live(s.hot, now):
		return ReasonUnavail
	case s.hot.conns >= peer.maxConns:
		return ReasonFull
	}
	return ReasonOutdone
}

// Describe tells in words how the pool chooses.
func (p *Pool) Describe() string {
	name := [...]string{"round robin", "least_conn", "least_time", "ip_hash", "hash", "hash consistent", "random", "random two"}[p.how.Kind]
	switch p.sticky.Kind {
	case StickyCookie:
		name += ", sticky cookie " + p.sticky.Cookie
		if p.sticky.ring() != nil {
			name += " (sealed)"
		}
	case StickyRoute:
		name += ", sticky route"
	case StickyLearn:
		name += ", sticky learn"
	}
	return name
}
