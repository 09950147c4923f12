package upstream

import (
	"crypto/sha256"
	"sync"
	"time"
)

// SessionKey stands for a session of the application, whose id is not kept.
type SessionKey [16]byte

// SessionKeyOf returns the key of a session's id.
func SessionKeyOf(id []byte) SessionKey {
	sum := sha256.Sum256(id)
	return SessionKey(sum[:len(SessionKey{})])
}

// LearnedSession ties a session of the application to a server. It is what
// tables of different nodes tell each other.
type LearnedSession struct {
	Key    SessionKey
	Server ServerID // stable id of the server, never 0
	Seen   int64    // ns since 1970: the last use
}

// maxAhead is how far the clock of another node may be ahead, in nanoseconds.
const maxAhead = int64(5 * time.Second)

// sessionSize is what one session costs in a zone: its entry and its place in
// the index.
const sessionSize = 96

// Sessions is a table of learned sessions, bounded in time and in number: it
// forgets those that were not used for a while, and when it is full the one
// that was used longest ago. It may be used by many goroutines. Times are
// nanoseconds since 1970.
type Sessions struct {
	mu      sync.Mutex
	timeout int64
	limit   int
	index   map[SessionKey]int32
	order   sessionOrder
	evicted uint64 // sessions dropped for want of room
	news    sessionNews
}

// NewSessions returns an empty table that takes about size bytes at most and
// keeps sessions for timeout after their last use.
func NewSessions(size int64, timeout time.Duration) *Sessions {
	s := &Sessions{index: map[SessionKey]int32{}, order: newSessionOrder()}
	s.Configure(size, timeout)
	return s
}

// Configure changes the bounds; sessions beyond them go when another one needs
// their place.
func (s *Sessions) Configure(size int64, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = int(min(max(size/sessionSize, 1), 1<<30))
	s.timeout = int64(timeout)
}

// Find returns the stable id of the server that a session is tied to, 0 if
// there is none. It does not count as a use.
func (s *Sessions) Find(key SessionKey, now int64) ServerID {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index[key]
	if i == 0 || s.past(i, now) {
		return 0
	}
	return s.order.at(i).Server
}

// past reports whether the time of an entry is over.
func (s *Sessions) past(i int32, now int64) bool { return now-s.order.at(i).Seen > s.timeout }

// Tie notes the use of a session at a server. Without create it does so only
// for a session that the table has.
func (s *Sessions) Tie(key SessionKey, server ServerID, create bool, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index[key]
	if !create && (i == 0 || s.past(i, now)) {
		return
	}
	known := i != 0 && s.order.at(i).Server == server
	i = s.put(i, LearnedSession{Key: key, Server: server, Seen: s.notBefore(now)}, 0)
	if e := s.order.at(i); !known || e.told == 0 || e.Seen-e.told > s.timeout/2 {
		s.news.add(e)
	}
}

// notBefore returns now, or the last use of any session if that is later: after
// a clock that was set back what is used now still comes first, where it is
// found at once.
func (s *Sessions) notBefore(now int64) int64 {
	if newest := s.order.newest(); newest != 0 {
		return max(now, s.order.at(newest).Seen)
	}
	return now
}

// Merge takes over what another table knows, quickest in the order of Next.
// Of two words about one session the newer counts, of equally old ones the one
// with the larger server, so that tables that hear the same in any order agree.
// A word from the future is one of a clock that is ahead, and counts as little
// ahead as clocks may be. One that names no server says nothing.
func (s *Sessions) Merge(list []LearnedSession, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	near := int32(0)
	for _, l := range list {
		l.Seen = min(l.Seen, now+maxAhead)
		i := s.index[l.Key]
		if l.Server == 0 || now-l.Seen > s.timeout || i == 0 && s.tooOld(l.Seen) {
			continue
		}
		if i != 0 {
			if mine := s.order.at(i); mine.Seen > l.Seen || mine.Seen == l.Seen && mine.Server >= l.Server {
				continue
			}
		}
		near = s.put(i, l, near)
		s.order.at(near).told = l.Seen
	}
}

// tooOld reports whether every session of a full table was used later.
func (s *Sessions) tooOld(seen int64) bool {
	oldest := s.order.oldest()
	return len(s.index) >= s.limit && oldest != 0 && seen <= s.order.at(oldest).Seen
}

// SessionsStatus is a table at one moment.
type SessionsStatus struct {
	Used, Limit int    // sessions
	Evicted     uint64 // sessions dropped for want of room
	Untold      uint64 // changes that other nodes do not hear of, for want of room for news
}

// Status returns what the table looks like.
func (s *Sessions) Status() SessionsStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SessionsStatus{Used: len(s.index), Limit: s.limit, Evicted: s.evicted, Untold: s.news.untold}
}

// Expire drops what is past its time. It is to be called every now and then;
// the sessions are past their time without it, too.
func (s *Sessions) Expire(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.order.oldest(); i != 0 && s.past(i, now); i = s.order.oldest() {
		s.drop(i)
	}
}

// put writes an entry, at i if the table has the session already, and returns
// where it is. near is an entry at least as new to look for its place from; 0:
// none.
func (s *Sessions) put(i int32, l LearnedSession, near int32) int32 {
	if i == near {
		near = 0
	}
	if i != 0 {
		s.order.unlink(i)
	} else {
		for len(s.index) >= s.limit {
			oldest := s.order.oldest()
			if oldest == near {
				near = 0
			}
			s.drop(oldest)
			s.evicted++
		}
		i = s.order.place()
		s.index[l.Key] = i
	}
	s.order.at(i).LearnedSession = l
	s.order.link(i, near)
	return i
}

func (s *Sessions) drop(i int32) {
	delete(s.index, s.order.at(i).Key)
	s.order.remove(i)
}
