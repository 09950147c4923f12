package consensus

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// lagLimit is by how many entries a node may be behind and count as alive.
const lagLimit = 250

// govern does what the leader has to do, while this node is the leader.
func (c *Consensus) govern(ctx context.Context, i *instance) {
	tick := time.NewTicker(c.o.Timeouts.Tick)
	defer tick.Stop()
	seen := &attendance{since: map[NodeID]sighting{}}
	c.herald.since = time.Time{} // while this node had no part it could not know
	for ctx.Err() == nil {
		news := c.news.wait()
		i.setPatience(c.watchSpace(i))
		c.herald.look(c)
		if i.leads() {
			seen.look(c, i)
			c.rule(ctx, i, seen)
		} else {
			clear(seen.since)
		}
		select {
		case <-news:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// rule takes steps until none is left to be taken, or one fails, which is tried
// again soon.
func (c *Consensus) rule(ctx context.Context, i *instance, seen *attendance) {
	if err := i.catchUp(ctx); err != nil {
		return // it leads no more
	}
	for ctx.Err() == nil && i.leads() {
		change := c.nextChange(i)
		var err error
		took := change != nil
		if took {
			err = i.agree(ctx, change)
		} else {
			took, err = c.nextVote(ctx, i, seen)
		}
		if err != nil {
			c.o.Log.Debug(fmt.Sprintf("leader: %v", err))
		}
		if err != nil || !took {
			return
		}
	}
}

// agree has a change agreed on that the leader itself wants.
func (i *instance) agree(ctx context.Context, change Change) error {
	entry, err := i.o.kinds.encode(&Command{Actor: "weir", Change: change})
	if err == nil {
		err = i.admit(entry)
	}
	if err != nil {
		return err
	}
	r, err := i.propose(ctx, entry)
	if err == nil && r.Code != Accepted {
		err = errors.New(r.Reason)
	}
	return err
}

// nextChange returns what the leader is to have agreed on next, or nil: the
// identity of a new cluster with its first keys, and steps in the life of keys.
func (c *Consensus) nextChange(i *instance) Change {
	s, alone := i.machine.state(), c.o.Stream == nil
	if s.Cluster().Epoch < i.epoch {
		return &RaiseEpoch{To: i.epoch}
	}
	if i.epoch != 0 {
		i.recovered()
	}
	if s.Cluster().ID == "" && !alone {
		batch := Batch{&Form{Name: c.o.Cluster, ID: hex.EncodeToString(random(16))}}
		for kind := range ringCount {
			if ring := s.Ring(kind); len(ring) == 0 && kind.Rotation().Every > 0 {
				key := FreshKey(ring)
				if kind == StickyRing && c.o.FirstSticky.Secret != nil {
					key = c.o.FirstSticky
				}
				batch = append(batch, &CreateKey{Ring: kind, ID: key.ID, Secret: key.Secret})
			}
		}
		return &batch
	}
	for kind := range ringCount {
		if alone && kind >= GossipRing {
			continue
		}
		ring := s.Ring(kind)
		if change := ring.Due(kind, c.o.now(), c.appliedByAll(), FreshKey(ring)); change != nil && i.timely(change) {
			return change
		}
	}
	return nil
}

// FreshKey returns a new key for a ring: random, with an id that no key of the
// ring has.
func FreshKey(r Ring) Key {
	id := uint16(1)
	for r.find(id) >= 0 {
		id++
	}
	if n := len(r); n > 0 && r.find(r[n-1].ID+1) < 0 {
		id = r[n-1].ID + 1 // ids come again as late as possible
	}
	return Key{ID: id, Secret: random(32)}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it ends the process rather than fail
	return b
}

// appliedByAll returns the lowest index that a live node has applied.
func (c *Consensus) appliedByAll() uint64 {
	index := c.board.served()
	if c.o.Presence == nil {
		return index
	}
	for id, at := range c.o.Presence() {
		if id != c.o.ID {
			index = min(index, at)
		}
	}
	return index
}

// sighting is since when a node is alive, or dead.
type sighting struct {
	alive bool
	at    time.Time
}

// attendance is what a leader remembers of who was there.
type attendance struct{ since map[NodeID]sighting }

// look notes who is there now.
func (a *attendance) look(c *Consensus, i *instance) {
	if c.o.Presence == nil {
		return
	}
	now, present, index := c.o.now(), c.o.Presence(), i.machine.state().Index()
	note := func(id NodeID) {
		applied, ok := present[id]
		alive := ok && applied+lagLimit >= index || id == c.o.ID
		if was, known := a.since[id]; !known || was.alive != alive {
			a.since[id] = sighting{alive, now}
		}
	}
	for _, s := range i.servers() {
		note(s.id)
	}
	i.machine.state().Nodes(func(id NodeID, n Node) {
		if !n.Removed {
			note(id)
		}
	})
}

// of returns what is known of servers, sorted by id.
func (a *attendance) of(servers map[NodeID]server, leader NodeID, now time.Time) (list []Attendance) {
	for id, s := range servers {
		n := Attendance{ID: id, Voter: s.voter, Leader: id == leader}
		if was, looked := a.since[id]; looked { // else it has entered this moment
			n.Alive, n.For = was.alive, now.Sub(was.at)
		}
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Attendance) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// nextVote takes the next step that makes the configuration of the log that of
// the table of nodes, and then the next that gives or takes a vote.
func (c *Consensus) nextVote(ctx context.Context, i *instance, seen *attendance) (took bool, err error) {
	if c.o.Stream == nil {
		return false, nil
	}
	state, servers := i.machine.state(), map[NodeID]server{}
	for _, s := range i.servers() {
		servers[s.id] = s
		n, ok := state.Node(s.id)
		switch {
		case !ok:
		case n.Removed && s.id == c.o.ID:
			return false, i.transfer() // who leads next removes it
		case n.Removed:
			return true, i.remove(s.id)
		case n.Addr != s.addr:
			return true, i.enter(server{s.id, n.Addr, s.voter})
		}
	}
	missing := server{}
	state.Nodes(func(id NodeID, n Node) {
		// Who has not come back since a recovery has a log that may be another.
		if _, in := servers[id]; !in && !n.Removed && n.Epoch == state.Cluster().Epoch {
			missing = server{id: id, addr: n.Addr}
		}
	})
	if missing.id != "" {
		return true, i.enter(missing)
	}
	return c.vote(ctx, i, servers, seen)
}

// vote takes the next step that gives or takes a vote. Nodes that have not
// announced themselves yet count as well: they are about to.
func (c *Consensus) vote(ctx context.Context, i *instance, servers map[NodeID]server, seen *attendance) (took bool, err error) {
	if i.yielding.Load() > 0 {
		return false, nil
	}
	step := NextStep(seen.of(servers, c.o.ID, c.o.now()))
	_, announced := i.machine.state().Node(step.ID)
	switch {
	case step.Kind == StepPromote:
		return true, i.enter(server{step.ID, servers[step.ID].addr, true})
	case step.Kind == StepDemote:
		return true, i.raft.DemoteVoter(raft.ServerID(step.ID), 0, c.o.Timeouts.Write).Error()
	case step.Kind == StepRemove && announced:
		return true, i.agree(ctx, &RemoveNode{ID: step.ID})
	case step.Kind == StepRemove:
		return true, i.remove(step.ID)
	}
	return false, nil
}

// enter puts a server into the configuration of the log, or changes it there. A
// new one never begins as a voter: it would count for the quorum before it has
// the log.
func (i *instance) enter(s server) error {
	id, addr := raft.ServerID(s.id), raft.ServerAddress(s.addr)
	if s.voter {
		return i.raft.AddVoter(id, addr, 0, i.o.Timeouts.Write).Error()
	}
	return i.raft.AddNonvoter(id, addr, 0, i.o.Timeouts.Write).Error()
}

// remove takes a server out of the configuration of the log.
func (i *instance) remove(id NodeID) error {
	if err := i.raft.RemoveServer(raft.ServerID(id), 0, i.o.Timeouts.Write).Error(); err != nil {
		return fmt.Errorf("%w: %w", errMaybe, err)
	}
	return nil
}

// watchSpace gives up leading when the disk gets full, and taking part before it
// is. It reports whether this node may lead.
func (c *Consensus) watchSpace(i *instance) (may bool) {
	if c.o.Dir == "" {
		return true
	}
	free, err := c.o.free(c.o.Dir)
	switch {
	case err != nil: // the guard finds out what is wrong
		return true
	case free < tinySpace:
		i.fault(fmt.Errorf("%w: %d MiB are left", errSpace, free>>20))
	case free < lowSpace && i.leads():
		_ = i.transfer() // if nobody else can lead, it goes on
	}
	return free >= lowSpace
}
