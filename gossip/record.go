package gossip

import "encoding/binary"

// Record is one word of one node about one thing, the newest that is known.
type Record struct {
	Node  string // who says it
	Boot  uint64 // in which of its runs
	Seq   uint64 // the how manieth record of that run it is
	Kind  uint8  // what it is about; see Kind*
	Key   uint64 // about which one of the kind
	Value []byte // at most ValueLimit bytes; none: nothing is said any more
}

// The kinds of records. Those from KindOwn on mean what the caller of Put wants.
const (
	kindReport  uint8 = 1
	kindApplied uint8 = 2
	KindOwn     uint8 = 16 // the first that Put takes
)

// ValueLimit is how long the value of a record can be: some hundreds must fit into a stream's frame, some into a packet.
const ValueLimit = 128

// slot is the place of a record in the ledger of its writer.
type slot struct {
	kind uint8
	key  uint64
}

// entry is a record as tables and messages hold it; writer and run are told once for many.
type entry struct {
	slot
	seq   uint64
	value []byte
}

// batch is what one writer said in one run.
type batch struct {
	writer  nodeID
	boot    uint64
	entries []entry
}

// records makes the public form.
func (b batch) records() []Record {
	writer := b.writer.String()
	list := make([]Record, len(b.entries))
	for i, e := range b.entries {
		list[i] = Record{Node: writer, Boot: b.boot, Seq: e.seq, Kind: e.kind, Key: e.key, Value: e.value}
	}
	return list
}

func appendEntry(b []byte, e entry) []byte {
	b = binary.BigEndian.AppendUint64(append(b, e.kind), e.key)
	b = binary.AppendUvarint(b, e.seq)
	return append(append(b, byte(len(e.value))), e.value...)
}

// entrySize is what an entry needs at most.
func entrySize(e entry) int { return 1 + 8 + binary.MaxVarintLen64 + 1 + len(e.value) }

func (r *reader) entry() entry {
	e := entry{slot: slot{kind: r.byte(), key: r.uint64()}, seq: r.uvarint()}
	size := int(r.byte())
	if size > ValueLimit || e.seq == 0 {
		r.bad = true
	}
	if size > 0 {
		e.value = append([]byte(nil), r.take(size)...)
	}
	return e
}

// The first bytes of a packet.
const (
	packetVersion = 1
	packetHead    = 1 + 16 + binary.MaxVarintLen64
)

func appendPacketHead(b []byte, writer nodeID, boot uint64) []byte {
	b = append(append(b, packetVersion), writer[:]...)
	return binary.AppendUvarint(b, boot)
}

// encode makes one packet of a batch.
func (b batch) encode() []byte {
	out := appendPacketHead(nil, b.writer, b.boot)
	for _, e := range b.entries {
		out = appendEntry(out, e)
	}
	return out
}

// decodeBatch reads a packet. It keeps nothing of the bytes.
func decodeBatch(packet []byte) (batch, error) {
	r := reader{rest: packet}
	if r.byte() != packetVersion {
		return batch{}, errMalformed
	}
	b := batch{writer: r.id(), boot: r.uvarint()}
	for r.more() {
		b.entries = append(b.entries, r.entry())
	}
	if len(b.entries) == 0 || b.boot == 0 {
		r.bad = true
	}
	return b, r.done()
}
