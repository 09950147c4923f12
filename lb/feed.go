package lb

import (
	"errors"
	"slices"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/upstream"
)

// This file is the door through which upstreams are told, while they serve,
// what others find out. Each call replaces a whole value, may be repeated, and
// does not wait for requests.

// Query is a name that an upstream wants to be followed while it serves.
type Query struct {
	Upstream string
	Question upstream.Question
	Resolver *config.Resolver // its Servers are addresses
	Timeout  time.Duration    // of one question
}

// Queries returns the names that the upstreams in force want to be followed.
// They change with the configuration and with SetOverlay.
func (b *Balancer) Queries() []Query {
	var list []Query
	if g := b.current.Load(); g != nil {
		for name, z := range g.zones {
			list = append(list, z.queries(name, z.roster.Questions())...)
		}
	}
	return list
}

// SetAnswer tells an upstream what name servers say. An upstream or question
// that is not in force is no mistake: it has just changed. On an error the
// upstream stays as it is.
func (b *Balancer) SetAnswer(name string, q upstream.Question, a upstream.Answer) error {
	if r := b.table.Find(name); r != nil {
		return r.SetAnswer(q, a)
	}
	return nil
}

// SetOverlay lays what has been agreed on at run time over the servers of all
// upstreams, and writes the state files of those whose servers are others by
// that. Queries may be others after it. On an error it is in force all the same,
// as far as it can be. One that is older than what is in force changes nothing.
func (b *Balancer) SetOverlay(o upstream.Overlay) error {
	failed := b.table.SetOverlay(o)
	if g := b.current.Load(); g != nil {
		failed = errors.Join(failed, g.saveStates())
	}
	return failed
}

// saveStates writes the state files of upstreams whose servers are others than
// these say.
func (g *generation) saveStates() (failed error) {
	for _, z := range g.zones {
		if z.state != nil {
			failed = errors.Join(failed, z.state.save(z.roster.Lines()))
		}
	}
	return failed
}

// Queries returns the names that the prepared configuration wants to be
// followed and of which its upstreams know nothing yet.
func (p *Prepared) Queries() []Query {
	var open []Query
	for name, z := range p.c.g.zones {
		questions := slices.DeleteFunc(z.change.Questions(), z.change.Answered)
		open = append(open, z.queries(name, questions)...)
	}
	return open
}

// SetAnswer is that of Balancer for a configuration that does not serve yet,
// whose upstreams then begin with the servers the answer gives.
func (p *Prepared) SetAnswer(name string, q upstream.Question, a upstream.Answer) {
	p.c.g.zones[name].change.SetAnswer(q, a)
}

// queries puts questions of an upstream. Without a resolver, servers that were
// added by name stay without addresses.
func (z *pool) queries(name string, questions []upstream.Question) []Query {
	if z.resolver == nil {
		return nil
	}
	var list []Query
	for _, q := range questions {
		list = append(list, Query{Upstream: name, Question: q, Resolver: z.resolver, Timeout: z.resolverTimeout})
	}
	return list
}

// Queued is how many requests wait for a server of an upstream.
func (b *Balancer) Queued(name string) int {
	if r := b.table.Find(name); r != nil {
		return r.Pool().Queued()
	}
	return 0
}

// Connections returns how many connections of clients are open.
func (b *Balancer) Connections() int64 {
	active, _, _, _ := b.counts()
	return active
}

// PeersEdition tells the peers of one moment from those of another: it is equal
// as long as none came or went.
type PeersEdition struct{ generation, changes uint64 }

// PeersEdition returns that of what Peers returns now, or a moment later.
func (b *Balancer) PeersEdition() (e PeersEdition) {
	if g := b.current.Load(); g != nil {
		e.generation = g.number
		for _, z := range g.zones {
			e.changes += z.roster.PeersEdition()
		}
	}
	return e
}

// Peers returns the names of all peers of the upstreams in force, in no order.
func (b *Balancer) Peers() []upstream.PeerID {
	var list []upstream.PeerID
	if g := b.current.Load(); g != nil {
		for _, z := range g.zones {
			for _, p := range z.roster.Pool().Peers() {
				list = append(list, p.PeerID())
			}
		}
	}
	return list
}

// SetNodes tells who shares the checking of servers; the zero Nodes and those of
// one: this node checks all itself.
func (b *Balancer) SetNodes(n health.Nodes) { b.checker.SetNodes(n) }

// Hear takes in what other nodes say of servers, in any order and any number of
// times: of what one node says of one peer, the report of the largest Boot and
// then Seq counts. Peers that are in no upstream (yet) may be among them.
func (b *Balancer) Hear(list []health.Report) { b.checker.Hear(list) }

// RefreshReports notes signs of life of nodes: all they have reported holds on.
// Reports of a node that gives none for ten seconds, or three intervals of a
// check if that is longer, do not count.
func (b *Balancer) RefreshReports(nodes []string) { b.checker.Refresh(nodes) }
