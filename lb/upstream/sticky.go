package upstream

import (
	"hash/crc64"
	"sync/atomic"
	"time"
)

// StickyKind is how a client's server is remembered.
type StickyKind uint8

// The kinds, by directive.
const (
	NotSticky    StickyKind = iota
	StickyCookie            // sticky cookie: in a cookie of weir's own
	StickyRoute             // sticky route: in something the application sends along
	StickyLearn             // sticky learn: in a table, by the application's session
)

// Sticky is how the clients of an upstream are tied to its peers.
type Sticky struct {
	Kind   StickyKind
	Cookie string // its name, to which sealed ids are bound
	// Lifetime is how long the browser keeps the cookie after each reply; 0:
	// until it is closed. Older sealed ids are expired, at the latest after 30
	// days.
	Lifetime time.Duration
	// Keys is the ring that seals the ids of a cookie; it may be swapped at
	// any time. nil: the ids are nginx's, plain.
	Keys *atomic.Pointer[Keys]
	// Missing is told the id of a key that Keys lacks, by which a presented
	// value says it is sealed. It may wait a moment for the key, and reports
	// whether there may be such a key all the same: other nodes then know who
	// the value stands for. nil: there are no other nodes.
	Missing func(key uint16) bool
	// AcceptPlain also honours nginx's ids where ids are sealed.
	AcceptPlain bool
	// Sessions is the table of StickyLearn.
	Sessions *Sessions
	// Ask asks other nodes, for a moment, about a session that Sessions does
	// not have; nil: there are none.
	Ask func(SessionKey) (LearnedSession, bool)
}

// stickyPolicy is a Sticky made ready.
type stickyPolicy struct {
	Sticky
	bound    []byte // what sealed ids are bound to
	lifetime int64  // of sealed ids, in seconds
	reseal   int64
}

func newStickyPolicy(s Sticky, upstream string) stickyPolicy {
	life := maxLifetime
	if s.Lifetime > 0 {
		life = min(life, s.Lifetime)
	}
	return stickyPolicy{
		Sticky: s, bound: sealedFor(upstream, s.Cookie),
		lifetime: int64(life / time.Second), reseal: int64(life / (maxLifetime / resealAfter) / time.Second),
	}
}

// stickyCounts are counted over all Pools of an upstream.
type stickyCounts struct {
	followed, rebound atomic.Uint64
	refused           [refusals]atomic.Uint64
}

// bound counts an attempt of a bound request.
func (c *stickyCounts) bound(a *PickArgs, p *Peer) {
	if a.BoundTo(p) {
		c.followed.Add(1)
	} else {
		c.rebound.Add(1)
	}
}

// StickyStatus counts what became of the ids that requests presented.
type StickyStatus struct {
	Followed uint64           // attempts of bound requests at their peer
	Rebound  uint64           // and at others, since their peer could not take them or is gone
	Refused  [refusals]uint64 // ids treated as absent, by Refusal
	Sessions SessionsStatus   // of StickyLearn
}

func (c *stickyCounts) status() (s StickyStatus) {
	s.Followed, s.Rebound = c.followed.Load(), c.rebound.Load()
	for i := range c.refused {
		s.Refused[i] = c.refused[i].Load()
	}
	return s
}

// Tie is what a request remembers of the id it presented. The zero value is
// ready; a Tie used for one request after the other allocates nothing.
type Tie struct {
	presented []byte
	server    ServerID // that presented stands for, if it is a sealed id
	keep      bool     // presented may be given back as it is, for its server
	blind     bool     // presented stands for a server that others know: it is given back in any case
	refused   Refusal  // why it binds to nothing; refusals: no reason of its own
	buf       [sealedSize]byte
}

// Refused tells why the presented value binds the request to no server.
func (t *Tie) Refused() string {
	if t.refused == refusals {
		return "it names no server that is known"
	}
	return t.refused.String()
}

// Sticks reports whether clients are tied to peers.
func (p *Pool) Sticks() bool { return p.sticky.Kind != NotSticky }

// Follow binds the request of a to the peer that value, which it presented,
// stands for; now is in seconds since 1970. A value that is empty, forged,
// truncated, foreign or expired binds it to none, and is counted if it is not
// empty. value must stay as it is until the last call with t. It is called once
// for a request, before the first Pick.
func (p *Pool) Follow(a *PickArgs, t *Tie, value []byte, now int64) {
	t.presented, t.server, t.keep, t.blind, t.refused = nil, 0, false, false, refusals
	if len(value) == 0 {
		return
	}
	s := &p.sticky
	switch ring := s.ring(); {
	case s.Kind == StickyLearn:
		a.Bound = s.session(SessionKeyOf(value), now*int64(time.Second))
	case ring == nil:
		a.Hint = value
	default:
		p.followSealed(ring, a, t, value, now)
	}
}

