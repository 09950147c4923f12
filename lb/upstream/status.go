package upstream

import "time"

// PoolStatus is a pool at one moment.
type PoolStatus struct {
	Name string
	// Zombies counts peers that are no longer in the pool but still have
	// requests in work.
	Zombies int
	Sticky  StickyStatus
	Peers   []PeerStatus
}

// PeerStatus is one peer at one moment. Times are nanoseconds of the clock of
// PickArgs.Now.
type PeerStatus struct {
	Server    string // as written
	Addr      string // as connected
	SID       string
	ID        ServerID
	Line      ServerID // id of the line it belongs to
	Backup    bool
	Weight    int
	MaxConns  int // 0: no limit
	State     State
	Active    int       // requests in work
	Requests  uint64    // picks
	Responses [6]uint64 // by first digit of the status; 0: attempts without one
	Sent      uint64    // bytes to the peer
	Received  uint64    // bytes from the peer
	Fails     uint64    // failed attempts
	Unavail   uint64    // how often failures have shut the peer out
	Selected  int64     // last pick; valid if Requests is not 0
	// Downtime is how long the peer was shut out by failures in all, the
	// present period included; Downstart is the begin of that, else 0.
	Downtime     time.Duration
	Downstart    int64
	HeaderTime   time.Duration // moving averages
	ResponseTime time.Duration
}

// Status returns what the pool and its peers look like at time now.
func (p *Pool) Status(now int64) PoolStatus {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	st := PoolStatus{Name: p.name, Zombies: p.shared.zombies, Sticky: p.shared.sticky.status()}
	if t := p.sticky.Sessions; t != nil {
		st.Sticky.Sessions = t.Status()
	}
	for _, peer := range p.Peers() {
		st.Peers = append(st.Peers, peer.status(now, p.single))
	}
	return st
}

// ResetStatistics sets the counters of all peers back to zero. Requests in
// work, weights and failures in the current period are no statistics and stay.
func (p *Pool) ResetStatistics() {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	for _, peer := range p.Peers() {
		c := &peer.resident.counters
		*c = counters{out: c.out, downstart: c.downstart, selected: c.selected}
	}
}

func (p *Peer) status(now int64, single bool) PeerStatus {
	s, h, c := p.slot, p.slot.hot, &p.resident.counters
	st := PeerStatus{
		Server: p.Server, Addr: p.Text, SID: p.SID, ID: p.ID, Line: p.Line, Backup: p.Backup,
		Weight: int(p.weight), Active: int(h.conns),
		Requests: c.requests, Responses: c.responses, Sent: c.sent, Received: c.received,
		Fails: c.failures, Unavail: c.unavail, Selected: c.selected,
		Downtime:     time.Duration(c.downtime),
		HeaderTime:   time.Duration(p.resident.times[Header.index()]) * time.Millisecond,
		ResponseTime: time.Duration(p.resident.times[LastByte.index()]) * time.Millisecond,
	}
	if p.maxConns != noLimit {
		st.MaxConns = int(p.maxConns)
	}
	if c.out {
		st.Downstart = c.downstart
		st.Downtime += time.Duration(now - c.downstart)
	}
	facts := p.facts
	// Not before a request has succeeded: that fail_timeout is over makes
	// the peer worth one try, not well.
	facts.Unavail = h.fails >= s.failLimit && !single
	st.State = Combine(facts)
	return st
}
