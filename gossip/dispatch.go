package gossip

import (
	"sync"
	"time"
)

// dispatcher gathers what the callbacks of Options are to be told. Of several changes of one thing only the last is
// kept, so what waits is bounded by the tables, however slow a callback is.
type dispatcher struct {
	mu       sync.Mutex
	wake     chan struct{}
	rolls    bool
	fresh    bool
	records  map[place]Record
	sessions []sessionBatch
	waiting  int // sessions
}

// place is where a record stands.
type place struct {
	node string
	slot
}

type sessionBatch struct {
	zone string
	list []Session
}

const sessionsWaiting = 1 << 17 // for a callback; more make their sender wait

func newDispatcher() *dispatcher {
	return &dispatcher{wake: make(chan struct{}, 1)}
}

// change alters what waits, and wakes the one who delivers it.
func (d *dispatcher) change(f func()) {
	d.mu.Lock()
	f()
	d.mu.Unlock()
	signal(d.wake)
}

// signal leaves word in a channel for one, if none is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// members has the list of members told.
func (d *dispatcher) members() { d.change(func() { d.rolls = true }) }

// agreed has the members that are alive told to be fresh.
func (d *dispatcher) agreed() { d.change(func() { d.fresh = true }) }

// news has new records told.
func (d *dispatcher) news(b batch) {
	if len(b.entries) == 0 {
		return
	}
	list := b.records()
	d.change(func() {
		if d.records == nil {
			d.records = make(map[place]Record, len(list))
		}
		for _, r := range list {
			d.records[place{r.Node, slot{r.Kind, r.Key}}] = r
		}
	})
}

// learned has sessions told. It reports false where too many wait.
func (d *dispatcher) learned(zone string, list []Session) (room bool) {
	d.change(func() {
		if room = d.waiting < sessionsWaiting; room {
			d.sessions, d.waiting = append(d.sessions, sessionBatch{zone, list}), d.waiting+len(list)
		}
	})
	return room
}

// deliver calls the callbacks, until Close.
func (g *Gossip) deliver() {
	d := g.out
	for {
		select {
		case <-d.wake:
		case <-g.ctx.Done():
			return
		}
		d.mu.Lock()
		rolls, fresh, records, sessions := d.rolls, d.fresh, d.records, d.sessions
		d.rolls, d.fresh, d.records, d.sessions, d.waiting = false, false, nil, nil, 0
		d.mu.Unlock()
		if rolls && g.o.OnMembers != nil {
			g.o.OnMembers(g.roll.all())
		}
		g.tellRecords(records)
		if fresh && g.o.OnFresh != nil {
			g.o.OnFresh(g.aliveIDs())
		}
		for _, s := range sessions {
			if g.o.OnSessions != nil {
				g.o.OnSessions(s.zone, s.list)
			}
		}
	}
}

// tellRecords sorts records by who wants to know them.
func (g *Gossip) tellRecords(records map[place]Record) {
	var reports []Report
	var own []Record
	for at, r := range records {
		switch {
		case at.kind == kindReport:
			if report, err := r.report(); err == nil {
				reports = append(reports, report)
			} else {
				g.journal.refuse(&g.counts.malformed, r.Node, "a malformed report")
			}
		case at.kind >= KindOwn:
			own = append(own, r)
		}
	}
	if len(reports) > 0 && g.o.OnReports != nil {
		g.o.OnReports(reports)
	}
	if len(own) > 0 && g.o.OnRecords != nil {
		g.o.OnRecords(own)
	}
}

func (g *Gossip) aliveIDs() []string {
	var ids []string
	for _, id := range g.roll.others() {
		ids = append(ids, id.String())
	}
	return ids
}

// agree notes that all that is known elsewhere is known here.
func (g *Gossip) agree() {
	g.agreed.Store(time.Now().UnixNano())
	g.out.agreed()
}
