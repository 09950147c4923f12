package node

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/upstream"
)

// Peers travel between nodes as 64-bit keys. Only nodes that have the peer know
// which one is meant; what is said of others is kept for when they come.

// maxStrange bounds the reports that are kept of peers which this node does not
// have, and strangeLook is how often it looks whether it has them now.
const (
	maxStrange  = 100_000
	strangeLook = time.Second
)

// directory knows the peers of this node by key.
type directory struct {
	peers   map[uint64]upstream.PeerID
	edition lb.PeersEdition // of peers
	looked  time.Time
	strange map[uint64][]gossip.Report // of peers that are not there, the newest of each node
	kept    int
}

// Report implements lb.Outlet.
func (f *feed) Report(r health.Report) {
	if g := f.cluster.gossip.Load(); g != nil {
		g.Publish(gossip.Report{
			Key: r.Peer.Key(), Status: uint8(r.Status), Reason: uint8(r.Reason), Since: r.Since, Latency: r.Latency,
			Gone: r.Status == health.StatusUnknown,
		})
	}
}

// hearReports passes on what other nodes say of peers. Gossip calls it, and
// meet, refresh and hearRecords, one after the other.
func (f *feed) hearReports(list []gossip.Report) {
	f.lookForPeers()
	known := make([]health.Report, 0, len(list))
	for _, r := range list {
		if peer, ok := f.directory.peers[r.Key]; ok {
			known = append(known, reportOf(peer, &r))
		} else {
			f.directory.keep(r)
		}
	}
	f.balancer.Hear(known)
}

func reportOf(peer upstream.PeerID, r *gossip.Report) health.Report {
	h := health.Report{
		Peer: peer, Node: r.Node, Boot: r.Boot, Seq: r.Seq,
		Status: health.Status(r.Status), Reason: health.Reason(r.Reason), Since: r.Since, Latency: r.Latency,
	}
	if r.Gone {
		h.Status = health.StatusUnknown
	}
	return h
}

// keep keeps a report of a peer that is not there.
func (d *directory) keep(r gossip.Report) {
	list := d.strange[r.Key]
	i := slices.IndexFunc(list, func(o gossip.Report) bool { return o.Node == r.Node })
	switch {
	case i >= 0 && cmp.Or(cmp.Compare(list[i].Boot, r.Boot), cmp.Compare(list[i].Seq, r.Seq)) > 0:
	case i >= 0:
		list[i] = r
	case d.kept < maxStrange:
		d.strange[r.Key] = append(list, r)
		d.kept++
	}
}

// lookForPeers learns which peers there are now, and passes on what was said of
// those that have come.
func (f *feed) lookForPeers() {
	d := &f.directory
	if time.Since(d.looked) < strangeLook {
		return
	}
	d.looked = time.Now()
	edition := f.balancer.PeersEdition()
	if d.peers != nil && edition == d.edition {
		return
	}
	d.edition, d.peers = edition, map[uint64]upstream.PeerID{}
	for _, id := range f.balancer.Peers() {
		d.peers[id.Key()] = id
	}
	var news []health.Report
	for key, list := range d.strange {
		if peer, ok := d.peers[key]; ok {
			for i := range list {
				news = append(news, reportOf(peer, &list[i]))
			}
			d.kept -= len(list)
			delete(d.strange, key)
		}
	}
	f.balancer.Hear(news)
}

// meet tells the balancer who shares the checking, whenever gossip hears of a
// change among nodes.
func (f *feed) meet(members []gossip.Member) {
	members = f.cluster.admitted(members)
	nodes := health.Nodes{Self: string(f.cluster.self())}
	for _, m := range members {
		if m.Alive && m.Ready && !m.Draining {
			nodes.Alive = append(nodes.Alive, m.ID)
		}
	}
	f.tellMembers(members)
	f.balancer.SetNodes(nodes)
	f.sharing.presence.set(members)
	f.council.wake()
}

// refresh notes that all that nodes have said holds on.
func (f *feed) refresh(ids []string) {
	f.lookForPeers()
	f.balancer.RefreshReports(ids)
}

// sighting is how gossip saw a node last.
type sighting struct {
	alive bool
	boot  uint64
}

// tellMembers logs which nodes came and went.
func (f *feed) tellMembers(members []gossip.Member) {
	for _, m := range members {
		if m.ID == string(f.cluster.self()) {
			continue
		}
		before, known := f.seen[m.ID]
		f.seen[m.ID] = sighting{alive: m.Alive, boot: m.Boot}
		switch {
		case m.Alive && (!known || !before.alive):
			f.log.Logf(errorlog.Notice, 0, "cluster: node %q (%s) is there", m.Name, m.Link)
		case m.Alive && before.boot != m.Boot:
			f.log.Logf(errorlog.Notice, 0, "cluster: node %q was started anew", m.Name)
		case known && before.alive && !m.Alive && m.Restarting:
			f.log.Logf(errorlog.Notice, 0, "cluster: node %q stops", m.Name)
		case known && before.alive && !m.Alive:
			f.log.Logf(errorlog.Warn, 0, "cluster: node %q is gone", m.Name)
		}
	}
}
