package proxy

import (
	"net/netip"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// binding is proxy_bind: the address from which connections are made.
type binding struct {
	fixed       netip.AddrPort
	text        *variable.Text // instead of fixed, where variables give it
	transparent bool
}

func (c *compiler) binding(b config.ProxyBind) (x binding) {
	if b.Address.IsZero() {
		return x
	}
	text := c.text(b.Address)
	if c.err != nil {
		return x
	}
	x.transparent = b.Transparent
	literal, ok := text.Static()
	if !ok {
		x.text = text
		return x
	}
	if x.fixed, ok = localAddress(string(literal)); !ok {
		c.err = b.Address.Pos.Errorf(`invalid address "%s"`, literal)
	}
	return x
}

// localAddress reads an address with an optional port; 0 leaves the port to
// the system.
func localAddress(text string) (netip.AddrPort, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr, 0), true
	}
	both, err := netip.ParseAddrPort(text)
	return both, err == nil
}

// from puts an address into a profile and its key.
func (b *binding) from(p *connect.Profile, addr netip.AddrPort) {
	if !addr.IsValid() {
		return
	}
	p.Bind, p.Transparent = addr, b.transparent
	p.Key += " from " + addr.String()
}

// bound returns a profile with the address that the request's variables give.
// What is no address binds to none.
func (b *binding) bound(x *exchange, p *connect.Profile) *connect.Profile {
	if b.text == nil {
		return p
	}
	value := b.text.Value(x.r)
	addr, ok := localAddress(string(value))
	if !ok {
		if len(value) > 0 {
			x.r.Logf(errorlog.Error, `invalid local address "%s"`, value)
		}
		return p
	}
	made := *p
	b.from(&made, addr)
	return &made
}
