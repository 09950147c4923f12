package gossip

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// meshLimit is how many nodes are all neighbours of each other for bulk. Beyond it each has four.
const meshLimit = 16

// neighbours are the members to which a node passes on by stream what is too much for packets: all others in a small
// cluster, else those before and after it on two rings in which all nodes stand, ordered by two hashes. Every node
// computes the same rings of the same members, so being neighbours is mutual, and one node more or less changes a few.
func neighbours(self nodeID, others []nodeID) []nodeID {
	if len(others) < meshLimit {
		return others
	}
	var list []nodeID
	for ring := range uint64(2) {
		around := append(slices.Clone(others), self)
		slices.SortFunc(around, func(a, b nodeID) int {
			return cmp.Or(cmp.Compare(position(a, ring), position(b, ring)), slices.Compare(a[:], b[:]))
		})
		at := slices.Index(around, self)
		for _, next := range []int{at + 1, at + len(around) - 1} {
			if id := around[next%len(around)]; !slices.Contains(list, id) {
				list = append(list, id)
			}
		}
	}
	return list
}

// position is where a node stands on a ring.
func position(id nodeID, ring uint64) uint64 {
	return mix(mix(binary.BigEndian.Uint64(id[:8])^ring) ^ binary.BigEndian.Uint64(id[8:]))
}
