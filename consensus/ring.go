package consensus

import (
	"slices"
	"time"
)

// RingKind names a key ring.
type RingKind uint8

// The rings.
const (
	StickyRing RingKind = iota // seals sticky cookies
	TicketRing                 // seals TLS session tickets
	GossipRing                 // seals gossip
	SecretRing                 // signs nodes' certificates, instead of the secret that was configured
	ringCount
)

// KeyState is what a key of a ring is used for.
type KeyState string

// The life of a key. A key that is gone is not in its ring.
const (
	KeyNext     KeyState = "next"     // opens; not yet known to every node
	KeyActive   KeyState = "active"   // opens and seals
	KeyRetiring KeyState = "retiring" // opens what it sealed before
)

// Secret is the bytes of a key. It prints as a word.
type Secret []byte

// String hides the secret from logs.
func (Secret) String() string { return "(secret)" }

// Key is one key of a ring.
type Key struct {
	ID     uint16   `json:"id"`
	State  KeyState `json:"state"`
	Since  int64    `json:"since"` // the log's time it entered the state, Unix milliseconds
	Index  uint64   `json:"index"` // where in the log it entered the state
	Secret Secret   `json:"secret"`
}

// Ring is a key ring, its oldest key first. At most one key is next; one is
// active unless the ring is empty, or is that of secrets and has its first.
type Ring []Key

// Ring returns a key ring.
func (s *State) Ring(kind RingKind) Ring {
	if kind >= ringCount {
		return nil
	}
	return s.rings[kind]
}

// SecretGrace is how long a cluster secret still opens the door after another
// has become active.
const SecretGrace = 10 * time.Minute

// Rotation is the timing of a ring.
type Rotation struct {
	Every time.Duration // from turning active to being followed; 0: when an operator says so
	Keep  time.Duration // from turning retiring to being gone
}

// Rotation returns the timing of a kind of ring. A retiring sticky key outlives
// the longest life of a cookie, a ticket key that of a ticket; a gossip key is
// kept a period more, for nodes that were away. A cluster secret is kept until
// every node has followed.
func (k RingKind) Rotation() Rotation {
	const day = 24 * time.Hour
	switch k {
	case StickyRing:
		return Rotation{Every: day, Keep: 30*day + 10*time.Minute}
	case TicketRing:
		return Rotation{Every: 8 * time.Hour, Keep: 8*time.Hour + 10*time.Minute}
	case SecretRing:
		return Rotation{Keep: SecretGrace}
	default:
		return Rotation{Every: 7 * day, Keep: 7 * day}
	}
}

// Due returns the next step in the life of a ring: a change for its leader to
// propose, or nil. secret is a new key with its id, used if a key is due;
// applied is the lowest index that a live node has applied: a key turns active
// only when all of them can open with it.
func (r Ring) Due(kind RingKind, now time.Time, applied uint64, fresh Key) Change {
	rot, ms := kind.Rotation(), now.UnixMilli()
	for _, k := range r {
		if k.State == KeyRetiring && ms-k.Since >= rot.Keep.Milliseconds() {
			return &DropKey{Ring: kind, ID: k.ID}
		}
	}
	if i := r.state(KeyNext); i >= 0 {
		if r[i].Index <= applied {
			return &ActivateKey{Ring: kind, ID: r[i].ID}
		}
		return nil
	}
	if i := r.state(KeyActive); rot.Every > 0 && (i < 0 || ms-r[i].Since >= rot.Every.Milliseconds()) {
		return &CreateKey{Ring: kind, ID: fresh.ID, Secret: fresh.Secret}
	}
	return nil
}

func (r Ring) state(state KeyState) int {
	return slices.IndexFunc(r, func(k Key) bool { return k.State == state })
}

func (r Ring) find(id uint16) int {
	return slices.IndexFunc(r, func(k Key) bool { return k.ID == id })
}

// CreateKey adds the next key of a ring; in an empty ring it is active at once,
// but for cluster secrets, of which all nodes have one already.
type CreateKey struct {
	Ring   RingKind `json:"ring"`
	ID     uint16   `json:"id"`
	Secret Secret   `json:"secret"`
}

func (c *CreateKey) apply(d *draft) *refusal {
	switch {
	case c.Ring >= ringCount:
		return refuse(Invalid, "no key ring %d", c.Ring)
	case len(c.Secret) != 32:
		return refuse(Invalid, "a key has 32 bytes")
	}
	ring := d.rings[c.Ring]
	switch {
	case ring.find(c.ID) >= 0:
		return refuse(Exists, "the ring has a key %d", c.ID)
	case ring.state(KeyNext) >= 0:
		return refuse(Exists, "the ring has a next key already")
	}
	k := Key{ID: c.ID, State: KeyNext, Since: d.now, Index: d.index, Secret: slices.Clone(c.Secret)}
	if len(ring) == 0 && c.Ring != SecretRing {
		k.State = KeyActive
	}
	d.rings[c.Ring] = append(slices.Clone(ring), k)
	return nil
}

// ActivateKey lets the next key of a ring seal, and the active one retire.
type ActivateKey struct {
	Ring RingKind `json:"ring"`
	ID   uint16   `json:"id"`
}

func (c *ActivateKey) apply(d *draft) *refusal {
	if c.Ring >= ringCount {
		return refuse(Invalid, "no key ring %d", c.Ring)
	}
	ring := slices.Clone(d.rings[c.Ring])
	i := ring.find(c.ID)
	switch {
	case i < 0:
		return refuse(Missing, "the ring has no key %d", c.ID)
	case ring[i].State == KeyActive:
		return nil
	case ring[i].State != KeyNext:
		return refuse(Conflict, "key %d is %s", c.ID, ring[i].State)
	}
	if former := ring.state(KeyActive); former >= 0 {
		ring.enter(former, KeyRetiring, d)
	}
	ring.enter(i, KeyActive, d)
	d.rings[c.Ring] = ring
	return nil
}

func (r Ring) enter(i int, state KeyState, d *draft) {
	r[i].State, r[i].Since, r[i].Index = state, d.now, d.index
}

// DropKey ends a key. A retiring one has to have lived its time, unless it is
// revoked: then it ends at once, and so may a next one. The active key cannot
// end: another is to be activated first.
type DropKey struct {
	Ring   RingKind `json:"ring"`
	ID     uint16   `json:"id"`
	Revoke bool     `json:"revoke,omitempty"`
}

func (c *DropKey) apply(d *draft) *refusal {
	if c.Ring >= ringCount {
		return refuse(Invalid, "no key ring %d", c.Ring)
	}
	ring := d.rings[c.Ring]
	i := ring.find(c.ID)
	switch {
	case i < 0:
		return refuse(Missing, "the ring has no key %d", c.ID)
	case ring[i].State == KeyActive:
		return refuse(Conflict, "key %d is active", c.ID)
	case !c.Revoke && (ring[i].State != KeyRetiring || d.now-ring[i].Since < c.Ring.Rotation().Keep.Milliseconds()):
		return refuse(Conflict, "key %d is still of use", c.ID)
	}
	d.rings[c.Ring] = slices.Delete(slices.Clone(ring), i, i+1)
	return nil
}
