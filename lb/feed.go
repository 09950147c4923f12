package lb

import (
	"time"

	"github.com/weir-lb/weir/config"
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

// Queries returns the names that the configuration in force wants to be
// followed.
func (b *Balancer) Queries() []Query {
	if g := b.current.Load(); g != nil {
		return g.queries
	}
	return nil
}

// SetAnswer tells an upstream what name servers say. An upstream or question
// that the configuration in force does not have is no mistake: it has just
// changed. On an error the upstream stays as it is.
func (b *Balancer) SetAnswer(name string, q upstream.Question, a upstream.Answer) error {
	if r := b.table.Find(name); r != nil {
		return r.SetAnswer(q, a)
	}
	return nil
}

// Queries returns the names that the prepared configuration wants to be
// followed and of which its upstreams know nothing yet.
func (p *Prepared) Queries() []Query {
	var open []Query
	for _, q := range p.c.g.queries {
		if !p.c.g.zones[q.Upstream].change.Answered(q.Question) {
			open = append(open, q)
		}
	}
	return open
}

// SetAnswer is that of Balancer for a configuration that does not serve yet,
// whose upstreams then begin with the servers the answer gives.
func (p *Prepared) SetAnswer(name string, q upstream.Question, a upstream.Answer) {
	p.c.g.zones[name].change.SetAnswer(q, a)
}

// queries notes what the servers of an upstream want to be followed.
func (c *compiler) queries(u *config.Upstream, servers []upstream.Server) error {
	seen := map[upstream.Question]bool{{}: true}
	for i := range servers {
		question := servers[i].Question
		if seen[question] {
			continue
		}
		seen[question] = true
		conf, err := c.nameServers(u.Resolver)
		if err != nil {
			return err
		}
		c.g.queries = append(c.g.queries, Query{Upstream: u.Name, Question: question, Resolver: conf, Timeout: u.ResolverTimeout})
	}
	return nil
}
