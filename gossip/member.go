package gossip

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"
)

// Meta is what a node says of itself to all members. It changes seldom.
type Meta struct {
	Name string // of the node, for people: `node` of the cluster block
	Link string // address of the port for streams and calls
	Boot uint64 // how often the node has been started: the number of this run
	// Level is the newest generation of commands the program can read.
	Level      uint16
	Ready      bool // takes clients
	Draining   bool // finishes what runs
	Restarting bool // goes and means to be back at once
	Refused    bool // is shut out of agreement until an operator mends it
}

const (
	metaVersion = 1
	metaLimit   = 512                  // of memberlist
	metaText    = (metaLimit-12)/2 - 1 // of each text
)

// encode packs it into at most metaLimit bytes, whatever the texts are.
func (m Meta) encode() []byte {
	b := append(make([]byte, 0, 64), metaVersion)
	b = binary.BigEndian.AppendUint64(b, m.Boot)
	b = binary.BigEndian.AppendUint16(b, m.Level)
	var flags byte
	for i, on := range []bool{m.Ready, m.Draining, m.Restarting, m.Refused} {
		if on {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	b = appendText(b, m.Name[:min(len(m.Name), metaText)])
	return appendText(b, m.Link[:min(len(m.Link), metaText)])
}

// decodeMeta is the counterpart of encode. What a newer version has added at the end is passed over.
func decodeMeta(b []byte) (Meta, error) {
	r := reader{rest: b}
	if r.byte() < metaVersion {
		r.bad = true
	}
	m := Meta{Boot: r.uint64()}
	if part := r.take(2); part != nil {
		m.Level = binary.BigEndian.Uint16(part)
	}
	flags := r.byte()
	m.Ready, m.Draining, m.Restarting, m.Refused = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&8 != 0
	m.Name, m.Link = r.text(), r.text()
	if r.bad || max(len(m.Name), len(m.Link)) > metaText {
		return Meta{}, errMalformed
	}
	return m, nil
}

// Member is a node as this one hears of it.
type Member struct {
	Meta
	ID      string    // 32 hexadecimal digits
	Addr    string    // of its gossip
	Alive   bool      // as far as the failure detector knows
	Since   time.Time // of Alive, as seen from here
	Applied uint64    // the last index of the log of agreements it has told of
	Load    uint16    // what it said of its load, as of the last ping
}

// roll is what is known of all members: those alive, and for a while those that were.
type roll struct {
	mu      sync.Mutex
	self    nodeID
	members map[nodeID]*Member
	living  []nodeID // see others
}

// rememberDead bounds how many members are kept that are no longer alive; the longest dead are forgotten first.
const rememberDead = 256

// put notes a member that is alive, or tells something new of itself. It returns the run before, if that was another.
func (r *roll) put(id nodeID, addr string, m Meta) (earlier uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.members[id]
	if known == nil {
		known = &Member{ID: id.String()}
		r.members[id] = known
	}
	if known.Boot != m.Boot {
		earlier = known.Boot
		known.Applied, known.Load = 0, 0
	}
	if !known.Alive {
		known.Alive, known.Since = true, time.Now()
		r.count()
	}
	known.Addr, known.Meta = addr, m
	return earlier
}

// gone notes that a member is no longer alive.
func (r *roll) gone(id nodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[id]
	if m == nil || !m.Alive {
		return
	}
	m.Alive, m.Since = false, time.Now()
	r.count()
	for len(r.members) > rememberDead {
		var oldest nodeID
		for id, m := range r.members {
			if !m.Alive && (r.members[oldest] == nil || m.Since.Before(r.members[oldest].Since)) {
				oldest = id
			}
		}
		if r.members[oldest] == nil {
			return
		}
		delete(r.members, oldest)
	}
}

// change lets f alter what is known of a member, if it is known.
func (r *roll) change(id nodeID, f func(*Member)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[id]; m != nil {
		f(m)
	}
}

// find returns a copy of what is known of a member.
func (r *roll) find(id nodeID) (Member, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.members[id]; m != nil {
		return *m, true
	}
	return Member{}, false
}

// alive reports whether a member is. This node always is.
func (r *roll) alive(id nodeID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[id]
	return id == r.self || m != nil && m.Alive
}

// runs lists the members that are alive, this node among them, with the runs in which they are.
func (r *roll) runs() map[nodeID]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	runs := make(map[nodeID]uint64, len(r.members))
	for id, m := range r.members {
		if m.Alive {
			runs[id] = m.Boot
		}
	}
	return runs
}

// others lists the members that are alive, without this node, sorted by id. It is not to be changed.
func (r *roll) others() []nodeID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.living
}

// count sets what others returns, after a change.
func (r *roll) count() {
	list := make([]nodeID, 0, len(r.members))
	for id, m := range r.members {
		if m.Alive && id != r.self {
			list = append(list, id)
		}
	}
	slices.SortFunc(list, func(a, b nodeID) int { return slices.Compare(a[:], b[:]) })
	r.living = list
}

// all copies the whole list, sorted by id.
func (r *roll) all() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Member, 0, len(r.members))
	for _, m := range r.members {
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return list
}
