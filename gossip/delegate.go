package gossip

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls. It holds locks meanwhile, or its receive loop waits: nothing here blocks.
type delegate struct{ g *Gossip }

// NodeMeta is that of memberlist.Delegate.
func (d delegate) NodeMeta(int) []byte { return d.g.meta.Load().encode() }

// NotifyMsg is that of memberlist.Delegate.
func (d delegate) NotifyMsg(packet []byte) {
	select {
	case d.g.inbox <- bytes.Clone(packet):
	default:
		d.g.counts.dropped.Add(1)
	}
}

// GetBroadcasts is that of memberlist.Delegate.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.g.rumors.ride(overhead, limit)
}

// LocalState is that of memberlist.Delegate. Ledgers are compared over Options.Stream.
func (d delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState is that of memberlist.Delegate.
func (d delegate) MergeRemoteState([]byte, bool) {}

// AckPayload is that of memberlist.PingDelegate.
func (d delegate) AckPayload() []byte { return d.g.digest().encode() }

// NotifyPingComplete is that of memberlist.PingDelegate.
func (d delegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, payload []byte) {
	id, err := parseID(n.Name)
	if err != nil {
		return
	}
	said, err := decodeDigest(payload)
	if err != nil {
		if len(payload) > 0 {
			d.g.journal.refuse(&d.g.counts.malformed, n.Name, "a malformed digest")
		}
		return
	}
	d.g.heard(id, said)
}

// NotifyAlive is that of memberlist.AliveDelegate.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	if n.Name == d.g.o.ID {
		return nil
	}
	m, err := d.member(n)
	if err == nil && d.g.o.Allow != nil && !allowed(d.g.o.Allow, m.Addr) {
		err = errOutside
	}
	if err == nil && d.g.o.Admit != nil {
		err = d.g.o.Admit(m)
	}
	if err != nil {
		d.g.journal.refuse(&d.g.counts.unknown, n.Address(), fmt.Sprintf("node %s is not admitted: %s", n.Name, err))
	}
	return err
}

func (d delegate) member(n *memberlist.Node) (Member, error) {
	m := Member{ID: n.Name, Addr: n.Address(), Alive: true}
	if _, err := parseID(n.Name); err != nil {
		return m, err
	}
	var err error
	m.Meta, err = decodeMeta(n.Meta)
	return m, err
}

// NotifyJoin is that of memberlist.EventDelegate.
func (d delegate) NotifyJoin(n *memberlist.Node) {
	m, err := d.member(n)
	if err != nil {
		return // NotifyAlive has refused it
	}
	id, _ := parseID(n.Name)
	d.g.memberIs(id, m)
}

// NotifyUpdate is that of memberlist.EventDelegate.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.NotifyJoin(n) }

// NotifyLeave is that of memberlist.EventDelegate.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	if id, err := parseID(n.Name); err == nil {
		d.g.memberGone(id)
	}
}

// NotifyConflict is that of memberlist.ConflictDelegate.
func (d delegate) NotifyConflict(known, other *memberlist.Node) {
	d.g.journal.refuse(&d.g.counts.unknown, other.Address(), fmt.Sprintf("it claims to be node %s, which is alive at %s", known.Name, known.Address()))
}

// memberIs notes a member that is alive or has changed.
func (g *Gossip) memberIs(id nodeID, m Member) {
	if earlier := g.roll.put(id, m.Addr, m.Meta); earlier != 0 {
		g.table.forget(id, m.Boot)
		if earlier > m.Boot {
			g.journal.tell("warn", "back"+m.ID, fmt.Sprintf(
				"gossip: node %s is in run %d after its run %d: has its data folder been put back to an earlier state?", m.ID, m.Boot, earlier))
		}
	}
	g.membersChanged()
}

// memberGone notes that a member is dead or has left. What it said counts no more; if it comes back, it is asked again.
func (g *Gossip) memberGone(id nodeID) {
	if id == g.self {
		return
	}
	g.roll.gone(id)
	g.table.forget(id, 0)
	g.membersChanged()
}

func (g *Gossip) membersChanged() {
	g.rumors.setNodes(1 + len(g.roll.others()))
	g.out.members()
}
