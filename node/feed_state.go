package node

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/errorlog"
)

// adopt puts a newly agreed state in force on this node. Consensus calls it with
// one state after the other.
func (c *cluster) adopt(s *consensus.State) {
	if c.feed != nil {
		c.feed.adopt(s)
	}
	if c.link == nil {
		return
	}
	c.adoptSecrets(s)
	if g := c.gossip.Load(); g != nil {
		g.SetApplied(s.Index())
	}
	c.recheckSoon()
}

// farewell is how long the connections of a node that was removed live on: by
// them it hears of it.
const farewell = time.Second

// recheckSoon has the link close the connections of nodes that are admitted no
// longer.
func (c *cluster) recheckSoon() {
	if c.rechecking.CompareAndSwap(false, true) {
		time.AfterFunc(farewell, func() {
			c.rechecking.Store(false)
			c.link.Recheck()
		})
	}
}

// adopt tells the balancer what has been agreed on.
func (f *feed) adopt(s *consensus.State) {
	overlay, changed, err := f.overlays.overlay(s)
	if changed {
		if failed := f.balancer.SetOverlay(overlay); failed != nil {
			f.log.Logf(errorlog.Alert, 0, "agreed changes of upstreams: %v", failed)
		}
		f.follow(f.balancer.Queries())
	}
	if err != nil {
		f.log.Logf(errorlog.Alert, 0, "agreed changes of upstreams: %v", err)
	}
	f.adoptKeys(s)
	if len(f.overlays.news(s)) > 0 {
		f.reassign()
	}
}

// adoptKeys gives the balancer the agreed keys. A node that is alone and keeps
// nothing goes on with those it makes itself.
func (f *feed) adoptKeys(s *consensus.State) {
	sticky, tickets := s.Ring(consensus.StickyRing), s.Ring(consensus.TicketRing)
	if f.cluster == nil && len(sticky) == 0 {
		return
	}
	var first []byte
	if f.cluster != nil {
		first = f.sharing.first(s)
	}
	if !sameRing(sticky, f.sticky) || !bytes.Equal(first, f.first) {
		keys, err := stickyKeys(sticky, first)
		if err != nil {
			f.log.Logf(errorlog.Alert, 0, "agreed keys: %v", err)
		} else {
			f.balancer.SetKeys(keys)
		}
	}
	if !sameRing(tickets, f.tickets) {
		f.balancer.SetTickets(ticketKeys(tickets))
	}
	f.sticky, f.tickets, f.first = sticky, tickets, first
}

// sameRing tells whether two rings have the same keys in the same states.
func sameRing(a, b consensus.Ring) bool {
	return slices.EqualFunc(a, b, func(x, y consensus.Key) bool {
		return x.ID == y.ID && x.State == y.State && bytes.Equal(x.Secret, y.Secret)
	})
}

// Times of taking over state files.
const (
	seedPause = time.Second
	seedTurns = 5 // of looking, that a node lets the leader go first
)

// seed has the servers of state files agreed on, once: by the leader, or by
// another node whose file the leader does not have. It ends when there is
// nothing to be taken over.
func (c *cluster) seed(ctx context.Context, cfg *config.Config) {
	for turn := 0; ; {
		state := c.state()
		if seeded(cfg, state) {
			return
		}
		if leader, _ := c.consensus.Load().Leader(); state.Cluster().ID != "" && leader != "" {
			if turn++; leader == c.self() || turn > seedTurns {
				c.proposeSeeds(ctx, cfg)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(seedPause):
		}
	}
}

func (c *cluster) proposeSeeds(ctx context.Context, cfg *config.Config) {
	for _, batch := range seeds(cfg, c.state()) {
		result, err := c.consensus.Load().Propose(ctx, consensus.Command{Actor: "state file", Change: batch})
		if err == nil && result.Code != consensus.Accepted && !seeded(cfg, c.state()) { // else another node was faster
			c.log.Logf(errorlog.Error, 0, "taking over a state file: %s", result.Reason)
		}
		if err != nil || result.Code != consensus.Accepted {
			return
		}
	}
}
