package lb

import (
	"net/netip"
	"strings"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/proxy"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
)

// resolver returns how requests find the upstream that variables name: groups
// first, then addresses; a name needs a resolver.
func (c *compiler) resolver() proxy.Resolve {
	g := c.g
	return func(r *request.Request, host string, port uint16) (*proxy.Target, int) {
		if z := g.zones[host]; z != nil {
			return z.target, 0
		}
		if addrs, ok := literal(host, port); ok {
			target, err := c.b.transients.get(addrs[0].String(), addrs)
			if err != nil {
				r.LogError(errorlog.Error, err.Error())
				return nil, 500
			}
			return target, 0
		}
		r.LogError(errorlog.Error, "no resolver defined to resolve "+host)
		return nil, 502
	}
}

// literal reads an address that needs no look-up.
func literal(host string, port uint16) ([]upstream.Addr, bool) {
	if path, ok := strings.CutPrefix(host, "unix:"); ok {
		return []upstream.Addr{{Path: path}}, true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return nil, false
	}
	return []upstream.Addr{{AddrPort: netip.AddrPortFrom(addr, port)}}, true
}
