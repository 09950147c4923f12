package consensus

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// gate is where writes pass on their way into the log. While it is shut they
// wait: a leader that hands over refuses them, and they would try again and again.
// The zero value is open.
type gate struct {
	mu     sync.Mutex
	opened chan struct{} // closed when the gate is opened; nil: it is open
}

// pass waits until the gate is open.
func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	if opened == nil {
		return nil
	}
	select {
	case <-opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shut shuts the gate, unless it is.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		return false
	}
	g.opened = make(chan struct{})
	return true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.opened)
	g.opened = nil
}

// transfer is that of engine. Who is alone keeps what nobody else can take. Writes
// that come meanwhile wait, and go to who leads then.
func (i *instance) transfer() error {
	if !i.leads() {
		return errNoLeader
	}
	var voters []server
	for _, s := range i.servers() {
		if s.voter && s.id != i.o.ID {
			voters = append(voters, s)
		}
	}
	if len(voters) == 0 {
		return nil
	}
	// The library bounds this itself, unless it ends amid it.
	ctx, cancel := context.WithTimeout(context.Background(), 2*i.o.Timeouts.Heartbeat)
	defer cancel()
	next := i.readiest(ctx, voters)
	if !i.gate.shut() {
		return fmt.Errorf("%w: this node hands over already", errNoLeader)
	}
	defer i.gate.open()
	if err := i.outcomes.of(ctx, i.handOver(next).Error); err != nil {
		return fmt.Errorf("hand over: %w: %w", errNoLeader, err) // it goes on to lead, or another does: it may be tried again
	}
	return nil
}

// relinquish hands over because an operator wants it. Where nobody else has a
// vote, a node that follows the log gets one first. That may be one too many: who
// leads next takes one back, and this node takes none until it has handed over, but
// what it was about to do already.
func (c *Consensus) relinquish(e engine) error {
	i, ok := e.(*instance)
	if !ok || c.o.Stream == nil {
		return e.transfer()
	}
	i.yielding.Add(1)
	defer i.yielding.Add(-1)
	for range relinquishTries {
		heir, err := c.appoint(i)
		if err != nil {
			return err
		}
		if err := i.transfer(); err != nil || heir == nil || !i.leads() {
			return err
		}
	}
	return nil
}

// relinquishTries is how often a leader gives a vote to whom it hands over to.
const relinquishTries = 3

// appoint gives a vote to a node that has all that is agreed on, if nobody but
// this one has a vote. It returns nil where somebody has, or nobody could.
func (c *Consensus) appoint(i *instance) (*server, error) {
	var heirs []server
	present := c.o.Presence()
	for _, s := range i.servers() {
		switch n, known := i.machine.state().Node(s.id); {
		case s.id == c.o.ID:
		case s.voter:
			return nil, nil
		default:
			if _, alive := present[s.id]; alive && known && !n.Removed {
				heirs = append(heirs, s)
			}
		}
	}
	if len(heirs) == 0 || !i.leads() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Timeouts.Write)
	defer cancel()
	heir := i.readiest(ctx, heirs)
	if heir == nil {
		return nil, nil
	}
	if err := i.enter(server{heir.id, heir.addr, true}); err != nil {
		return nil, fmt.Errorf("give a vote to %s: %w: %w", heir.id, errMaybe, err)
	}
	return heir, nil
}

// handOver begins to hand over to a voter, or to one that the library picks.
func (i *instance) handOver(to *server) raft.Future {
	if to == nil {
		return i.raft.LeadershipTransfer()
	}
	return i.raft.LeadershipTransferToServer(raft.ServerID(to.id), raft.ServerAddress(to.addr))
}

// readiest returns the voter that is the first to have all that is agreed on, or
// nil if none is in a while: everyone is to wait for that one's disk.
func (i *instance) readiest(ctx context.Context, voters []server) *server {
	ctx, cancel := context.WithTimeout(ctx, i.o.Timeouts.Lease)
	defer cancel()
	message := i.agreedOn()
	if message == nil {
		return nil
	}
	answers := make(chan *server, len(voters))
	for _, s := range voters {
		go func() {
			var answer raft.AppendEntriesResponse
			if i.send(s, message, &answer) == nil && answer.Success {
				answers <- &s
			} else {
				answers <- nil
			}
		}()
	}
	for range voters {
		select {
		case s := <-answers:
			if s != nil {
				return s
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
