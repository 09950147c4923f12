package lb

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/weir-lb/weir/lb/upstream"
)

const (
	// learnDelay is how long news of learned sessions wait for more, where there
	// are many. Those that come alone do not wait.
	learnDelay = 20 * time.Millisecond
	// maxAsks bounds how many requests wait for what other nodes know of their
	// sessions; the others are balanced as if nobody knew.
	maxAsks = 256
)

// learning tells other nodes what this one learns of sessions, and asks them
// about those that it does not know.
type learning struct {
	outlet Outlet
	some   chan struct{} // there are news
	many   chan struct{} // and a batch of them
	room   []upstream.LearnedSession

	asking              atomic.Int64 // requests that wait
	asked, found, spare atomic.Uint64
}

// LearningStatus is what this node knows of learned sessions that nodes share,
// and counts what was asked of others about them.
type LearningStatus struct {
	Shared  bool   // there are such
	Kept    int    // sessions, known now
	Room    int    // and how many there may be
	Evicted uint64 // dropped for want of room
	Untold  uint64 // changes that other nodes did not hear of, for want of room for news
	Asked   uint64 // sessions asked about
	Found   uint64 // of these, known elsewhere
	Unasked uint64 // not asked about, since too many were
}

func newLearning(o Outlet) *learning {
	return &learning{outlet: o, some: make(chan struct{}, 1), many: make(chan struct{}, 1)}
}

// Learning tells how learned sessions fare.
func (b *Balancer) Learning() LearningStatus {
	l := b.learning
	st := LearningStatus{Asked: l.asked.Load(), Found: l.found.Load(), Unasked: l.spare.Load()}
	if g := b.current.Load(); g != nil {
		for _, s := range g.sessions {
			if s.conf.Sync {
				table := s.table.Status()
				st.Shared = true
				st.Kept, st.Room, st.Evicted, st.Untold = st.Kept+table.Used, st.Room+table.Limit, st.Evicted+table.Evicted, st.Untold+table.Untold
			}
		}
	}
	return st
}

// wake is told of news by a table of sessions.
func (l *learning) wake(waiting int) {
	knock(l.some)
	if waiting >= upstream.NewsBatch {
		knock(l.many)
	}
}

func knock(door chan struct{}) {
	select {
	case door <- struct{}{}:
	default:
	}
}

// tellNews passes on what tables of sessions want other nodes to hear, until the
// balancer is closed.
func (b *Balancer) tellNews() {
	l := b.learning
	delay := time.NewTimer(0)
	defer delay.Stop()
	for last := (time.Time{}); ; last = time.Now() {
		select {
		case <-b.stop:
			return
		case <-l.some:
		}
		delay.Reset(learnDelay - time.Since(last))
		select {
		case <-b.stop:
			return
		case <-l.many:
		case <-delay.C:
		}
		if g := b.current.Load(); g != nil {
			l.tell(g)
		}
	}
}

// tell passes on the news of all tables.
func (l *learning) tell(g *generation) {
	for zone, s := range g.sessions {
		if !s.conf.Sync {
			continue
		}
		news := s.table.News(l.room)
		for rest := news; len(rest) > 0; {
			n := min(len(rest), upstream.NewsBatch)
			l.outlet.Learned(zone, rest[:n])
			rest = rest[n:]
		}
		l.room = news
	}
}

// asker returns what asks other nodes about sessions of a zone; nil where there
// are none to ask.
func (l *learning) asker(zone string) func(upstream.SessionKey) (upstream.LearnedSession, bool) {
	if l.outlet == nil {
		return nil
	}
	return func(key upstream.SessionKey) (told upstream.LearnedSession, ok bool) {
		defer l.asking.Add(-1)
		if l.asking.Add(1) > maxAsks {
			l.spare.Add(1)
			return told, false
		}
		ctx, end := context.WithTimeout(context.Background(), askTime)
		defer end()
		l.asked.Add(1)
		if told, ok = l.outlet.Ask(ctx, zone, key); ok {
			l.found.Add(1)
		}
		return told, ok
	}
}

// shared returns the table of a zone whose sessions the nodes tell each other,
// nil if there is none.
func (b *Balancer) shared(zone string) *upstream.Sessions {
	if g := b.current.Load(); g != nil {
		if s := g.sessions[zone]; s != nil && s.conf.Sync {
			return s.table
		}
	}
	return nil
}

// PutSessions tells the balancer what other nodes have learned. A zone that this
// node's configuration does not have, or does not share, is no mistake: the
// other's may be newer.
func (b *Balancer) PutSessions(zone string, list []upstream.LearnedSession) {
	if t := b.shared(zone); t != nil {
		t.Merge(list, time.Now().UnixNano())
	}
}

// FindSession answers what another node asks by Outlet.Ask.
func (b *Balancer) FindSession(zone string, key upstream.SessionKey) (upstream.LearnedSession, bool) {
	if t := b.shared(zone); t != nil {
		return t.Get(key, time.Now().UnixNano())
	}
	return upstream.LearnedSession{}, false
}

// SharedSessions calls f, in pieces that are quick to take over, with all
// sessions that a node which joins is to know, until f returns false.
func (b *Balancer) SharedSessions(f func(zone string, list []upstream.LearnedSession) bool) {
	g := b.current.Load()
	if g == nil {
		return
	}
	for zone, s := range g.sessions {
		var at upstream.Page
		for s.conf.Sync {
			list := s.table.Next(&at, upstream.NewsBatch)
			if len(list) == 0 {
				break
			}
			if !f(zone, list) {
				return
			}
		}
	}
}
