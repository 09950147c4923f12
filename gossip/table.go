package gossip

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// mark tells how far a ledger goes: everything that the writer said in a run, up to a number.
type mark struct{ boot, seq uint64 }

// before reports whether a ledger that goes to m lacks something of one that goes to o.
func (m mark) before(o mark) bool {
	return m.boot < o.boot || m.boot == o.boot && m.seq < o.seq
}

// ledger holds the newest records of one writer's latest run.
//
// The merge keeps, for each slot, the record with the largest number; a later run replaces all of an earlier one. So it
// is idempotent, commutative and associative, and no clock has a say: repeated, late and reordered messages do no harm.
type ledger struct {
	boot    uint64
	began   time.Time
	whole   uint64 // everything up to this number is here, or has been replaced by something that is
	ahead   map[uint64]bool
	entries map[slot]*held
	pruned  uint64 // the largest number of an entry that was dropped because it said nothing
}

// held is an entry with the time at which it came, by which old news is told from a replay.
type held struct {
	entry
	came time.Time
}

// The bounds of a ledger. A node that reports on 10,000 servers stays far below.
const (
	aheadLimit   = 1024
	entriesLimit = 1 << 16
	emptyFor     = 10 * time.Minute // how long an entry is kept that says nothing any more
)

// table holds the ledgers of all writers, this node's among them. It may be used by many goroutines.
type table struct {
	mu      sync.Mutex
	self    nodeID
	ledgers map[nodeID]*ledger
}

func newTable(self nodeID, boot uint64) *table {
	return &table{self: self, ledgers: map[nodeID]*ledger{self: newLedger(boot)}}
}

func newLedger(boot uint64) *ledger {
	return &ledger{boot: boot, began: time.Now(), ahead: map[uint64]bool{}, entries: map[slot]*held{}}
}

// outcome counts what became of a batch.
type outcome struct {
	fresh   batch // what was new, in the order of the numbers
	earlier bool  // it is of a run before the one known
	old     int   // entries that were known, or replaced by known ones
	replay  int   // of these, such as came when no honest node tells them any more
	full    int   // entries for which the ledger has no room
}

// ofEarlier notes that something is of a run before the one of a ledger. Shortly after that has begun there is still
// some about.
func (o *outcome) ofEarlier(l *ledger) {
	o.earlier = true
	if time.Since(l.began) > replayAfter {
		o.replay++
	}
}

// say notes a word of this node and gives it its number. Saying again what already stands changes nothing.
func (t *table) say(e entry) (b batch, news, full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.ledgers[t.self]
	if known := l.entries[e.slot]; known != nil && slices.Equal(known.value, e.value) || known == nil && len(e.value) == 0 {
		return batch{}, false, false
	}
	e.seq = l.whole + 1
	if !l.put(e, time.Now()) {
		return batch{}, false, true
	}
	return batch{t.self, l.boot, []entry{e}}, true, false
}

// said is the number of the last word of this node.
func (t *table) said() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ledgers[t.self].whole
}

// merge takes in what someone said. Words of this node itself are not for others to say.
func (t *table) merge(b batch) (out outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out.fresh = batch{writer: b.writer, boot: b.boot}
	l := t.ledgerFor(b.writer, b.boot)
	if l == nil {
		out.ofEarlier(t.ledgers[b.writer])
		return out
	}
	l.merge(b.entries, &out)
	return out
}

// ledgerFor finds the ledger of a run, or begins it. It returns nothing where a later run is known, or the run is of
// this node.
func (t *table) ledgerFor(writer nodeID, boot uint64) *ledger {
	l := t.ledgers[writer]
	if writer == t.self || l != nil && boot < l.boot {
		return nil
	}
	if l == nil || boot > l.boot {
		l = newLedger(boot)
		t.ledgers[writer] = l
	}
	return l
}

func (l *ledger) merge(entries []entry, out *outcome) {
	now := time.Now()
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range entries {
		if known := l.entries[e.slot]; known != nil && known.seq >= e.seq {
			out.old++
			if now.Sub(known.came) > replayAfter {
				out.replay++
			}
			l.note(e.seq)
			continue
		}
		if e.seq <= l.pruned && l.entries[e.slot] == nil { // it said nothing for so long that it was dropped
			out.old++
			continue
		}
		if l.put(e, now) {
			out.fresh.entries = append(out.fresh.entries, e)
		} else {
			out.full++
		}
	}
}

