package gossip

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"time"
)

const (
	gather    = 30 * time.Millisecond  // changes are gathered for so long before neighbours are told by stream
	grace     = 100 * time.Millisecond // a digest that differs may be ahead of packets on their way
	askAgain  = 500 * time.Millisecond // what one member was asked for, others are not asked for meanwhile
	meetAgain = time.Second
	housework = 500 * time.Millisecond
	deaf      = 4 * time.Second // without a digest, packets are taken to be lost
	doubt     = 2 * time.Second // without agreement, a comparison by stream is made even if no digest comes
)

// asked is what a member has been asked for.
type asked struct {
	mark
	until time.Time
}

// vector tells who is alive and how far their ledgers go.
func (g *Gossip) vector() map[nodeID]mark { return g.table.vector(g.roll.runs()) }

// digest is what this node says of itself.
func (g *Gossip) digest() digest {
	return digest{boot: g.o.Meta.Boot, hash: hashOf(g.vector()), applied: g.applied.Load(), load: uint16(g.load.Load())}
}

// heard compares with the digest of a member, and asks it where they differ.
func (g *Gossip) heard(id nodeID, d digest) {
	g.pinged.Store(time.Now().UnixNano())
	g.roll.change(id, func(m *Member) {
		if m.Boot == d.boot {
			m.Load, m.Applied = d.load, max(m.Applied, d.applied)
		}
	})
	if hashOf(g.vector()) == d.hash {
		g.agree()
		return
	}
	time.AfterFunc(grace, func() {
		switch {
		case g.ctx.Err() != nil:
		case hashOf(g.vector()) == d.hash:
			g.agree()
		default:
			g.compare(id)
		}
	})
}

// compare asks a member by stream for what this node lacks, and gives what the other does.
func (g *Gossip) compare(id nodeID) {
	if g.o.Stream == nil || !g.roll.alive(id) {
		return
	}
	g.counts.pulls.Add(1)
	g.courier(id).compare()
}

// push tells neighbours of changes that are too many for packets, until Close.
func (g *Gossip) push() {
	for {
		select {
		case <-g.bulk:
		case <-g.ctx.Done():
			return
		}
		select {
		case <-time.After(gather):
		case <-g.ctx.Done():
			return
		}
		if g.o.Stream == nil {
			continue
		}
		others := g.roll.others()
		vector := g.vector()
		if len(others) < meshLimit { // everyone tells everyone of its own
			vector = map[nodeID]mark{g.self: vector[g.self]}
		}
		for _, id := range neighbours(g.self, others) {
			g.courier(id).tell(vector)
		}
	}
}

// keep does what has to be done now and then, until Close.
func (g *Gossip) keep() {
	ticker := time.NewTicker(housework)
	defer ticker.Stop()
	var applied uint64
	for {
		select {
		case <-ticker.C:
		case <-g.ctx.Done():
			return
		}
		if now := g.applied.Load(); now != applied {
			applied = now
			g.say(entry{slot: slot{kind: kindApplied}, value: binary.AppendUvarint(nil, applied)})
		}
		now := time.Now()
		g.table.sweep(now)
		g.dismiss(now)
		g.inboxes.keep(func(id nodeID) bool { _, known := g.roll.find(id); return known })
		if others := g.roll.others(); len(others) > 0 && now.UnixNano()-g.agreed.Load() > int64(doubt) {
			g.compare(others[rand.IntN(len(others))])
		}
	}
}

// vectorCame answers a vector: deltas of what the other lacks, and a want of what this node does.
func (g *Gossip) vectorCame(t *talk, complete bool, theirs map[nodeID]mark) {
	ours := g.vector()
	wants, gives := map[nodeID]mark{}, map[nodeID]mark{}
	behind, differ := false, false
	for id, m := range theirs {
		o, alive := ours[id]
		switch {
		case !alive:
			differ = true
		case id != g.self && o.before(m):
			behind = true
			if g.mayAsk(id, m) {
				wants[id] = o
			}
		case m.before(o):
			gives[id] = m
		}
	}
	if complete {
		for id := range ours {
			if _, listed := theirs[id]; !listed {
				differ = true
			}
		}
		switch {
		case differ:
			g.meet(t.other.id)
		case !behind:
			g.agree()
		}
	}
	t.give(gives)
	if complete || len(wants) > 0 {
		t.send(vectorFrame(frameWant, complete, wants))
	}
}

// meet compares the lists of members with one that sees others alive than this node does. memberlist by itself would
// take half a minute or more to make up for lost packets.
func (g *Gossip) meet(id nodeID) {
	m, known := g.roll.find(id)
	if !known || time.Now().UnixNano()-g.met.Load() < int64(meetAgain) {
		return
	}
	g.met.Store(time.Now().UnixNano())
	go func() { // Close does not wait for it: it takes up to TCPTimeout where nobody answers
		// An error is told by memberlist's log, and the next digest that differs leads here again.
		_, _ = g.list.Join([]string{m.Addr})
	}()
}

// mayAsk reports whether to ask for a ledger up to a mark, because nobody else has been asked just now.
func (g *Gossip) mayAsk(id nodeID, m mark) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if a := g.asked[id]; !a.before(m) && now.Before(a.until) {
		return false
	}
	maps.DeleteFunc(g.asked, func(_ nodeID, a asked) bool { return now.After(a.until) })
	g.asked[id] = asked{m, now.Add(askAgain)}
	return true
}

// wantCame answers a want. The last one of a comparison lists what the other still lacks, which is nothing where both
// agreed.
func (g *Gossip) wantCame(t *talk, complete bool, wants map[nodeID]mark) {
	t.give(wants)
	if complete && len(wants) == 0 {
		g.agree()
	}
}

// deltaCame takes in a delta.
func (g *Gossip) deltaCame(d delta) {
	g.counts.deltas.Add(1)
	if d.writer == g.self || !g.roll.alive(d.writer) {
		g.notOurs(d.batch)
		return
	}
	out := g.table.apply(d)
	g.count(d.batch, out)
	g.take(out.fresh)
	if len(out.fresh.entries) > 0 && len(g.roll.others()) >= meshLimit {
		signal(g.bulk)
	}
}
