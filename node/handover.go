package node

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/upstream"
)

const (
	// handoverPause is the time a piece of a table of sessions takes to be told
	// to one node: 32 KiB in it are 10 MB a second.
	handoverPause = 3300 * time.Microsecond
	// fullPause is how long a queue without room is left alone, fullTries how
	// often.
	fullPause = 100 * time.Millisecond
	fullTries = 50
)

// presence is the nodes that are alive, by id.
type presence struct {
	mu    sync.Mutex
	now   map[string]life
	knock chan struct{}
}

// life tells whether a node that is alive is the one of before: if it was started
// anew it knows nothing any more, and if it was taken for dead it has not been
// told everything, however short that was.
type life struct {
	run   uint64
	since time.Time // when it was seen first, or again
}

// newPresence knows nobody yet.
func newPresence() *presence { return &presence{knock: make(chan struct{}, 1)} }

// set notes who is alive.
func (c *presence) set(members []gossip.Member) {
	now := map[string]life{}
	for i := range members {
		if m := &members[i]; m.Alive {
			now[m.ID] = life{m.Boot, m.Since}
		}
	}
	c.mu.Lock()
	changed := !maps.Equal(c.now, now)
	c.now = now
	c.mu.Unlock()
	if changed {
		select {
		case c.knock <- struct{}{}:
		default:
		}
	}
}

func (c *presence) get() map[string]life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// attend tells nodes that come what they have to know of learned sessions, until
// ctx ends.
func (s *sharing) attend(ctx context.Context) {
	before := map[string]life{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.presence.knock:
		}
		after := s.presence.get()
		s.handOver(ctx, newMemberChange(s.self, before, after))
		before = after
	}
}

// memberChange is a change of the nodes that are alive.
type memberChange struct {
	self          string
	before, after []string        // ids, this node's among them
	fresh         map[string]bool // of after, who may know nothing
}

func newMemberChange(self string, before, after map[string]life) memberChange {
	m := memberChange{self: self, fresh: map[string]bool{}}
	m.before, m.after = withSelf(self, before), withSelf(self, after)
	for id, now := range after {
		if was, known := before[id]; id != self && (!known || was != now) {
			m.fresh[id] = true
		}
	}
	return m
}

func withSelf(self string, nodes map[string]life) []string {
	ids := slices.Sorted(maps.Keys(nodes))
	if _, in := nodes[self]; !in {
		ids = append(ids, self)
	}
	return ids
}

// idle reports whether no session has to be told by the move.
func (m *memberChange) idle() bool {
	return len(m.fresh) == 0 && len(m.before) <= everyNode && len(m.after) <= everyNode
}

// newOwners are the nodes that this one has to tell of a session: those that own it
// now and did not before. Of the owners that stay only the first tells them; where
// none does, whoever knows the session.
func (m *memberChange) newOwners(key upstream.SessionKey) (list []string) {
	var stay []string
	was := owners(key, m.before)
	for _, id := range owners(key, m.after) {
		if slices.Contains(was, id) && !m.fresh[id] {
			stay = append(stay, id)
		} else {
			list = append(list, id)
		}
	}
	if len(stay) > 0 && teller(key, stay) != m.self {
		return nil
	}
	return slices.DeleteFunc(list, func(id string) bool { return id == m.self })
}

// teller chooses one of the nodes that know a session, so that they share the
// work.
func teller(key upstream.SessionKey, nodes []string) string {
	sorted := slices.Sorted(slices.Values(nodes))
	return sorted[int(key[len(key)-1])%len(sorted)]
}

// handOver tells new owners the sessions that this node is to tell them.
func (s *sharing) handOver(ctx context.Context, m memberChange) {
	if m.idle() {
		return
	}
	s.tables.SharedSessions(func(zone string, list []upstream.LearnedSession) (more bool) {
		shares := map[string][]upstream.LearnedSession{}
		for _, l := range list {
			for _, id := range m.newOwners(l.Key) {
				shares[id] = append(shares[id], l)
			}
		}
		for id, share := range shares {
			for try := 0; s.send([]string{id}, zone, travelling(share)) != nil && try < fullTries; try++ {
				if !pause(ctx, fullPause) {
					return false
				}
			}
			if !pause(ctx, handoverPause) {
				return false
			}
		}
		return ctx.Err() == nil
	})
}

// pause reports false where ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
