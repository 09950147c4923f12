package variable

import (
	"container/heap"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/config"
)

// layer is a network or range as written, with its rank among those that lie
// over it.
type layer struct {
	segment
	bits, order int
}

// flatten turns networks or ranges that lie over each other into segments. The
// longer prefix wins; among equals and among ranges it is the later one.
func flatten(entries []config.GeoEntry) []segment {
	layers := make([]layer, 0, len(entries))
	for i, e := range entries {
		l := layer{segment{e.Low.Unmap(), e.High.Unmap(), []byte(e.Value)}, 0, i}
		if e.Prefix.IsValid() {
			p := e.Prefix.Masked()
			l.low, l.high, l.bits = p.Addr(), lastAddr(p), p.Bits()
		}
		layers = append(layers, l)
	}
	slices.SortStableFunc(layers, func(a, b layer) int { return a.low.Compare(b.low) })
	return sweep(layers, borders(layers))
}

// borders are the addresses at which the winner may change, sorted.
func borders(layers []layer) []netip.Addr {
	var at []netip.Addr
	for _, l := range layers {
		at = append(at, l.low)
		if next := l.high.Next(); next.IsValid() {
			at = append(at, next)
		}
	}
	slices.SortFunc(at, netip.Addr.Compare)
	return slices.Compact(at)
}

// sweep walks from border to border. The heap holds the layers that began, the
// winning one on top; those that ended are taken off when they come up.
func sweep(layers []layer, at []netip.Addr) []segment {
	var out []segment
	var begun layerHeap
	for i, from := range at {
		for len(layers) > 0 && layers[0].low == from {
			heap.Push(&begun, layers[0])
			layers = layers[1:]
		}
		for len(begun) > 0 && begun[0].high.Less(from) {
			heap.Pop(&begun)
		}
		if len(begun) == 0 {
			continue
		}
		to := begun[0].high
		if i+1 < len(at) && at[i+1].Is4() == from.Is4() && at[i+1].Compare(to) <= 0 {
			to = at[i+1].Prev()
		}
		out = append(out, segment{from, to, begun[0].value})
	}
	return out
}

// layerHeap keeps the winning layer first.
type layerHeap []layer

func (h layerHeap) Len() int      { return len(h) }
func (h layerHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h layerHeap) Less(i, j int) bool {
	if h[i].bits != h[j].bits {
		return h[i].bits > h[j].bits
	}
	return h[i].order > h[j].order
}

// Push implements heap.Interface.
func (h *layerHeap) Push(x any) { *h = append(*h, x.(layer)) }

// Pop implements heap.Interface.
func (h *layerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// lastAddr is the highest address of a network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}
