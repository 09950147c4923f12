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
	modified uint64
	edits    upstream.Edits
	places   []place // of the servers that were added, sorted by id
}

// place is where a server that was added stands in edits.Added.
type place struct {
	id       consensus.ServerID
	modified uint64
	at       int
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
		if !ok || known.modified != e.Modified {
			translated, failed := editsOf(name, &e, &known)
			known = translated
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

// editsOf translates the edits of one upstream. Servers that were added are
// taken from what was translated before as far as they are the same.
func editsOf(name string, e *consensus.Edits, before *agreedEdits) (next agreedEdits, failed error) {
	next.modified = e.Modified
	out := &next.edits
	out.Seeded = e.Seeded
	failed = next.addedOf(name, e, before)
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
	return next, failed
}

// addedServer is one of an upstream, on its way to its place.
type addedServer struct {
	created uint64
	server  *upstream.Server
	of      int // which of places
}

// addedOf translates the servers that were added to an upstream.
func (n *agreedEdits) addedOf(name string, e *consensus.Edits, before *agreedEdits) (failed error) {
	var list []addedServer
	rest := before.places
	e.Added.Each(func(id consensus.ServerID, a consensus.Addition) {
		for len(rest) > 0 && rest[0].id < id {
			rest = rest[1:]
		}
		s := addedServer{created: a.Created, of: len(n.places)}
		if len(rest) > 0 && rest[0].id == id && rest[0].modified == a.Modified {
			s.server = &before.edits.Added[rest[0].at].Server
		} else if fresh, err := agreedServer(&a.Server); err == nil {
			s.server = &fresh
		} else {
			failed = errors.Join(failed, fmt.Errorf("server %q that was added to upstream %q: %w", a.Server.Name, name, err))
			return
		}
		n.places = append(n.places, place{id: id, modified: a.Modified})
		list = append(list, s)
	})
	slices.SortFunc(list, func(a, b addedServer) int { return cmp.Compare(a.created, b.created) })
	n.edits.Added = slices.Grow(n.edits.Added, len(list))
	for at, s := range list {
		n.places[s.of].at = at
		n.edits.Added = append(n.edits.Added, upstream.Addition{Index: s.created, Server: *s.server})
	}
	return failed
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
