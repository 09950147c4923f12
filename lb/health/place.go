package health

import (
	"math"
	"net/netip"

	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/upstream"
)

// Place is where a check asks: at a peer or at another port of it, over a
// connection that is kept between probes where the check wants that. Traffic
// has no part in it.
type Place struct {
	peer *upstream.Peer // a stand-in for the one that requests go to
	pool *upstream.Pool
	idle *connect.Group
}

// newPlace returns the place of one check of a peer.
func newPlace(p *upstream.Peer, check *Check) *Place {
	addr := p.Addr
	if check.Port != 0 && addr.Path == "" {
		addr.AddrPort = netip.AddrPortFrom(addr.AddrPort.Addr(), check.Port)
	}
	pool, err := upstream.NewPool(upstream.Config{
		Name: p.PeerID().Upstream, Servers: []upstream.Server{{Name: p.Server, Addrs: []upstream.Addr{addr}, Weight: 1}},
	}, nil)
	if err != nil {
		panic(err) // one server is always enough, and it has no limits
	}
	limits := connect.Keepalive{Requests: math.MaxInt, Time: check.KeepaliveTime}
	if check.KeepaliveTime > 0 {
		limits.Connections = 1
	}
	return &Place{peer: pool.Peers()[0], pool: pool, idle: connect.NewGroup(limits)}
}

// close closes what is kept.
func (p *Place) close() {
	p.pool.Retire()
	p.idle.Close()
}
