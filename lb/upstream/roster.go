package upstream

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Roster is one upstream over all generations and changes of membership: what
// each writer has said about its servers, and the Pool made of that. Every
// change builds a whole new Pool and swaps it by one pointer, so a request that
// is choosing meanwhile sees the peers of before or those of after. Its methods
// may be called by many goroutines.
type Roster struct {
	name    string
	now     func() int64 // the clock of PickArgs.Now
	current atomic.Pointer[Pool]

	mu      sync.Mutex // of the writers; nobody who picks needs it
	said    statements
	edition uint64         // of said, but for orders and verdicts
	peers   map[PeerID]int // of the pool in use: how many have the name
	changed chan struct{}  // closed when the peers are others
	changes atomic.Uint64  // how often they were others
}

// statements are what the writers have said last, each in a field of its own.
type statements struct {
	file     Config              // the configuration
	answers  map[Question]Answer // the name servers
	edits    Edits               // the operator, or a program of his, and his orders
	verdicts map[PeerID]Verdict  // the health checks

	lineup *lineup // of file and edits; nil: it is to be made
}

// Judgement is what the health checks conclude about one peer.
type Judgement struct {
	Peer    PeerID
	Verdict Verdict
}

func newRoster(name string, now func() int64) *Roster {
	if now == nil {
		now = func() int64 { return 0 }
	}
	return &Roster{name: name, now: now, changed: make(chan struct{}), said: statements{
		answers: map[Question]Answer{}, verdicts: map[PeerID]Verdict{},
	}}
}

// Name returns the name of the upstream.
func (r *Roster) Name() string { return r.name }

// Current returns where the pool in use is found. It holds nil before the first
// Change of the upstream has been made.
func (r *Roster) Current() *atomic.Pointer[Pool] { return &r.current }

// Pool returns the pool in use.
func (r *Roster) Pool() *Pool { return r.current.Load() }

// Changed returns a channel that is closed when peers come or go the next time.
// Who asks for it before looking at the peers of Pool misses nothing.
func (r *Roster) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// PeersEdition is a number that grows whenever peers come or go.
func (r *Roster) PeersEdition() uint64 { return r.changes.Load() }

// SetAnswer replaces what the name servers say. An answer to what no server of
// the upstream asks is not kept. On an error nothing has changed.
func (r *Roster) SetAnswer(q Question, a Answer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.said.questions(), q) {
		return nil
	}
	before, known := r.said.answers[q]
	if known && before.equal(a) {
		return nil
	}
	r.said.answers[q] = a
	next, err := r.said.build(r.current.Load())
	if err != nil {
		if r.said.answers[q] = before; !known {
			delete(r.said.answers, q)
		}
		return err
	}
	r.swap(next)
	return nil
}

// setEdits replaces all that has been agreed on at run time.
func (r *Roster) setEdits(e Edits) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, lineup := r.said.edits, r.said.lineup
	r.said.edit(e)
	if before.sameServers(&e) {
		if !maps.Equal(before.Orders, e.Orders) {
			r.judge()
		}
		return nil
	}
	next, err := r.said.build(r.current.Load())
	if err != nil {
		r.said.edits, r.said.lineup = before, lineup
		return err
	}
	r.said.forget()
	r.swap(next)
	return nil
}

// Servers returns the servers as they are now: the lines of the configuration
// under the edits made at run time, before names are resolved and without orders.
// They are to be read only.
func (r *Roster) Servers() []Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.lines()
}

// Lines returns the Servers with what is ordered about whole lines. They are to
// be read only.
func (r *Roster) Lines() []Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said.edits.Orders) == 0 {
		return r.said.lines()
	}
	lines := slices.Clone(r.said.lines())
	for i := range lines {
		switch r.said.edits.Orders[lines[i].LineID(r.name)] {
		case OrderUp:
			lines[i].Down, lines[i].Drain = false, false
		case OrderDrain:
			lines[i].Down, lines[i].Drain = false, true
		case OrderDown:
			lines[i].Down = true
		}
	}
	return lines
}

// Questions returns what name servers are to be asked for the upstream, each
// question once.
func (r *Roster) Questions() []Question {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.questions()
}

