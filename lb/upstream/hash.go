package upstream

import (
	"hash/crc32"
	"strconv"
)

// keyHash binds a key to a peer as Cache::Memcached does: further rounds put
// their number before the key and add to the hash.
type keyHash struct{}

func (keyHash) prepare(g, _ *group) { g.table = newShares(g) }

func (keyHash) pick(g *group, a *PickArgs, now int64) int {
	if a.rounds > maxRounds || len(g.slots) < 2 || len(a.Key) == 0 {
		return roundRobin{}.pick(g, a, now)
	}
	if i := g.hinted(a, now); i >= 0 {
		return i
	}
	if !a.seeded {
		a.seeded, a.hash, a.rehashes = true, 0, 0
	}
	for table := g.table.(shares); ; {
		a.hash += memcachedHash(a.rehashes, a.Key)
		a.rehashes++
		i := table.find(int64(a.hash) % g.total)
		if s := &g.slots[i]; !a.tried.has(i) && s.open(s.hot, now) {
			return i
		}
		if a.rounds++; a.rounds > maxRounds {
			return roundRobin{}.pick(g, a, now)
		}
	}
}

// memcachedHash returns the 15 bits round n takes from the key.
func memcachedHash(n uint32, key []byte) uint32 {
	var crc uint32
	if n > 0 {
		var digits [10]byte
		crc = crc32.ChecksumIEEE(strconv.AppendUint(digits[:0], uint64(n), 10))
	}
	return crc32.Update(crc, crc32.IEEETable, key) >> 16 & 0x7fff
}
