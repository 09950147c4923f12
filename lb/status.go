package lb

import (
	"cmp"
	"slices"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/wire"
)

// UpstreamStatus is an upstream at one moment.
type UpstreamStatus struct {
	Config  *config.Upstream  // read only
	Servers []upstream.Server // lines and what was added, without orders
	Pool    upstream.PoolStatus
	Queued  int // requests that wait for a server
}

// Upstreams returns the upstreams of the configuration in force, sorted by name;
// with a name only that one, if there is one. It holds up requests to each of
// them for a moment.
func (b *Balancer) Upstreams(name string) []UpstreamStatus {
	g := b.current.Load()
	if g == nil || g.conf.HTTP == nil {
		return nil
	}
	var list []UpstreamStatus
	for _, u := range g.conf.HTTP.Upstreams {
		if name == "" || u.Name == name {
			r := g.zones[u.Name].roster
			list = append(list, UpstreamStatus{Config: u, Servers: r.Servers(), Pool: r.Pool().Status(wire.Now()), Queued: r.Pool().Queued()})
		}
	}
	slices.SortFunc(list, func(a, b UpstreamStatus) int { return cmp.Compare(a.Config.Name, b.Config.Name) })
	return list
}

// UpstreamConfigs returns what the configuration in force says of its upstreams:
// read only.
func (b *Balancer) UpstreamConfigs() []*config.Upstream {
	g := b.current.Load()
	if g == nil || g.conf.HTTP == nil {
		return nil
	}
	return g.conf.HTTP.Upstreams
}
