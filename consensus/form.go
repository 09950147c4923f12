package consensus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// How nodes without a log come to one: they join first, and form a cluster only
// if nobody has one.

// promiseHolds is how long a node that promised to let another form a cluster
// promises it to nobody else. Who was promised does it within a fraction of it.
const (
	promiseHolds = 10 * time.Second
	promiseUse   = 2 * time.Second
)

// formStep is what a node without a log is to do next.
type formStep struct {
	join   string   // the address of a node that has a cluster
	chosen []hello  // who should form one
	form   bool     // this node is to begin it
	ids    []NodeID // of chosen
}

// nextForming decides what a node without a log does, from what the others told
// it, in any order. Of all who know of no cluster and wait for the same number
// of nodes, those with the lowest ids form one, when each of them sees the same;
// the first of them begins.
func nextForming(self hello, others []hello) formStep {
	all := []hello{self}
	for _, h := range others {
		switch {
		case h.Cluster != self.Cluster || h.ID == self.ID:
		case h.Formed:
			return formStep{join: h.Addr}
		case h.Expect == self.Expect:
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b hello) int { return cmp.Compare(a.ID, b.ID) })
	all = slices.CompactFunc(all, func(a, b hello) bool { return a.ID == b.ID })
	if len(all) < self.Expect || self.Expect < 1 {
		return formStep{}
	}
	s := formStep{chosen: all[:self.Expect]}
	for _, h := range s.chosen {
		s.ids = append(s.ids, h.ID)
	}
	s.form = s.chosen[0].ID == self.ID
	for _, h := range s.chosen[1:] {
		s.form = s.form && slices.Equal(h.Chosen, s.ids)
	}
	return s
}

// forming is what a node has said about a cluster to come.
type forming struct {
	mu       sync.Mutex
	chosen   []NodeID // who should form, as this node sees it
	promised NodeID   // who was let to
	until    time.Time
	begun    bool // this node does

	strangers []string // addresses of nodes of other clusters
}

func (f *forming) choose(ids []NodeID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chosen = ids
}

// grant promises id to let it form a cluster, unless another was promised.
func (f *forming) grant(id NodeID, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.promised != "" && f.promised != id && now.Before(f.until) {
		return false
	}
	f.promised, f.until = id, now.Add(promiseHolds)
	return true
}

// promise answers a node that wants to begin a cluster.
func (c *Consensus) promise(m message) error {
	switch {
	case c.formed():
		return errors.New("there is a cluster")
	case !slices.Contains(m.Set, c.o.ID) || !c.forming.grant(m.Node, time.Now()):
		return errors.New("another is to form the cluster")
	}
	return nil
}

// formed reports whether this node has a log, or had one, or begins one.
func (c *Consensus) formed() bool {
	c.forming.mu.Lock()
	begun := c.forming.begun
	c.forming.mu.Unlock()
	if begun || c.State().Cluster().ID != "" {
		return true
	}
	e, _ := c.engine()
	return e != nil && len(e.servers()) > 0
}

// greet tells who this node is; of who asks, what it knows.
func (c *Consensus) greet(of *hello) *hello {
	s := c.State()
	h := &hello{ID: c.o.ID, Addr: c.o.Addr, Cluster: c.o.Cluster, Expect: c.o.Expect, Boot: c.o.Boot, Run: c.o.Run}
	h.ClusterID, h.Epoch = s.Cluster().ID, s.Cluster().Epoch
	h.Formed = c.formed()
	h.Leader, _ = c.Leader()
	c.forming.mu.Lock()
	h.Chosen = c.forming.chosen
	c.forming.mu.Unlock()
	if of != nil {
		if n, ok := s.Node(of.ID); ok {
			h.KnownBoot, h.KnownRun, h.Removed = n.Boot, n.Run, n.Removed
		}
		if of.Join != nil && h.ClusterID != "" { // tried on a state that nobody else sees
			_, r := s.Apply(Command{Change: of.Join}, s.Index()+1, s.Now())
			h.Refusal = r.Reason
		}
	}
	return h
}

// greetings asks all targets who they are, at once. Who does not answer soon is
// left out.
func (c *Consensus) greetings(ctx context.Context) (list []hello) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Heartbeat)
	defer cancel()
	m := message{Kind: askHello, Hello: c.greet(nil)}
	m.Hello.Join = c.joining()
	targets := c.o.Targets()
	slices.Sort(targets)
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, addr := range slices.Compact(targets) {
		if addr == c.o.Addr {
			continue
		}
		asked.Go(func() {
			r, err := c.call(ctx, addr, m)
			if err != nil || r.Hello == nil || r.Hello.ID == c.o.ID {
				return
			}
			r.Hello.Addr = cmp.Or(r.Hello.Addr, addr)
			if c.stranger(addr, r.Hello) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, *r.Hello)
		})
	}
	asked.Wait()
	slices.SortFunc(list, func(a, b hello) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// stranger reports whether a node is of another cluster, which has the same name
// by mistake. That is said once, and else it is as if the node was not there: it
// must not keep this cluster from working.
func (c *Consensus) stranger(addr string, h *hello) bool {
	own := c.State().Cluster().ID
	if own == "" || h.ClusterID == "" || own == h.ClusterID {
		return false
	}
	c.forming.mu.Lock()
	said := slices.Contains(c.forming.strangers, addr)
	if !said {
		c.forming.strangers = append(c.forming.strangers, addr)
	}
	c.forming.mu.Unlock()
	if !said {
		c.o.Log.Warn(fmt.Sprintf("the node at %s is of another cluster of the name %q: its id is %s, and not %s", addr, c.o.Cluster, h.ClusterID, own))
	}
	return true
}

// formPause is the time between two looks at who is there.
func (c *Consensus) formPause() time.Duration { return c.o.Timeouts.Heartbeat / 5 }

// form waits until there is a cluster: one that takes this node in, which
// announce asks for, or one that it begins or is begun with it.
func (c *Consensus) form(ctx context.Context, i *instance) {
	for !c.formed() {
		step := nextForming(*c.greet(nil), c.greetings(ctx))
		c.forming.choose(step.ids)
		if step.form && step.join == "" && c.begins(ctx, i, step) {
			return
		}
		if !c.sleep(ctx, c.formPause()) {
			return
		}
	}
}

// begins has all who are to form the cluster promise to let this node do it, and
// does. Promises of two who see different sets never all come together, since
// the sets share a node.
func (c *Consensus) begins(ctx context.Context, i *instance, step formStep) bool {
	began := time.Now()
	if !c.forming.grant(c.o.ID, began) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, promiseUse)
	defer cancel()
	var voters []server
	for _, h := range step.chosen {
		voters = append(voters, server{id: h.ID, addr: h.Addr})
		if h.ID == c.o.ID {
			continue
		}
		if _, err := c.call(ctx, h.Addr, message{Kind: askPromise, Node: c.o.ID, Set: step.ids}); err != nil {
			return false
		}
	}
	c.forming.mu.Lock()
	c.forming.begun = time.Since(began) < promiseUse && c.forming.promised == c.o.ID
	begun := c.forming.begun
	c.forming.mu.Unlock()
	if !begun {
		return false
	}
	if err := i.bootstrap(voters); err != nil {
		i.fault(fmt.Errorf("form the cluster: %w", err))
		return true
	}
	c.herald.notice(c, "%q is formed, of %d nodes", c.o.Cluster, len(voters))
	return true
}
