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
	index   uint64 // of the last overlay; of its own, since a cluster may be formed anew
	edits   map[string]agreedEdits
	answers map[subject]uint64 // when each was agreed on
}

// agreedEdits are those of an upstream as they were translated last.
type agreedEdits struct {
	modified uint64
	edits    upstream.Edits
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
	edits := map[string]agreedEdits{}
	changed = o.edits == nil
	s.Upstreams(func(name string, e consensus.Edits) {
		known, ok := o.edits[name]
		if !ok || known.modified != e.Modified {
			translated, failed := editsOf(name, &e)
			known = agreedEdits{e.Modified, translated}
			changed, err = true, errors.Join(err, failed)
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

// editsOf translates the edits of one upstream.
func editsOf(name string, e *consensus.Edits) (out upstream.Edits, failed error) {
	out.Seeded = e.Seeded
	e.Added.Each(func(_ consensus.ServerID, a consensus.Addition) {
		server, err := agreedServer(&a.Server)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("server %q that was added to upstream %q: %w", a.Server.Name, name, err))
			return
		}
		out.Added = append(out.Added, upstream.Addition{Index: a.Created, Server: server})
	})
	slices.SortFunc(out.Added, func(a, b upstream.Addition) int { return cmp.Compare(a.Index, b.Index) })
	out.Changed, out.Removed = map[upstream.ServerID]upstream.Edit{}, map[upstream.ServerID]bool{}
	e.Changed.Each(func(id consensus.ServerID, c consensus.Changed) {
		out.Changed[upstream.ServerID(id)] = upstream.Edit(c.Edit)
	})
	e.Removed.Each(func(id consensus.ServerID, _ consensus.Removal) { out.Removed[upstream.ServerID(id)] = true })
	orders := map[consensus.OrderKind]upstream.Order{
		consensus.OrderUp: upstream.OrderUp, consensus.OrderDrain: upstream.OrderDrain, consensus.OrderDown: upstream.OrderDown,
	}
	out.Orders = map[upstream.ServerID]upstream.Order{}
	e.Orders.Each(func(id consensus.ServerID, o consensus.Order) { out.Orders[upstream.ServerID(id)] = orders[o.Kind] })
	return out, failed
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
