package node

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/upstream"
)

// overlays translates what nodes have agreed on about upstreams into what the
// balancer lays over its servers. Of a new state it translates what has changed
// since the one before, so that ten thousand servers cost nothing while others
// change. It belongs to one goroutine.
type overlays struct {
	cluster consensus.Cluster // whose indexes are meant below
	index   uint64            // of the last overlay; of its own, since a cluster may be formed anew
	edits   map[string]agreedEdits
	answers map[subject]uint64 // when each was agreed on
}

// agreedEdits are those of an upstream as they were translated last.
type agreedEdits struct {
	of    consensus.Edits
	edits upstream.Edits
}

// agreedAnswer is what has been agreed on about a name.
type agreedAnswer struct {
	subject
	answer upstream.Answer
}

// overlay returns what is to be laid over the upstreams by a state, and whether
// that is something else than before. A server that this version cannot read is
// left out, with an error.
func (o *overlays) overlay(s *consensus.State) (next upstream.Overlay, changed bool, err error) {
	if c := s.Cluster(); c != o.cluster { // another log: what has the same index is not the same
		o.cluster, o.edits, o.answers = c, nil, nil
	}
	edits := map[string]agreedEdits{}
	changed = o.edits == nil
	s.Upstreams(func(name string, e consensus.Edits) {
		known, ok := o.edits[name]
		if !ok || known.of.Modified != e.Modified {
			err = errors.Join(err, known.become(name, &e))
			changed = true
		}
		edits[name] = known
	})
	if changed = changed || len(edits) != len(o.edits); !changed {
		return next, false, nil
	}
	o.index++
	o.edits = edits
	next = upstream.Overlay{Index: o.index, Upstreams: make(map[string]upstream.Edits, len(edits))}
	for name, e := range edits {
		next.Upstreams[name] = e.edits
	}
	return next, true, err
}

// news returns the answers that were agreed on since it was asked last.
func (o *overlays) news(s *consensus.State) (list []agreedAnswer) {
	known := o.answers
	o.answers = map[subject]uint64{}
	s.Answers(func(a consensus.Answer) {
		of := subject{a.Upstream, upstream.Question{Host: a.Host, Service: a.Service}}
		o.answers[of] = a.Modified
		if known[of] == a.Modified {
			return
		}
		n := agreedAnswer{subject: of}
		for _, r := range a.Records {
			n.answer.Records = append(n.answer.Records, upstream.Record(r))
		}
		list = append(list, n)
	})
	return list
}

// become translates newer edits of an upstream: what is not as it was.
func (a *agreedEdits) become(name string, e *consensus.Edits) (failed error) {
	before, out := &a.of, &a.edits
	out.Seeded = e.Seeded
	failed = a.add(name, e)
	if out.Changed == nil || !e.Changed.Same(before.Changed) {
		out.Changed = map[upstream.ServerID]upstream.Edit{}
		e.Changed.Each(func(id consensus.ServerID, c consensus.Changed) {
			out.Changed[upstream.ServerID(id)] = upstream.Edit(c.Edit)
		})
	}
	if out.Removed == nil || !e.Removed.Same(before.Removed) {
		out.Removed = map[upstream.ServerID]bool{}
		e.Removed.Each(func(id consensus.ServerID, _ consensus.Removal) { out.Removed[upstream.ServerID(id)] = true })
	}
	if out.Orders == nil || !e.Orders.Same(before.Orders) {
		out.Orders = ordersOf(e)
	}
	a.of = *e
	return failed
}

func ordersOf(e *consensus.Edits) map[upstream.ServerID]upstream.Order {
	kinds := map[consensus.OrderKind]upstream.Order{
		consensus.OrderUp: upstream.OrderUp, consensus.OrderDrain: upstream.OrderDrain, consensus.OrderDown: upstream.OrderDown,
	}
	orders := map[upstream.ServerID]upstream.Order{}
	e.Orders.Each(func(id consensus.ServerID, o consensus.Order) { orders[upstream.ServerID(id)] = kinds[o.Kind] })
	return orders
}

// add translates the servers that have been added to an upstream since, and
// drops those that are there no more. They stand in the order of their age.
func (a *agreedEdits) add(name string, e *consensus.Edits) (failed error) {
	gone := map[uint64]bool{} // by age
	var fresh []upstream.Addition
	e.Added.Changes(a.of.Added, func(id consensus.ServerID, old, now *consensus.Addition) {
		if old != nil && now != nil && old.Modified == now.Modified { // from a snapshot, and the same
			return
		}
		if old != nil {
			gone[old.Created] = true
		}
		if now == nil {
			return
		}
		s, err := agreedServer(&now.Server)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("server %q that was added to upstream %q: %w", now.Server.Name, name, err))
			return
		}
		fresh = append(fresh, upstream.Addition{Index: now.Created, Server: s, ID: upstream.ServerID(id)})
	})
	slices.SortFunc(fresh, func(x, y upstream.Addition) int { return cmp.Compare(x.Index, y.Index) })
	a.edits.Added = merged(a.edits.Added, fresh, gone)
	return failed
}

// merged returns a list without some, and with others in their places. It leaves
// the list as it is: others hold it. Those that come behind it may stand in the
// same memory, which makes one of thousands cheap.
func merged(list, fresh []upstream.Addition, gone map[uint64]bool) []upstream.Addition {
	if len(gone) == 0 && (len(fresh) == 0 || len(list) == 0 || list[len(list)-1].Index < fresh[0].Index) {
		return append(list, fresh...)
	}
	next := make([]upstream.Addition, 0, len(list)+len(fresh))
	for i := range list {
		for len(fresh) > 0 && fresh[0].Index < list[i].Index {
			next, fresh = append(next, fresh[0]), fresh[1:]
		}
		if !gone[list[i].Index] {
			next = append(next, list[i])
		}
	}
	return append(next, fresh...)
}

// agreedServer translates a server that was added. All nodes must mean the same
// addresses by its name, so a name is always followed, never looked up by each.
func agreedServer(s *consensus.Server) (upstream.Server, error) {
	line, err := new(config.Upstream).ParseServer([]string{s.Name})
	if err != nil {
		return upstream.Server{}, err
	}
	out := upstream.Server{
		Name: s.Name, Weight: s.Weight, MaxConns: s.MaxConns, MaxFails: s.MaxFails, FailTimeout: s.FailTimeout, SlowStart: s.SlowStart,
		Route: s.Route, Backup: s.Backup, Down: s.Down, Drain: s.Drain,
	}
	if line.Unix != "" {
		out.Addrs = []upstream.Addr{{Path: line.Unix}}
		return out, nil
	}
	if at, ok := line.Fixed(); ok {
		out.Addrs = []upstream.Addr{{AddrPort: at}}
		return out, nil
	}
	out.Question, out.Port = upstream.Question{Host: line.Host, Service: s.Service}, line.Port
	return out, nil
}
