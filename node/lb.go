package node

import (
	"context"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/lb"
)

// dataPlane is package lb behind the interface that a node drives.
type dataPlane struct{ b *lb.Balancer }

// newDataPlane makes the balancer that serves in earnest.
func newDataPlane(o BalancerOptions) (Balancer, error) {
	b, err := lb.New(lb.Options{Logs: o.Logs, Log: o.Log, Version: o.Version, Resolver: discovery.New()})
	if err != nil {
		return nil, err
	}
	return dataPlane{b}, nil
}

// Check implements Balancer.
func (d dataPlane) Check(cfg *config.Config) error { return d.b.Check(cfg) }

// Prepare implements Balancer.
func (d dataPlane) Prepare(cfg *config.Config) (Generation, error) {
	p, err := d.b.Prepare(cfg)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Drain implements Balancer.
func (d dataPlane) Drain(ctx context.Context) error { return d.b.Drain(ctx) }

// Close implements Balancer.
func (d dataPlane) Close() error { return d.b.Close() }
