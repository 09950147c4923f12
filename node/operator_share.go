package node

import (
	"github.com/weir-lb/weir/gossip"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/node/control"
)

// This file tells operators how that fares which nodes do not agree on: checks,
// learned sessions, and gossip, which carries both.

// checks sums up the checks of all upstreams; nil: there are none.
func (o *operator) checks() *control.CheckStatus {
	var sum control.CheckStatus
	for _, u := range o.balancer.UpstreamConfigs() {
		for _, p := range o.balancer.Checked(u.Name) {
			sum.Peers++
			if p.Prober {
				sum.Here++
			}
			if p.Verdict == upstream.VerdictUnhealthy {
				sum.Unhealthy++
			}
			sum.Probes += p.Counts.Checks
			sum.Fails += p.Counts.Fails
		}
	}
	if sum.Peers == 0 {
		return nil
	}
	return &sum
}

// sessions tells how learned sessions fare; nil: nodes share none.
func (o *operator) sessions() *control.SessionStatus {
	known := o.balancer.Learning()
	if !known.Shared {
		return nil
	}
	told := o.cluster.gossipStats()
	return &control.SessionStatus{
		Kept: known.Kept, Room: known.Room, Evicted: known.Evicted,
		Sent: told.SessionSent, Waiting: told.SessionWait, Lost: told.SessionDrop + known.Untold,
		Asked: known.Asked, Found: known.Found, Unasked: known.Unasked,
	}
}

// gossipStats are zero before gossip is open.
func (c *cluster) gossipStats() (s gossip.Stats) {
	if g := c.gossip.Load(); g != nil {
		s = g.Stats()
	}
	return s
}

func (c *cluster) gossipStatus() control.GossipStatus {
	s := c.gossipStats()
	return control.GossipStatus{
		Strangers: s.Strangers, Outside: s.Outside + c.link.Outside(), Malformed: s.Malformed, Oversized: s.Oversized, Unknown: s.Unknown, Replayed: s.Replayed,
		Dropped: s.Dropped, Full: s.Full, TCPOnly: s.LostPackets,
	}
}
