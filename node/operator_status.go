package node

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/node/control"
)

// Status implements control.Node.
func (o *operator) Status() control.Status {
	g, s, agreed := o.cluster.ground, o.cluster.state(), o.agreement().Status()
	out := control.Status{ID: g.identity.ID, Version: o.version, Data: g.dir, Applied: agreed.Applied, Stopped: agreed.Stopped}
	for _, name := range control.Rings() {
		if ring := s.Ring(ringKinds()[name]); len(ring) > 0 {
			out.Rings = append(out.Rings, ringStatus(name, ring))
		}
	}
	out.Checks = o.checks()
	if g.conf == nil {
		return out
	}
	out.Node = g.conf.Node
	out.Cluster = &control.ClusterStatus{
		Name: g.conf.Name, ID: agreed.Cluster.ID, Epoch: agreed.Cluster.Epoch, Part: string(agreed.Part),
		Quorum: agreed.Quorum() && agreed.Leader != "", Voters: len(agreed.Voters), NonVoters: len(agreed.NonVoters),
		Missing: o.nodeNames(agreed.Missing), Gossip: o.cluster.gossipStatus(), Sessions: o.sessions(),
		Older: o.nodeNames(s.Older()),
	}
	for id, what := range o.cluster.feed.drifts() {
		out.Cluster.Differing = append(out.Cluster.Differing, o.cluster.nameOf(id)+": "+what)
	}
	slices.Sort(out.Cluster.Differing)
	if agreed.Leader != "" {
		out.Cluster.Leader = &control.NodeName{ID: string(agreed.Leader), Name: o.cluster.nameOf(string(agreed.Leader))}
	}
	return out
}

func ringStatus(name string, ring consensus.Ring) control.RingStatus {
	out := control.RingStatus{Ring: name}
	for _, k := range ring {
		out.Keys = append(out.Keys, control.KeyStatus{ID: k.ID, State: string(k.State), Since: time.UnixMilli(k.Since)})
	}
	return out
}

