package store

import "sync"

// record is what the index holds of a key. It has no pointers, so that the
// garbage collector need not look at a hundred thousand of them.
type record struct {
	key          Key
	proof        uint64 // of the file whose body was checked; 0: of none
	next         uint32 // in the bucket
	newer, older uint32 // in order of use
	used         uint32 // seconds of Unix time
	blocks       uint32 // of the file, of blockSize; 0: nothing is stored
	live         uint32 // place in shard.live; 0: not open
	uses         uint16
	seen         bool // the file is known to be ours
}

// blockSize is what sizes on disk are counted in.
const blockSize = 4096

func blocksOf(size int64) uint32 { return uint32((size + blockSize - 1) / blockSize) }

// shard is a part of the index with a lock of its own, which is never held
// while a file is touched.
type shard struct {
	mu      sync.Mutex
	records []record // the first is the end of the ring of use
	buckets []uint32 // first record of each; a power of two
	free    uint32   // first of the unused records, linked by next
	count   int
	removed uint64 // counts what was removed; see Zone.admit
	live    liveSet
	_       [64]byte // keeps neighbours off the same cache line
}

func (s *shard) init() {
	s.records = make([]record, 1, 16)
	s.buckets = make([]uint32, 16)
	s.live.init()
}

// spread mixes a group with the zone's seed, so that nobody who chooses keys
// can choose where they fall.
func spread(group, seed uint64) uint64 {
	x := (group ^ seed) * 0x9e3779b97f4a7c15
	x ^= x >> 32
	return x * 0xd6e8feb86659fd93
}

func (s *shard) bucket(hash uint64) *uint32 {
	return &s.buckets[(hash>>16)&uint64(len(s.buckets)-1)]
}

// find returns the record of a key, or 0.
func (s *shard) find(key *Key, hash uint64) uint32 {
	for i := *s.bucket(hash); i != 0; i = s.records[i].next {
		if s.records[i].key == *key {
			return i
		}
	}
	return 0
}

// insert adds a record for a key that has none, as the most recently used.
func (s *shard) insert(key *Key, hash uint64, used uint32) uint32 {
	i := s.add(key, hash, used)
	s.link(i, 0, s.records[0].older)
	return i
}

// insertOldest adds a record as the least recently used.
func (s *shard) insertOldest(key *Key, hash uint64, used uint32) uint32 {
	i := s.add(key, hash, used)
	s.link(i, s.records[0].newer, 0)
	return i
}

func (s *shard) add(key *Key, hash uint64, used uint32) uint32 {
	i := s.free
	if i != 0 {
		s.free = s.records[i].next
	} else {
		i = uint32(len(s.records))
		s.records = append(s.records, record{})
	}
	b := s.bucket(hash)
	s.records[i] = record{key: *key, used: used, next: *b}
	*b = i
	s.count++
	return i
}

// grow doubles the buckets when there are more records than them; hash gives
// each its place.
func (s *shard) grow(hash func(*Key) uint64) {
	if s.count <= len(s.buckets) {
		return
	}
	s.buckets = make([]uint32, 2*len(s.buckets))
	for i := s.records[0].older; i != 0; i = s.records[i].older {
		r := &s.records[i]
		b := s.bucket(hash(&r.key))
		r.next, *b = *b, i
	}
}

// remove takes a record out; its blocks and its live entry are the caller's to
// settle before.
func (s *shard) remove(i uint32, hash uint64) {
	at := s.bucket(hash)
	for *at != i {
		at = &s.records[*at].next
	}
	r := &s.records[i]
	*at = r.next
	s.unlink(i)
	*r = record{next: s.free}
	s.free = i
	s.count--
}

// The ring of use: records[0].older is the newest, records[0].newer the oldest.

func (s *shard) link(i, newer, older uint32) {
	r := s.records
	r[i].newer, r[i].older = newer, older
	r[newer].older, r[older].newer = i, i
}

func (s *shard) unlink(i uint32) {
	r := s.records
	r[r[i].newer].older, r[r[i].older].newer = r[i].older, r[i].newer
}

// touch notes a use. Uses within one second count as one, which spares a busy
// record most of the writing.
func (s *shard) touch(i uint32, now uint32) {
	r := &s.records[i]
	if r.used == now {
		return
	}
	r.used = now
	s.unlink(i)
	s.link(i, 0, s.records[0].older)
}

// oldest returns the least recently used record, or 0.
func (s *shard) oldest() uint32 { return s.records[0].newer }
