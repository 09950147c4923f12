package http2

import "hash/maphash"

const (
	// tableBytes is the most that an encoder's dynamic table may hold, in the
	// measure of RFC 7541, 4.1, whatever the peer would allow.
	tableBytes = 4096

	entryOverhead = 32
	tableEntries  = tableBytes / entryOverhead // a power of two
)

// table is the dynamic table of an encoder (RFC 7541, 2.3.2): a ring of
// entries whose bytes lie one behind the other in one buffer.
type table struct {
	seed    maphash.Seed
	pairs   [tableEntries]uint32 // hashes of name and value
	names   [tableEntries]uint32 // hashes of the name
	entries [tableEntries]entry
	first   uint32 // number of the oldest entry
	next    uint32 // number of the entry to come
	size    int    // by RFC 7541, 4.1
	max     int
	buf     []byte
}

// entry tells where the bytes of a name and its value lie.
type entry struct {
	at          uint32
	name, value uint16
}

func (e entry) size() int { return int(e.name) + int(e.value) + entryOverhead }

func newTable() *table { return &table{seed: maphash.MakeSeed(), max: tableBytes} }

// hash returns the hashes of a name alone and with its value.
func (t *table) hash(name, value []byte) (n, pair uint32) {
	h := maphash.Bytes(t.seed, name)
	return uint32(h), uint32(maphash.Bytes(t.seed, value)+h*0x9e3779b1) | 1
}

func (t *table) slot(number uint32) uint32 { return number % tableEntries }

// find returns the index (RFC 7541, 2.3.3) of the entry with name and value,
// or of one with the name; 0: there is none.
func (t *table) find(n, pair uint32, name, value []byte) (both, only uint64) {
	for i := t.next; i != t.first; i-- {
		at := t.slot(i - 1)
		if t.pairs[at] == pair && t.is(at, name, value) {
			return staticLast + uint64(t.next-i) + 1, 0
		}
		if only == 0 && t.names[at] == n && t.bears(at, name) {
			only = staticLast + uint64(t.next-i) + 1
		}
	}
	return 0, only
}

func (t *table) bears(at uint32, name []byte) bool {
	e := t.entries[at]
	return string(t.buf[e.at:e.at+uint32(e.name)]) == string(name)
}

func (t *table) is(at uint32, name, value []byte) bool {
	e := t.entries[at]
	from := e.at + uint32(e.name)
	return t.bears(at, name) && string(t.buf[from:from+uint32(e.value)]) == string(value)
}

// fits tells whether an entry can be added without emptying the table.
func (t *table) fits(name, value []byte) bool {
	return len(name)+len(value)+entryOverhead <= t.max/2
}

// add puts a field into the table; it must fit.
func (t *table) add(n, pair uint32, name, value []byte) {
	need := len(name) + len(value)
	for t.size+need+entryOverhead > t.max {
		t.evict()
	}
	if len(t.buf)+need > 2*tableBytes {
		t.compact()
	}
	at := t.slot(t.next)
	t.pairs[at], t.names[at] = pair, n
	t.entries[at] = entry{uint32(len(t.buf)), uint16(len(name)), uint16(len(value))}
	t.buf = append(append(t.buf, name...), value...)
	t.size += need + entryOverhead
	t.next++
}

// evict drops the oldest entry.
func (t *table) evict() {
	t.size -= t.entries[t.slot(t.first)].size()
	t.first++
}

// compact moves what is in use to the front of the buffer.
func (t *table) compact() {
	if t.first == t.next {
		t.buf = t.buf[:0]
		return
	}
	from := t.entries[t.slot(t.first)].at
	t.buf = t.buf[:copy(t.buf, t.buf[from:])]
	for i := t.first; i != t.next; i++ {
		t.entries[t.slot(i)].at -= from
	}
}

// resize makes the table's bound smaller or larger.
func (t *table) resize(max int) {
	t.max = max
	for t.size > max {
		t.evict()
	}
}

// clear empties the table.
func (t *table) clear() {
	t.first, t.next, t.size, t.max = 0, 0, 0, tableBytes
	t.buf = t.buf[:0]
}
