package node

import (
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/lb"
)

// dataPlane is package lb behind the interface that a node drives, and what
// feeds it.
type dataPlane struct {
	*lb.Balancer
	feed *feed
}

// newDataPlane makes the balancer that serves in earnest.
func newDataPlane(o BalancerOptions) (Balancer, error) {
	names := discovery.New()
	f := newFeed(names, o.Log)
	options := lb.Options{Logs: o.Logs, Log: o.Log, Version: o.Version, Resolver: names}
	if o.Clustered {
		options.Outlet = f
	}
	var err error
	if f.balancer, err = lb.New(options); err != nil {
		return nil, err
	}
	return &dataPlane{f.balancer, f}, nil
}

// feedOf gives what feeds a balancer with what nodes share; nil for one that
// takes none of it.
func feedOf(b Balancer) *feed {
	if d, ok := b.(*dataPlane); ok {
		return d.feed
	}
	return nil
}

// Prepare implements Balancer.
func (d *dataPlane) Prepare(cfg *config.Config) (Generation, error) {
	p, err := d.Balancer.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	g := &generation{Prepared: p, plane: d, foreseen: func() {}}
	if d.Serves() {
		g.foreseen = d.feed.foresee(p)
	}
	return g, nil
}

// Close implements Balancer.
func (d *dataPlane) Close() error {
	d.feed.close()
	return d.Balancer.Close()
}

// generation is a prepared configuration with what is known of its upstreams.
type generation struct {
	*lb.Prepared
	plane    *dataPlane
	foreseen func() // ends what was followed for its beginning
}

// Start implements Generation.
func (g *generation) Start() (retired <-chan struct{}) {
	retired = g.Prepared.Start()
	g.plane.feed.follow(g.plane.Queries())
	g.foreseen()
	return retired
}

// Discard implements Generation.
func (g *generation) Discard() {
	g.foreseen()
	g.Prepared.Discard()
}
