package node

import (
	"fmt"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/upstream"
)

// stickyKeys translates the ring of sticky keys. first is the key that all nodes
// of a cluster have from the start, nil without one: it seals as long as the ring
// is empty, so that no client loses its server because the cluster is about to be
// formed, and opens from then on, since a node that knows of no ring may come at
// any time.
func stickyKeys(r consensus.Ring, first []byte) (*upstream.Keys, error) {
	list := make([]upstream.Key, len(r), len(r)+1)
	for i := range r {
		k, state := &r[i], upstream.KeyRetiring
		switch k.State {
		case consensus.KeyNext:
			state = upstream.KeyNext
		case consensus.KeyActive:
			state = upstream.KeyActive
		}
		if len(k.Secret) != upstream.KeySize {
			return nil, fmt.Errorf("sticky key %d has %d bytes, not %d", k.ID, len(k.Secret), upstream.KeySize)
		}
		list[i] = upstream.Key{ID: k.ID, State: state, Secret: [upstream.KeySize]byte(k.Secret)}
	}
	if first == nil {
		return upstream.NewKeys(list)
	}
	state := upstream.KeyRetiring
	if len(r) == 0 {
		state = upstream.KeyActive
	}
	if id := firstStickyID(first); !hasKey(r, id) {
		list = append(list, upstream.Key{ID: id, State: state, Secret: [upstream.KeySize]byte(first)})
	}
	return upstream.NewKeys(list)
}

// firstStickyID is the id of the key that all nodes have from the start. In a
// cluster that is formed it is the first of the ring, too, so that nobody meets
// an id that it cannot open yet.
func firstStickyID(first []byte) uint16 {
	secret := [upstream.KeySize]byte(first)
	return upstream.KeyID(&secret)
}

// ticketKeys translates the ring of keys for TLS session tickets: the active one
// seals and comes first, then those that have sealed, the latest first, and last
// the one that is to seal next.
func ticketKeys(r consensus.Ring) [][32]byte {
	var keys [][32]byte
	add := func(state consensus.KeyState) {
		for i := len(r) - 1; i >= 0; i-- {
			if r[i].State == state && len(r[i].Secret) == 32 {
				keys = append(keys, [32]byte(r[i].Secret))
			}
		}
	}
	add(consensus.KeyActive)
	if len(keys) == 0 {
		return nil // nobody seals yet
	}
	add(consensus.KeyRetiring)
	add(consensus.KeyNext)
	return keys
}