// Members implements control.Node: the nodes of the table, and those that are
// heard of but not in it yet.
func (o *operator) Members() []control.Member {
	agreed, self := o.agreement().Status(), string(o.cluster.self())
	if conf := o.cluster.ground.conf; conf == nil || o.agreement().Removed() {
		alone := control.Member{NodeName: control.NodeName{ID: self}, Part: "none", Alive: true, Ready: true, Applied: agreed.Applied, Self: true}
		if conf != nil {
			alone.Name, alone.Addr = conf.Node, conf.Listen.String()
		}
		return []control.Member{alone}
	}
	known := map[string]*control.Member{}
	at := func(id string) *control.Member {
		if known[id] == nil {
			known[id] = &control.Member{NodeName: control.NodeName{ID: id}, Part: partOf(&agreed, consensus.NodeID(id)), Self: id == self}
		}
		return known[id]
	}
	o.cluster.state().Nodes(func(id consensus.NodeID, n consensus.Node) {
		if !n.Removed {
			m := at(string(id))
			m.Name, m.Boot = n.Name, n.Boot
		}
	})
	for _, g := range o.cluster.members() {
		m := at(g.ID)
		m.Name, m.Addr, m.Alive, m.Since, m.Applied = g.Name, g.Addr, g.Alive, g.Since, g.Applied
		m.Boot, m.Ready, m.Draining = g.Boot, g.Ready, g.Draining
	}
	if m := at(self); m.Self {
		m.Name, m.Addr, m.Alive, m.Applied = o.cluster.ground.conf.Node, o.cluster.ground.conf.Listen.String(), true, agreed.Applied
	}
	var list []control.Member
	for _, m := range known {
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b control.Member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// partOf tells what a node does in reaching agreement.
func partOf(s *consensus.Status, id consensus.NodeID) string {
	switch {
	case id == s.Leader:
		return "leader"
	case slices.Contains(s.Voters, id):
		return "voter"
	case slices.Contains(s.NonVoters, id):
		return "non-voter"
	}
	return "none"
}

// Upstreams implements control.Node.
func (o *operator) Upstreams(name string) []control.Upstream {
	s := o.cluster.state()
	out := []control.Upstream{}
	for _, u := range o.balancer.Upstreams(name) {
		edits, _ := s.Upstream(u.Config.Name)
		told := upstreamStatus(&u, &edits)
		o.tellHeld(&told)
		out = append(out, told)
	}
	return out
}

// tellHeld adds for how long the peers of an upstream are held that are. Two
// lines with one address are told alike: they stand for one server.
func (o *operator) tellHeld(u *control.Upstream) {
	for _, c := range o.balancer.Checked(u.Name) {
		if c.Held == 0 {
			continue
		}
		for i := range u.Servers {
			for j := range u.Servers[i].Peers {
				if p := &u.Servers[i].Peers[j]; p.Addr == c.Peer.Addr && p.State == upstream.StateUnhealthy.String() {
					p.HeldSeconds = int((c.Held + time.Second - 1) / time.Second)
				}
			}
		}
	}
}

// upstreamStatus joins what the balancer knows of an upstream with what was
// agreed on.
func upstreamStatus(u *lb.UpstreamStatus, edits *consensus.Edits) control.Upstream {
	out := control.Upstream{Name: u.Config.Name, Changeable: u.Config.Zone != "", Queued: u.Queued, Servers: []control.Server{}}
	added, orders := map[consensus.ServerID]bool{}, map[consensus.ServerID]*control.Order{}
	edits.Added.Each(func(id consensus.ServerID, _ consensus.Addition) { added[id] = true })
	edits.Orders.Each(func(id consensus.ServerID, o consensus.Order) {
		orders[id] = &control.Order{Kind: string(o.Kind), Who: o.Who, Why: o.Why, Since: time.UnixMilli(o.Since)}
	})
	peers := map[upstream.ServerID][]control.Peer{}
	for _, p := range u.Pool.Peers {
		peer := control.Peer{Addr: p.Addr, State: p.State.String(), Active: p.Active, Requests: p.Requests, Fails: p.Fails}
		if p.ID != p.Line {
			peer.Order = orders[consensus.ServerID(p.ID)]
		}
		peers[p.Line] = append(peers[p.Line], peer)
	}
	for i := range u.Servers {
		id := u.Servers[i].LineID(u.Config.Name)
		at := consensus.ServerID(id)
		s := control.Server{
			Server: u.Servers[i].Name, ID: fmt.Sprintf("%016x", uint64(id)), Source: "file", Parameters: parametersOf(&u.Servers[i]),
			Order: orders[at], Modified: edits.ModifiedAt(at), Peers: peers[id],
		}
		if added[at] {
			s.Source = "added"
		}
		out.Servers = append(out.Servers, s)
		delete(peers, id) // of equal lines the first has them
	}
	return out
}

// parametersOf returns the parameters that are not as they are unwritten.
func parametersOf(s *upstream.Server) (p control.Parameters) {
	number := func(at **int, v, unwritten int) {
		if v != unwritten {
			*at = &v
		}
	}
	mark := func(at **bool, v bool) {
		if v {
			*at = &v
		}
	}
	text := func(at **string, v, unwritten string) {
		if v != unwritten {
			*at = &v
		}
	}
	number(&p.Weight, s.Weight, 1)
	number(&p.MaxConns, s.MaxConns, 0)
	number(&p.MaxFails, s.MaxFails, 1)
	text(&p.FailTimeout, seconds(s.FailTimeout), seconds(config.DefaultFailTimeout))
	text(&p.SlowStart, seconds(s.SlowStart), seconds(0))
	text(&p.Route, s.Route, "")
	text(&p.Service, s.Question.Service, "")
	mark(&p.Resolve, s.Question != upstream.Question{})
	mark(&p.Backup, s.Backup)
	mark(&p.Down, s.Down)
	mark(&p.Drain, s.Drain)
	return p
}

// seconds writes a time as server lines take it.
func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }
