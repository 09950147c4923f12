package consensus

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// death is that of a leader's process.
type death struct {
	leader  NodeID
	noticed time.Time
}

// setPatience sets for how long this node waits for a leader, and for votes. May
// it not lead, it leaves elections to the others. When the leader is surely dead
// there is nothing to be waited for but that all have noticed. That is never less
// than the lease for which a leader may lead unheard. Whoever is wrong disturbs
// nobody: a node that hears from the leader gives no vote to another.
func (i *instance) setPatience(may bool) {
	patience := i.o.Timeouts.Heartbeat
	switch {
	case !may && !i.leads():
		patience = 24 * time.Hour
	case i.orphaned():
		patience = i.o.Timeouts.Lease
	}
	conf := i.raft.ReloadableConfig()
	if conf.HeartbeatTimeout == patience {
		return
	}
	conf.HeartbeatTimeout, conf.ElectionTimeout = patience, patience
	if err := i.raft.ReloadConfig(conf); err != nil {
		i.o.Log.Warn(fmt.Sprintf("election timeout: %v", err))
	}
}

// orphaned reports whether the leader died a moment ago, and has not come back
// nor another in its place.
func (i *instance) orphaned() bool {
	d := i.death.Load()
	if d == nil || time.Since(d.noticed) > 5*i.o.Timeouts.Heartbeat {
		return false
	}
	id, _ := i.leader()
	return id == "" || id == d.leader && d.noticed.After(i.raft.LastContact())
}

// watchLeader looks after the leader when connections from other nodes break.
func (c *Consensus) watchLeader(ctx context.Context, i *instance) {
	broken := i.layer.broken.wait()
	for {
		select {
		case <-broken:
		case <-ctx.Done():
			return
		}
		broken = i.layer.broken.wait()
		if d := c.inquire(ctx, i); d != nil {
			c.o.Log.Debug(fmt.Sprintf("the process of the leader, node %s, has ended", d.leader))
			i.death.Store(d)
			i.news.ring()
		}
	}
}

// inquire returns the death of the leader if its port is closed while nothing is
// heard of it. A process that ends can close its connections first, so the port
// is tried for a while.
func (c *Consensus) inquire(ctx context.Context, i *instance) *death {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Heartbeat)
	defer cancel()
	began := time.Now()
	leader, addr := c.Leader()
	if leader == "" || leader == c.o.ID {
		return nil
	}
	for {
		conn, err := i.layer.mux.stream.Dial(ctx, addr)
		if err == nil {
			_ = conn.Close() // it has shown what it was for
			return nil
		}
		now, _ := i.leader()
		switch {
		case now != leader && now != "" || i.raft.LastContact().After(began):
			return nil
		case errors.Is(err, syscall.ECONNREFUSED):
			return &death{leader, time.Now()}
		case !c.sleep(ctx, c.o.Timeouts.Heartbeat/20):
			return nil
		}
	}
}
