package http2

import (
	"strconv"
	"sync"
)

// Encoder compresses the header fields of one direction of a connection
// (RFC 7541). A field is entered into the dynamic table when it comes for the
// second time in a short while, so that what never comes again does not drive
// out what does. It is for one goroutine at a time, and allocates nothing in
// steady state. The zero value is ready.
type Encoder struct {
	table  *table        // nil: empty, and no memory is held
	limit  uint32        // what the peer allows; 0 until told otherwise means 4096
	told   bool          // limit was set
	lowest uint32        // the smallest limit since the last block, of which the peer must hear
	update bool          // the next block begins with the table's size
	seen   [16][4]uint32 // fields that came a short while ago, the latest first in each set
}

var tables = sync.Pool{New: func() any { return newTable() }}

// SetLimit obeys the peer's SETTINGS_HEADER_TABLE_SIZE.
func (e *Encoder) SetLimit(n uint32) {
	n = min(n, tableBytes)
	if !e.told {
		e.told, e.limit = true, tableBytes
	}
	if n == e.limit {
		return
	}
	if !e.update || n < e.lowest {
		e.lowest = n
	}
	e.update, e.limit = true, n
	if e.table != nil {
		e.table.resize(int(n))
	}
}

// Rest gives the table's memory back; the peer will be told to empty its own.
func (e *Encoder) Rest() {
	if e.table == nil {
		return
	}
	if !e.told {
		e.told, e.limit = true, tableBytes
	}
	e.table.clear()
	tables.Put(e.table)
	e.table = nil
	e.update, e.lowest = true, 0
	clear(e.seen[:])
}

// Begin appends what must stand at the start of a header block.
func (e *Encoder) Begin(dst []byte) []byte {
	if e.table == nil {
		e.table = tables.Get().(*table)
		if e.told {
			e.table.resize(int(e.limit))
		}
	}
	if e.update {
		if e.lowest < e.limit {
			dst = appendInt(dst, 5, 0x20, uint64(e.lowest))
		}
		dst = appendInt(dst, 5, 0x20, uint64(e.limit))
		e.update = false
	}
	return dst
}

// AppendIndexed appends an entry of the static table.
func (e *Encoder) AppendIndexed(dst []byte, index uint64) []byte {
	return appendInt(dst, 7, 0x80, index)
}

// AppendStatus appends the pseudo-header field of a reply.
func (e *Encoder) AppendStatus(dst []byte, status int) []byte {
	if i := staticStatus(status); i != 0 {
		return e.AppendIndexed(dst, i)
	}
	var text [8]byte
	return e.Append(dst, []byte(":status"), strconv.AppendInt(text[:0], int64(status), 10))
}

// Append appends a field; its name must be in lower case. Fields that hold
// secrets are never entered into a table, neither here nor by those who pass
// them on (RFC 7541, 7.1).
func (e *Encoder) Append(dst []byte, name, value []byte) []byte {
	static := staticName(name)
	if isSecret(static) {
		return appendLiteral(dst, neverIndexed, static, name, value)
	}
	t := e.table
	n, pair := t.hash(name, value)
	both, only := t.find(n, pair, name, value)
	if both != 0 {
		return appendInt(dst, 7, 0x80, both)
	}
	if static != 0 {
		only = static
	}
	if !e.returns(pair) || !t.fits(name, value) {
		return appendLiteral(dst, notIndexed, only, name, value)
	}
	dst = appendLiteral(dst, entered, only, name, value)
	t.add(n, pair, name, value)
	return dst
}

// returns notes a field and tells whether it was noted a short while ago. Sets
// of several keep two fields that always come together from driving each other
// out.
func (e *Encoder) returns(pair uint32) bool {
	set := &e.seen[pair/2%uint32(len(e.seen))]
	for _, known := range set {
		if known == pair {
			return true
		}
	}
	copy(set[1:], set[:])
	set[0] = pair
	return false
}

// isSecret tells whether a field of the static table may hold a secret.
func isSecret(static uint64) bool {
	switch static {
	case 23, 32, 49, 55: // authorization, cookie, proxy-authorization, set-cookie
		return true
	}
	return false
}

// The forms of a literal field (RFC 7541, 6.2).
const (
	entered      = 0x40 // into the dynamic table
	notIndexed   = 0x00
	neverIndexed = 0x10
)

// appendLiteral appends a field that is in no table, its name by index if that
// is not 0.
func appendLiteral(dst []byte, form byte, index uint64, name, value []byte) []byte {
	prefix := uint8(4)
	if form == entered {
		prefix = 6
	}
	dst = appendInt(dst, prefix, form, index)
	if index == 0 {
		dst = appendInt(dst, 7, 0, uint64(len(name)))
		dst = append(dst, name...)
	}
	dst = appendInt(dst, 7, 0, uint64(len(value)))
	return append(dst, value...)
}

// appendInt appends an integer behind a bit pattern (RFC 7541, 5.1).
func appendInt(dst []byte, prefix uint8, pattern byte, n uint64) []byte {
	limit := uint64(1)<<prefix - 1
	if n < limit {
		return append(dst, pattern|byte(n))
	}
	dst = append(dst, pattern|byte(limit))
	for n -= limit; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}
