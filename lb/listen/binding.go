package listen

import (
	"fmt"
	"net"
	"net/netip"
)

// Binding tells which of the configured addresses one socket serves. It belongs to one generation, unlike the socket, and is
// safe for use by many goroutines.
type Binding struct {
	// Socket is where connections for these addresses arrive. It is the same pointer for as long as the address is configured.
	Socket *Socket
	// Specs are indexes into the specs given to [Set.Open]. The last is the address the socket is bound to;
	// those before it, if any, are more specific addresses served through a wildcard socket.
	Specs []int

	addrs []netip.Addr // of Specs, without the last
}

// Spec returns the index of the spec that a connection with this local address belongs to.
func (b *Binding) Spec(local net.Addr) int {
	last := len(b.Specs) - 1
	if last == 0 {
		return b.Specs[0]
	}
	tcp, ok := local.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return b.Specs[last]
	}
	addr := tcp.AddrPort().Addr().Unmap() // the zero Addr matches nothing
	for i, a := range b.addrs {
		if a == addr || a.Zone() == "" && a == addr.WithZone("") {
			return b.Specs[i]
		}
	}
	return b.Specs[last]
}

// plan groups the specs by the sockets they need, in the order of the specs. Sockets are left unset.
func plan(specs []Spec) ([]Binding, error) {
	type family struct {
		port uint16
		v4   bool
	}
	wildcards := make(map[family]int)
	seen := make(map[string]bool)
	for i := range specs {
		s := &specs[i]
		if s.Path == "" && !s.Addr.IsValid() {
			return nil, fmt.Errorf("listen address %d has neither an address nor a path", i)
		}
		if seen[s.Name()] {
			return nil, fmt.Errorf("a duplicate listen %s", s.Name())
		}
		seen[s.Name()] = true
		if s.wildcard() && s.Addr.Port() != 0 {
			wildcards[family{s.Addr.Port(), s.Addr.Addr().Is4()}] = i
		}
	}
	covered := make(map[int][]int) // wildcard spec → the specific ones it serves
	var own []int
	for i := range specs {
		s := &specs[i]
		w, ok := wildcards[family{s.Addr.Port(), s.Addr.Addr().Is4()}]
		if s.Path == "" && ok && w != i && !s.Bind {
			covered[w] = append(covered[w], i)
			continue
		}
		own = append(own, i)
	}
	bindings := make([]Binding, 0, len(own))
	for _, i := range own {
		b := Binding{Specs: append(covered[i], i)}
		for _, j := range covered[i] {
			b.addrs = append(b.addrs, specs[j].Addr.Addr())
		}
		bindings = append(bindings, b)
	}
	return bindings, nil
}
