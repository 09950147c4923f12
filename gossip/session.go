package gossip

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Session is a learned sticky session as it travels: never the id of the session itself, only a keyed hash of it.
type Session struct {
	Key    [16]byte
	Server uint64 // the stable id of the server
	Seen   int64  // ns since 1970: its last use. The newer one counts
}

const (
	postSessions   uint8 = 1
	sessionSize          = 16 + 8 + 8
	sessionsAtOnce       = (postLimit - 256) / sessionSize
	aheadAtMost          = 5 * time.Second // how far another node's clock may be before ours
)

// SendSessions sends sessions of a zone to members, given by their ids. They arrive in order and, as long as the member
// is not declared dead, surely, but not at once: a broken connection is made anew. Each member has a queue; the error
// names those whose queue has no room, which get none of these sessions, and it may be tried again then. Ids of nodes
// that are not members are passed over.
func (g *Gossip) SendSessions(to []string, zone string, list []Session) error {
	var posts []letter
	for rest := list; len(rest) > 0; {
		some := rest[:min(len(rest), sessionsAtOnce)]
		rest = rest[len(some):]
		posts = append(posts, letter{postSessions, encodeSessions(zone, some), len(some)})
	}
	var full []string
	for _, name := range to {
		id, err := parseID(name)
		if err != nil || id == g.self || !g.roll.alive(id) {
			continue
		}
		c := g.courier(id)
		if !c.outbox.put(posts) {
			g.counts.sessionDrop.Add(uint64(len(list)))
			full = append(full, name)
		}
		c.need()
	}
	if len(full) > 0 {
		return fmt.Errorf("gossip: no room to send sessions of zone %q to %v; may be tried again", zone, full)
	}
	return nil
}

func encodeSessions(zone string, list []Session) []byte {
	b := appendText(make([]byte, 0, 2+len(zone)+len(list)*sessionSize), zone)
	for _, s := range list {
		b = append(b, s.Key[:]...)
		b = binary.BigEndian.AppendUint64(b, s.Server)
		b = binary.BigEndian.AppendUint64(b, uint64(s.Seen))
	}
	return b
}

// decodeSessions is the counterpart of encodeSessions. Times that are too far in the future are set back, so that a
// wrong clock does not make a session unchangeable.
func decodeSessions(b []byte, now time.Time) (zone string, list []Session, err error) {
	r := reader{rest: b}
	zone = r.text()
	if r.bad || len(r.rest)%sessionSize != 0 {
		return "", nil, errMalformed
	}
	latest := now.Add(aheadAtMost).UnixNano()
	list = make([]Session, 0, len(r.rest)/sessionSize)
	for r.more() {
		var s Session
		copy(s.Key[:], r.take(len(s.Key)))
		s.Server, s.Seen = r.uint64(), min(int64(r.uint64()), latest)
		list = append(list, s)
	}
	return zone, list, r.done()
}
