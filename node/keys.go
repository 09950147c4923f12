package node

import (
	"fmt"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/upstream"
)

// stickyKeys translates the ring of sticky keys. An empty one has keys that are
// yet to come.
func stickyKeys(r consensus.Ring) (*upstream.Keys, error) {
	if len(r) == 0 {
		return upstream.NoKeys(), nil
	}
	list := make([]upstream.Key, len(r))
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
	return upstream.NewKeys(list)
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
