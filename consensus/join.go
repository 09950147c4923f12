package consensus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// meet asks the others about this node before its log is opened: with data that
// was rolled back it could vote twice, and so it could when it has lost its log.
// Nobody may answer: then the whole cluster may have been restarted.
func (c *Consensus) meet(lost bool) error {
	if n, _ := c.State().Node(c.o.ID); n.Removed {
		return errRemoved
	}
	list := c.greetings(c.ctx)
	own := c.State().Cluster()
	if own.ID == "" && c.hasLog() {
		return nil // it is not known which of them are of the same cluster
	}
	for _, h := range list {
		if err := c.judge(h); err != nil {
			return err
		}
		if c.hasLog() && h.ClusterID == own.ID && h.Epoch > own.Epoch {
			return errMissed
		}
		lost = lost || h.KnownBoot > 0 && !c.hasLog()
	}
	if !lost {
		return nil
	}
	return c.regain(list)
}

// regain has a leader take the vote of this node, which has lost its log. It
// goes on until one does, or the node is to be a quorum by itself.
func (c *Consensus) regain(list []hello) error {
	c.use(nil, errors.New("the log was lost, and none of the others was found yet"))
	for warned := false; ; warned = true {
		if to, err := c.o.recovering(); to != 0 || err != nil {
			return err
		}
		for _, h := range list {
			_, err := c.call(c.ctx, h.Addr, message{Kind: askReadmit, Node: c.o.ID})
			if err == nil {
				c.again.Store(true)
				return c.forgetLoss()
			}
		}
		if !warned {
			c.o.Log.Warn("this node has lost its log, and waits for a leader to give it anew")
		}
		if !c.sleep(c.ctx, c.formPause()) {
			return errClosed
		}
		list = c.greetings(c.ctx)
	}
}

func (c *Consensus) hasLog() bool {
	if c.o.Dir == "" {
		return false
	}
	_, err := os.Stat(c.o.storePath())
	return err == nil
}

func (c *Consensus) forgetLoss() error {
	if err := os.Remove(c.o.lostPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// judge tells from what another knows of this node whether it may take part.
func (c *Consensus) judge(h hello) error {
	switch {
	case h.Removed:
		return errRemoved
	case h.KnownBoot > c.o.Boot || h.KnownBoot == c.o.Boot && h.KnownRun != c.o.Run:
		return fmt.Errorf("%w: it started for the %d. time already: its data is an old copy", errRefused, h.KnownBoot)
	}
	return nil
}

// readmit takes the vote of a node that has lost its log, and removes it from
// the configuration, so that it comes back as one that has just joined.
func (c *Consensus) readmit(e engine, id NodeID) error {
	i, ok := e.(*instance)
	if !ok || id == c.o.ID {
		return fmt.Errorf("%w: nobody else to admit", errNoLeader)
	}
	return i.remove(id)
}

// announce tells the cluster of this start of the node, and asks to be let in
// where it is not yet known.
func (c *Consensus) announce() {
	told := ""
	for {
		done, err := c.introduce()
		c.noteRefusal(err)
		if err != nil && err.Error() != told && c.ctx.Err() == nil {
			told = err.Error()
			c.o.Log.Warn(told)
		}
		pause := c.formPause()
		if done { // or is, as soon as the log has come this far
			pause = 5 * c.o.Timeouts.Heartbeat
		}
		if !c.sleep(c.ctx, pause) {
			return
		}
	}
}

// noteRefusal remembers that, and why, the cluster does not let this node in; nil:
// it does, or is not found.
func (c *Consensus) noteRefusal(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unwelcome = err
}

// unwelcomed gives the reason for which the cluster does not let this node in, if
// it has no part in it; else nil.
func (c *Consensus) unwelcomed(p Part) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p != PartNone || !errors.Is(c.unwelcome, errRefused) {
		return nil
	}
	return c.unwelcome
}

// introduce looks whether the cluster knows of this start of the node, and tells
// it if not. The error is for an operator, and comes when it stays as it is.
func (c *Consensus) introduce() (done bool, err error) {
	if n, _ := c.State().Node(c.o.ID); n.Removed {
		c.fail(errRemoved)
		return true, nil
	}
	if c.known() && !c.again.Load() {
		if id, _ := c.Leader(); id == "" {
			c.lookForEpoch()
		}
		return true, nil
	}
	entry, err := c.o.kinds.encode(&Command{Request: NewRequestID(), Actor: c.o.Name, Change: c.joining()})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Timeouts.Write)
	defer cancel()
	m := message{Kind: askPropose, Entry: entry}
	if id, _ := c.Leader(); id != c.o.ID {
		return c.askToJoin(ctx, m)
	}
	if c.State().Cluster().ID == "" {
		return false, nil // soon: what is known without it is of no cluster
	}
	_, err = c.try(ctx, m)
	return err == nil, nil
}

// askToJoin has one of the others pass m on to the leader.
func (c *Consensus) askToJoin(ctx context.Context, m message) (done bool, err error) {
	for _, h := range c.greetings(ctx) {
		if !c.related(h.ID) || h.Cluster != c.o.Cluster {
			continue
		}
		if err := c.judge(h); err != nil {
			c.fail(err)
			return false, nil
		}
		if h.Refusal != "" { // said before, so that the log is not filled with it
			return false, fmt.Errorf("%w: %s", errRefused, h.Refusal)
		}
		if h.ClusterID == "" {
			continue
		}
		if r, err := c.call(ctx, h.Addr, m); err == nil && r.Result != nil {
			c.again.CompareAndSwap(true, r.Result.Code != Accepted)
			return r.Result.Code == Accepted, nil
		}
	}
	return false, nil
}

// related reports whether this node may ask another to let it in. A node with a
// log asks only who has part in that log: one from another cluster, over it,
// would be a fork.
func (c *Consensus) related(id NodeID) bool {
	e, _ := c.engine()
	if e == nil {
		return false
	}
	servers := e.servers()
	_, known := c.State().Node(id)
	return known || len(servers) == 0 || slices.ContainsFunc(servers, func(s server) bool { return s.id == id })
}

// joining is what the table of nodes is to say of this node.
func (c *Consensus) joining() *JoinNode {
	return &JoinNode{ID: c.o.ID, Name: c.o.Name, PublicKey: c.o.PublicKey, Addr: c.o.Addr, Boot: c.o.Boot, Run: c.o.Run, Level: c.o.kinds.newest()}
}

// known reports whether the table of nodes has this start of the node.
func (c *Consensus) known() bool {
	n, ok := c.State().Node(c.o.ID)
	return ok && n.Boot == c.o.Boot && n.Run == c.o.Run && n.Addr == c.o.Addr && n.Name == c.o.Name && n.Level == c.o.kinds.newest() && !n.Removed
}

// lookForEpoch finds out, while nobody leads, whether the cluster was recovered
// without this node.
func (c *Consensus) lookForEpoch() {
	e, _ := c.engine()
	i, ok := e.(*instance)
	if !ok {
		return
	}
	for _, h := range c.greetings(c.ctx) {
		own := i.machine.state().Cluster() // which is of its log, not of the image
		id, _ := c.Leader()
		if err := c.judge(h); err != nil {
			i.fault(err)
		} else if id == "" && h.Leader != "" && h.ClusterID == own.ID && h.Epoch > own.Epoch {
			i.fault(errMissed)
		}
	}
}

// fail ends the instance that runs, if one does.
func (c *Consensus) fail(err error) {
	e, _ := c.engine()
	if i, ok := e.(*instance); ok {
		i.fault(err)
	}
}
