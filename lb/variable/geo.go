package variable

import (
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/config"
)

// Client is a Source that knows its client.
type Client interface {
	// ClientAddr is invalid for clients of unix sockets.
	ClientAddr() netip.Addr
	// ForwardedFor is the client's X-Forwarded-For, all of its fields joined
	// by commas; nil: there is none.
	ForwardedFor() []byte
}

// Geo is a compiled geo block: a variable whose value is found by an address.
type Geo struct {
	conf      *config.Geo
	conflict  error // over the variable's name; told by Compile
	source    *Text // nil: the client's address
	segments  []segment
	otherwise []byte
}

// segment is a range of addresses with one value. Segments are sorted and do
// not overlap.
type segment struct {
	low, high netip.Addr
	value     []byte
}

// NewGeo declares the variable of a geo block; Compile must follow before it
// is read.
func NewGeo(t *Table, conf *config.Geo) *Geo {
	g := &Geo{conf: conf, otherwise: []byte(conf.Default)}
	g.conflict = t.AddBlock(conf.Name, g.get)
	return g
}

// Compile resolves the block's variable and arranges its addresses.
func (g *Geo) Compile(t *Table) (err error) {
	if g.conflict != nil {
		return g.conf.Pos.Errorf("%v", g.conflict)
	}
	if !g.conf.Source.IsZero() {
		if g.source, err = CompileConfig(t, g.conf.Source); err != nil {
			return err
		}
	}
	g.segments = flatten(g.conf.Entries)
	return nil
}

func (g *Geo) get(s Source) ([]byte, bool) {
	addr, ok := g.address(s)
	if !ok {
		addr = netip.AddrFrom4([4]byte{255, 255, 255, 255}) // where nginx looks
	}
	i, found := slices.BinarySearchFunc(g.segments, addr, func(e segment, a netip.Addr) int { return e.low.Compare(a) })
	if !found {
		i--
	}
	if i >= 0 && g.segments[i].high.Compare(addr) >= 0 {
		return g.segments[i].value, true
	}
	return g.otherwise, true
}

// address is the one to look up: the client's or the variable's, or what a
// trusted proxy forwarded.
func (g *Geo) address(s Source) (netip.Addr, bool) {
	client, _ := s.(Client)
	var addr netip.Addr
	switch {
	case g.source != nil:
		var ok bool
		if addr, ok = parseAddr(g.source.Value(s)); !ok {
			return addr, false
		}
	case client != nil:
		addr = client.ClientAddr()
	}
	if len(g.conf.Proxies) > 0 && client != nil && addr.IsValid() {
		if list := client.ForwardedFor(); list != nil {
			addr = Forwarded(addr, list, g.conf.Proxies, g.conf.Recursive)
		}
	}
	return addr.Unmap().WithZone(""), addr.IsValid()
}
