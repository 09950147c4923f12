package gossip

import (
	"encoding/binary"
	"math"
)

// digest is what a node says of itself in each acknowledgement of a ping.
type digest struct {
	boot    uint64
	hash    uint64 // over all ledgers of members that are alive
	applied uint64
	load    uint16
}

const digestVersion = 1

func (d digest) encode() []byte {
	b := append(make([]byte, 0, 40), digestVersion)
	b = binary.BigEndian.AppendUint64(b, d.hash)
	b = binary.AppendUvarint(b, d.boot)
	b = binary.AppendUvarint(b, d.applied)
	return binary.AppendUvarint(b, uint64(d.load))
}

// decodeDigest is the counterpart of encode. What a newer version has added at the end is passed over.
func decodeDigest(b []byte) (digest, error) {
	r := reader{rest: b}
	if r.byte() < digestVersion {
		r.bad = true
	}
	d := digest{hash: r.uint64(), boot: r.uvarint(), applied: r.uvarint()}
	load := r.uvarint()
	if r.bad || load > math.MaxUint16 {
		return digest{}, errMalformed
	}
	d.load = uint16(load)
	return d, nil
}

// hashOf sums up how far ledgers go. Equal vectors have equal hashes, whatever their order; the chance of the reverse is
// one in 2^64.
func hashOf(vector map[nodeID]mark) (sum uint64) {
	for id, m := range vector {
		h := mix(binary.BigEndian.Uint64(id[:8]))
		h = mix(h ^ binary.BigEndian.Uint64(id[8:]))
		h = mix(h ^ m.boot)
		sum ^= mix(h ^ m.seq)
	}
	return sum
}

// mix spreads each bit over all 64: the finalizer of splitmix64 by Guy Steele, Doug Lea and Christine Flood.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
