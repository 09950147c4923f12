package upstream

// NewsBatch is how many sessions other nodes are told at once: 32 KiB of them.
const NewsBatch = 1024

// maxNews bounds what waits to be told.
const maxNews = 64 * NewsBatch

// sessionNews is what other tables are to hear of one. It belongs to the table,
// under its lock.
type sessionNews struct {
	wake   func(waiting int) // nil: nobody is to hear
	list   []LearnedSession  // in the order of their last use
	untold uint64            // left out for want of room
}

// add notes the state of a session.
func (n *sessionNews) add(e *session) {
	switch {
	case n.wake == nil:
		return
	case len(n.list) == maxNews:
		n.untold++ // its next use is news again
		return
	}
	n.list = append(n.list, e.LearnedSession)
	e.told = e.Seen
	if len(n.list) == 1 || len(n.list) == NewsBatch {
		n.wake(len(n.list))
	}
}

// Share has the table note what other tables are to hear of it: sessions that
// are new, that go to another server, and of those that are only used again a
// word in half their timeout. wake is told when there is something to be fetched
// by News, and again when it is a NewsBatch; it must not wait nor call the table.
// nil: nobody is to hear.
func (s *Sessions) Share(wake func(waiting int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news.wake = wake; wake == nil {
		s.news.list = nil
	}
}

// News returns what other tables are to hear since it was called last. The
// table takes room, what the caller has no use for any more, in exchange.
func (s *Sessions) News(room []LearnedSession) []LearnedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.news.list
	s.news.list = room[:0]
	return list
}

// Get returns what the table knows of a session.
func (s *Sessions) Get(key SessionKey, now int64) (LearnedSession, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index[key]
	if i == 0 || s.past(i, now) {
		return LearnedSession{}, false
	}
	return s.order.at(i).LearnedSession, true
}

// Page is how far a table was read in pieces. The zero value is its begin.
type Page struct {
	at   int32
	last LearnedSession
}

// Next returns the next n sessions of a table at most, the newest first, and
// none at the end. Nobody waits for longer than that takes. What is used while
// the table is read may be missed: it is news.
func (s *Sessions) Next(p *Page, n int) []LearnedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []LearnedSession
	for i := s.order.resume(p); i != 0 && len(list) < n; i = s.order.at(i).next {
		p.at, p.last = i, s.order.at(i).LearnedSession
		list = append(list, p.last)
	}
	return list
}

// resume returns where a page goes on; 0: nowhere.
func (o *sessionOrder) resume(p *Page) int32 {
	switch {
	case p.at == 0:
		return o.newest()
	case o.at(p.at).LearnedSession == p.last:
		return o.at(p.at).next
	}
	i := o.newest() // the last one was used since, or has gone
	for i != 0 && o.at(i).Seen > p.last.Seen {
		i = o.at(i).next
	}
	return i
}
