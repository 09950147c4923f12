package gossip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// fanout is to how many members of a large cluster a new record is sent at once. Each of them passes it on likewise.
// Up to meshLimit nodes the writer tells everyone.
const fanout = 4

// Publish tells all other nodes what this one saw of a peer. Node, Boot and Seq are filled in. It does not wait.
func (g *Gossip) Publish(r Report) { g.say(r.entry()) }

// Put tells all other nodes something of a kind from KindOwn on, which stands until it is replaced: no value takes it
// back. It does not wait. A value longer than ValueLimit is a mistake of the caller and refused.
func (g *Gossip) Put(kind uint8, key uint64, value []byte) error {
	if kind < KindOwn || len(value) > ValueLimit {
		return fmt.Errorf("gossip: kind %d with %d bytes cannot be told", kind, len(value))
	}
	g.say(entry{slot: slot{kind, key}, value: value})
	return nil
}

func (g *Gossip) say(e entry) {
	b, news, full := g.table.say(e)
	if full {
		g.count(batch{writer: g.self}, outcome{full: 1})
	}
	if !news || len(g.roll.others()) == 0 { // a node that joins asks for all
		return
	}
	now := time.Now()
	byPacket := g.rumors.add(b, now, true)
	if byPacket {
		signal(g.hot)
	}
	if !byPacket || now.UnixNano()-g.pinged.Load() > int64(deaf) {
		signal(g.bulk)
	}
}

// receive takes in packets, until Close.
func (g *Gossip) receive() {
	for {
		select {
		case packet := <-g.inbox:
			g.packet(packet)
		case <-g.ctx.Done():
			return
		}
	}
}

// packet takes in one.
func (g *Gossip) packet(packet []byte) {
	b, err := decodeBatch(packet)
	if err != nil {
		g.journal.refuse(&g.counts.malformed, "a member", "a malformed packet")
		return
	}
	g.counts.packets.Add(1)
	if b.writer == g.self || !g.roll.alive(b.writer) {
		g.notOurs(b)
		return
	}
	out := g.table.merge(b)
	g.count(b, out)
	if out.replay > 0 {
		g.counts.replayed.Add(uint64(out.replay))
		g.journal.tell("warn", "replay"+b.writer.String(), fmt.Sprintf(
			"gossip: old packets of node %s come again, of its run %d; they change nothing", b.writer, b.boot))
	}
	g.take(out.fresh)
	g.passOn(out.fresh)
}

// passOn lets others hear what this node heard in a packet: in a large cluster at once, in a small one, where the writer
// has told everyone, on packets that go out anyway.
func (g *Gossip) passOn(b batch) {
	large := len(g.roll.others()) >= meshLimit
	switch {
	case len(b.entries) == 0:
	case !g.rumors.add(b, time.Now(), large):
		if large {
			signal(g.bulk)
		}
	case large:
		signal(g.hot)
	}
}

// notOurs tells of records whose writer is no member, or this node itself, whose words others pass on: one that it has
// not said is forged, or two nodes have one data folder.
func (g *Gossip) notOurs(b batch) {
	if b.writer == g.self {
		said := mark{g.o.Meta.Boot, g.table.said()}
		if !slices.ContainsFunc(b.entries, func(e entry) bool { return said.before(mark{b.boot, e.seq}) }) {
			return
		}
		g.journal.tell("error", "twin", fmt.Sprintf(
			"gossip: someone else speaks as this node, in run %d, while this is run %d: is there a copy of the data folder?", b.boot, g.o.Meta.Boot))
	}
	g.counts.unknown.Add(1)
}

// count notes what the ledger had no room for.
func (g *Gossip) count(b batch, out outcome) {
	if out.full > 0 {
		g.counts.full.Add(uint64(out.full))
		g.journal.tell("warn", "full"+b.writer.String(), fmt.Sprintf("gossip: node %s says more than can be kept; the rest is left out", b.writer))
	}
}

// take makes use of new records.
func (g *Gossip) take(b batch) {
	for _, e := range b.entries {
		if e.kind != kindApplied {
			continue
		}
		r := reader{rest: e.value}
		if applied := r.uvarint(); !r.bad {
			g.roll.change(b.writer, func(m *Member) { m.Applied = max(m.Applied, applied) })
			g.out.members()
		}
	}
	g.out.news(b)
}

// spread sends new rumors at once, until Close.
func (g *Gossip) spread() {
	for {
		select {
		case <-g.hot:
		case <-g.ctx.Done():
			return
		}
		messages := packets(joined(g.rumors.takeHot()))
		for _, id := range g.targets() {
			m, known := g.roll.find(id)
			if !known {
				continue
			}
			for _, message := range messages {
				// An error is like a lost packet: others bring the news.
				_ = g.list.SendToAddress(memberlist.Address{Addr: m.Addr, Name: m.ID}, message)
			}
		}
	}
}

// targets are the members to send a new rumor to.
func (g *Gossip) targets() []nodeID {
	others := g.roll.others()
	if len(others) < meshLimit {
		return others
	}
	others = slices.Clone(others)
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return others[:fanout]
}