// replayAfter is how long after a record came no honest node still tells it in packets.
const replayAfter = time.Minute

// put writes an entry, if there is room.
func (l *ledger) put(e entry, now time.Time) bool {
	if l.entries[e.slot] == nil && len(l.entries) >= entriesLimit {
		return false
	}
	l.entries[e.slot] = &held{e, now}
	l.note(e.seq)
	return true
}

// note counts a number as known.
func (l *ledger) note(seq uint64) {
	switch {
	case seq <= l.whole:
	case seq == l.whole+1:
		l.whole = seq
		l.catchUp()
	case len(l.ahead) < aheadLimit:
		l.ahead[seq] = true
	}
}

func (l *ledger) catchUp() {
	for l.ahead[l.whole+1] {
		delete(l.ahead, l.whole+1)
		l.whole++
	}
	if len(l.ahead) > aheadLimit/2 {
		for seq := range l.ahead {
			if seq <= l.whole {
				delete(l.ahead, seq)
			}
		}
	}
}

// delta is what a writer said after one number up to another and nothing newer has replaced. A full one also stands for
// what it does not list: of that, nothing is said any more.
type delta struct {
	batch
	from, to uint64
	full     bool
}

// apply takes in a delta.
func (t *table) apply(d delta) (out outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out.fresh = batch{writer: d.writer, boot: d.boot}
	l := t.ledgerFor(d.writer, d.boot)
	if l == nil {
		out.ofEarlier(t.ledgers[d.writer])
		return out
	}
	if d.full {
		d.entries = append(d.entries, l.unlisted(d)...)
	}
	l.merge(d.entries, &out)
	if l.whole >= d.from && l.whole < d.to && out.full == 0 {
		l.whole = d.to
		l.catchUp()
	}
	return out
}

// unlisted makes empty entries of all that a full delta leaves out.
func (l *ledger) unlisted(d delta) (gone []entry) {
	listed := make(map[slot]bool, len(d.entries))
	for _, e := range d.entries {
		listed[e.slot] = true
	}
	for s, h := range l.entries {
		if h.seq > d.from && h.seq < d.to && !listed[s] && len(h.value) > 0 {
			gone = append(gone, entry{slot: s, seq: d.to})
		}
	}
	return gone
}

// since lists what a ledger has after a mark, or nothing where there is nothing more.
func (t *table) since(writer nodeID, m mark) (d delta, some bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.ledgers[writer]
	if l == nil || !m.before(mark{l.boot, l.whole}) {
		return delta{}, false
	}
	d = delta{batch: batch{writer: writer, boot: l.boot}, from: m.seq, to: l.whole}
	if m.boot != l.boot || m.seq < l.pruned {
		d.from, d.full = 0, true
	}
	for _, h := range l.entries {
		if h.seq > d.from && h.seq <= d.to {
			d.entries = append(d.entries, h.entry)
		}
	}
	slices.SortFunc(d.entries, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	return d, true
}

// vector tells how far the ledgers go of writers, given with the run in which each is known to be. Of one that has said
// nothing the mark is that of an empty ledger.
func (t *table) vector(writers map[nodeID]uint64) map[nodeID]mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := make(map[nodeID]mark, len(writers))
	for id, boot := range writers {
		v[id] = mark{boot: boot}
		if l := t.ledgers[id]; l != nil && l.boot >= boot {
			v[id] = mark{l.boot, l.whole}
		}
	}
	return v
}

// forget drops the ledger of a writer, unless it is of the run that is to be kept.
func (t *table) forget(writer nodeID, except uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.ledgers[writer]; l != nil && writer != t.self && l.boot != except {
		delete(t.ledgers, writer)
	}
}

// sweep drops entries that have said nothing for long.
func (t *table) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.ledgers {
		for s, h := range l.entries {
			if len(h.value) == 0 && now.Sub(h.came) > emptyFor && h.seq <= l.whole {
				l.pruned = max(l.pruned, h.seq)
				delete(l.entries, s)
			}
		}
	}
}