// SetVerdicts tells what the health checks conclude about some peers. Those
// that are not in the upstream, or no longer, are left out. However many there
// are, they take effect together.
func (r *Roster) SetVerdicts(list ...Judgement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	for _, j := range list {
		if before, judged := r.said.verdicts[j.Peer]; r.peers[j.Peer] > 0 && (!judged || before != j.Verdict) {
			r.said.verdicts[j.Peer] = j.Verdict
			changed = true
		}
	}
	if changed {
		r.judge()
	}
}

// judge puts what is said about the peers in force; the lock is held.
func (r *Roster) judge() {
	if pool := r.current.Load(); pool != nil {
		next := pool.judged(r.said.opinion)
		r.current.Store(next)
		next.welcome(pool, r.now())
		next.wakeQueue()
	}
}

// build makes the pool of all that has been said, on the pool so far.
func (s *statements) build(old *Pool) (*Pool, error) {
	cfg := s.file
	cfg.Servers = s.servers()
	return newPool(cfg, old, s.opinion)
}

// swap puts a pool in use; the lock is held.
func (r *Roster) swap(next *Pool) {
	before := r.current.Swap(next)
	onto, came := next.base, next.came
	retired := next.TakeOver(before)
	next.welcome(before, r.now())
	next.wakeQueue()
	r.edition++
	if before != nil && before.hasSame(next) {
		return
	}
	if before != nil && onto == before {
		r.count(came, retired)
	} else {
		r.countAll(next)
	}
	r.changes.Add(1)
	close(r.changed)
	r.changed = make(chan struct{})
}

// count counts the peers that have come and gone, of which those of equal lines
// have one name. What was concluded about those that are gone is forgotten.
func (r *Roster) count(came []*resident, retired []*Peer) {
	for _, record := range came {
		r.peers[record.peerID(r.name)]++
	}
	for _, p := range retired {
		id := p.PeerID()
		if r.peers[id]--; r.peers[id] == 0 {
			delete(r.peers, id)
			delete(r.said.verdicts, id)
		}
	}
}

// countAll does so with those of a pool that was not built on the one before.
func (r *Roster) countAll(next *Pool) {
	r.peers = map[PeerID]int{}
	r.count(next.records(), nil)
	maps.DeleteFunc(r.said.verdicts, func(id PeerID, _ Verdict) bool { return r.peers[id] == 0 })
}

// hasSame reports whether p and q have the same peers, in the same order.
func (p *Pool) hasSame(q *Pool) bool {
	return slices.EqualFunc(p.groups(), q.groups(), func(g, h *group) bool { return slices.Equal(g.records, h.records) })
}

// questions are those of all lines, each once.
func (s *statements) questions() []Question {
	l := s.lined()
	if !l.asks {
		return nil
	}
	var list []Question
	for _, line := range l.lines {
		if q := line.Question; q != (Question{}) && !slices.Contains(list, q) {
			list = append(list, q)
		}
	}
	return list
}

// forget drops the answers to what is not asked any more.
func (s *statements) forget() {
	if len(s.answers) == 0 {
		return
	}
	asked := s.questions()
	maps.DeleteFunc(s.answers, func(q Question, _ Answer) bool { return !slices.Contains(asked, q) })
}

// servers puts together who is in: the lines in their order, those that name
// servers are asked about as they are answered. It has no side effects.
func (s *statements) servers() []Server {
	l := s.lined()
	lines := l.lines
	if !l.asks {
		return lines
	}
	out := make([]Server, 0, len(lines))
	for _, line := range lines {
		if line.Question == (Question{}) {
			out = append(out, line)
			continue
		}
		out = append(out, line.resolved(s.file.Name, s.answers[line.Question], s.file.Method.AllowsBackup())...)
	}
	return out
}

// opinion is what operator and checks say about a peer.
func (s *statements) opinion(p *Peer) (Order, Verdict) {
	if len(s.verdicts) == 0 && len(s.edits.Orders) == 0 {
		return OrderNone, s.file.Unjudged
	}
	verdict, judged := s.verdicts[p.PeerID()]
	if !judged {
		verdict = s.file.Unjudged
	}
	order, ordered := s.edits.Orders[p.ID]
	if !ordered {
		order = s.edits.Orders[p.Line]
	}
	return order, verdict
}