// ring returns the keys that seal ids, nil where they are plain.
func (s *stickyPolicy) ring() *Keys {
	if s.Keys == nil {
		return nil
	}
	return s.Keys.Load()
}

// session finds the server of a session, here or elsewhere.
func (s *stickyPolicy) session(key SessionKey, now int64) ServerID {
	server := s.Sessions.Find(key, now)
	if server != 0 || s.Ask == nil {
		return server
	}
	told, ok := s.Ask(key)
	if !ok || told.Key != key {
		return 0
	}
	s.Sessions.Merge([]LearnedSession{told}, now)
	return s.Sessions.Find(key, now)
}

func (p *Pool) followSealed(ring *Keys, a *PickArgs, t *Tie, value []byte, now int64) {
	s := &p.sticky
	o, why, ok := ring.open(&t.buf, s.bound, value)
	if why == RefusedForeign && !ok && s.Missing != nil {
		lags := s.Missing(sealedBy(&t.buf))
		if newer := s.ring(); newer != nil {
			o, why, ok = newer.open(&t.buf, s.bound, value)
		}
		if why == RefusedForeign && !ok && lags {
			p.followBlind(a, t, value)
			return
		}
	}
	age := now - o.issued
	if ok && age > s.lifetime {
		why, ok = RefusedExpired, false
	}
	if ok {
		a.Bound = o.server
		t.presented, t.server = value, o.server
		t.keep = o.state != KeyRetiring && age < s.reseal && age > -int64(clockSkew/time.Second)
		return
	}
	if why == RefusedMalformed && s.AcceptPlain && p.knows(value) {
		a.Hint = value
		return
	}
	t.refused = why
	p.shared.sticky.refused[why].Add(1)
}

// followBlind binds the request to a peer by nothing but its value, which this
// node cannot open yet: all nodes that cannot agree on it, and the client keeps
// the value for those that can.
func (p *Pool) followBlind(a *PickArgs, t *Tie, value []byte) {
	t.presented, t.blind, t.refused = value, true, RefusedForeign
	p.shared.sticky.refused[RefusedForeign].Add(1)
	best := uint64(0)
	for i := range p.primary.peers {
		peer := &p.primary.peers[i]
		if score := rendezvous(value, peer.ID); peer.admit == admitAll && (a.Bound == 0 || score > best) {
			a.Bound, best = peer.ID, score
		}
	}
}

// rendezvous is the score of a server for a value; the highest wins (rendezvous
// hashing), so that a server which goes takes along its own values only.
func rendezvous(value []byte, server ServerID) uint64 {
	h := crc64.Update(0, crc64.MakeTable(crc64.ECMA), value) ^ uint64(server)
	// The end of SplitMix64 spreads what differs in few bits.
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// knows reports whether one of the peers has a plain id.
func (p *Pool) knows(id []byte) bool {
	for _, g := range p.groups() {
		if _, ok := g.bySID()[string(id)]; ok {
			return true
		}
	}
	return false
}

// AppendID appends the id of the peer picked last for the request of a, as its
// cookie is to hold it: the one presented if it still serves, else a new one.
// Where none can be made yet it appends nothing.
func (p *Pool) AppendID(dst []byte, a *PickArgs, t *Tie, now int64) []byte {
	peer := a.last
	ring := p.sticky.ring()
	switch {
	case peer == nil:
		return dst
	case t.blind, t.keep && t.server == peer.ID:
		return append(dst, t.presented...)
	case ring == nil:
		return append(dst, peer.SID...)
	case !ring.Seals():
		return dst
	}
	return ring.seal(dst, &t.buf, p.sticky.bound, peer.ID, now)
}

// Learn ties the session of an id that a request presented, or with create one
// that its reply made, to the peer picked last; now is in nanoseconds since
// 1970.
func (p *Pool) Learn(a *PickArgs, id []byte, create bool, now int64) {
	if a.last == nil || len(id) == 0 || p.sticky.Sessions == nil {
		return
	}
	p.sticky.Sessions.Tie(SessionKeyOf(id), a.last.ID, create, now)
}
