package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// The format of a file, all numbers little-endian:
//
//	prologue   fixed: magic, version, lengths, checksum of itself and the text
//	text       of the key
//	two slots  each a header with its own checksum and a sequence number; the
//	           valid one with the higher number counts, so that a header can be
//	           replaced in place and a torn one never hides the one before
//	body
const (
	magic         = "WEIRcach"
	formatVersion = 1
	prologueSize  = 32
	slotFixed     = 112
	// slotSlack is room for a header to grow when it is revalidated.
	slotSlack = 96
	// maxSlot bounds what is read of a file whose lengths may be anything.
	maxSlot = 1 << 20
)

var (
	errForeign = errors.New("not a cache file of weir")
	errBroken  = errors.New("damaged header")
	errVersion = errors.New("written by another version of weir")
	errShort   = errors.New("length differs from what its header says")
	errBody    = errors.New("checksum of the body differs")
)

// castagnoli has instructions of its own on the processors of our days. The
// package crc32 builds its table once, whoever asks.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Meta is what is known of a stored reply beside its body. The store keeps it
// as it is; its slices must not be changed once they were handed over.
type Meta struct {
	Status int
	// Flags are the caller's own.
	Flags uint32
	// Stored is when the reply was received, Valid until when it is fresh;
	// LastModified as the reply says. All in seconds of Unix time.
	Stored, Valid, LastModified int64
	// Age the reply had when it was received, in seconds.
	Age int64
	// StaleWhile and StaleError are until when the entry may serve while it is
	// updated, and after errors; seconds of Unix time.
	StaleWhile, StaleError int64
	// Variant is the digest of the request fields that Vary names.
	Variant [16]byte
	Vary    []byte
	ETag    []byte
	// Head is the reply's head, as the caller wrote it.
	Head []byte
}

// header is the whole of what stands before a body.
type header struct {
	text       []byte
	slotSize   int
	bodyOffset int64
	bodyLen    int64
	bodySum    uint32
	sequence   uint64
	written    int64 // when the slot was written, nanoseconds of Unix time
	meta       Meta
}

// size is how many bytes the meta's slot needs.
func (m *Meta) size() int { return slotFixed + len(m.Vary) + len(m.ETag) + len(m.Head) }

// slotFor is the size of the slots that a new file gets.
func slotFor(m *Meta) int { return (m.size() + m.size()/8 + slotSlack) &^ 7 }

// layout sets the offsets of a new file.
func (h *header) layout() {
	h.slotSize = slotFor(&h.meta)
	h.bodyOffset = int64(prologueSize + len(h.text) + 2*h.slotSize)
}

// appendPrologue writes what never changes in a file.
func (h *header) appendPrologue(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(h.text)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.slotSize))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.bodyOffset))
	dst = binary.LittleEndian.AppendUint32(dst, prologueSum(dst[start:], h.text))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return append(dst, h.text...)
}

func prologueSum(fixed, text []byte) uint32 {
	return crc32.Update(crc32.Checksum(fixed[:24], castagnoli()), castagnoli(), text)
}

// appendSlot writes the header proper. Its checksum begins with the
// prologue's, so that a slot counts in its own file only.
func (h *header) appendSlot(dst []byte, seed uint32) []byte {
	start, m := len(dst), &h.meta
	u32, u64 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint64
	dst = u32(dst, 0) // the checksum
	dst = u32(dst, uint32(m.size()))
	dst = u64(dst, h.sequence)
	dst = u64(dst, uint64(h.written))
	dst = u64(dst, uint64(h.bodyLen))
	dst = u32(dst, h.bodySum)
	dst = u32(dst, m.Flags)
	for _, n := range [...]int64{m.Stored, m.Valid, m.LastModified, m.Age, m.StaleWhile, m.StaleError} {
		dst = u64(dst, uint64(n))
	}
	dst = u32(dst, uint32(m.Status)|uint32(len(m.Vary))<<16)
	dst = u32(dst, uint32(len(m.ETag)))
	dst = append(dst, m.Variant[:]...)
	dst = append(dst, m.Vary...)
	dst = append(dst, m.ETag...)
	dst = append(dst, m.Head...)
	sum := crc32.Update(seed, castagnoli(), dst[start+4:])
	binary.LittleEndian.PutUint32(dst[start:], sum)
	return dst
}

// prologueInfo is what the first bytes tell of the rest.
type prologueInfo struct {
	textLen, slotSize, bodyOffset int
	sum                           uint32
}

// looksOurs tells whether the first bytes of a file can be ours: as written,
// cut off, or zeros, as a loss of power leaves files that were not yet written.
// Nobody else's are worth anything then either.
func looksOurs(b []byte) bool {
	n := min(len(b), len(magic))
	return string(b[:n]) == magic[:n] || string(b[:n]) == blank[:n]
}

const blank = "\x00\x00\x00\x00\x00\x00\x00\x00"

// parsePrologue reads the first bytes of a file.
func parsePrologue(b []byte) (p prologueInfo, err error) {
	if !looksOurs(b) {
		return p, errForeign
	}
	if len(b) < prologueSize || b[0] == 0 {
		return p, errBroken
	}
	if binary.LittleEndian.Uint32(b[8:]) != formatVersion {
		return p, errVersion
	}
	p.textLen = int(binary.LittleEndian.Uint32(b[12:]))
	p.slotSize = int(binary.LittleEndian.Uint32(b[16:]))
	p.bodyOffset = int(binary.LittleEndian.Uint32(b[20:]))
	p.sum = binary.LittleEndian.Uint32(b[24:])
	if p.textLen > MaxText || p.slotSize < slotFixed || p.slotSize > maxSlot ||
		p.bodyOffset != prologueSize+p.textLen+2*p.slotSize {
		return p, errBroken
	}
	return p, nil
}

// parseHeader reads all that stands before the body; b holds at least that
// much, and the header keeps parts of it.
func parseHeader(b []byte) (h header, err error) {
	p, err := parsePrologue(b)
	if err != nil {
		return h, err
	}
	if len(b) < p.bodyOffset {
		return h, errShort
	}
	h.text = b[prologueSize : prologueSize+p.textLen]
	if prologueSum(b, h.text) != p.sum {
		return h, errBroken
	}
	first := prologueSize + p.textLen
	newest, found := header{}, false
	for i := range 2 {
		at := first + i*p.slotSize
		if s, ok := parseSlot(b[at:at+p.slotSize], p.sum); ok && (!found || s.sequence > newest.sequence) {
			newest, found = s, true
		}
	}
	if !found {
		return h, errBroken
	}
	newest.text, newest.slotSize, newest.bodyOffset = h.text, p.slotSize, int64(p.bodyOffset)
	return newest, nil
}

// parseSlot reads one slot, which may hold nothing or what was torn.
func parseSlot(b []byte, seed uint32) (h header, ok bool) {
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	u64 := func(at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
	used := int(u32(4))
	if used < slotFixed || used > len(b) || crc32.Update(seed, castagnoli(), b[4:used]) != u32(0) {
		return h, false
	}
	h.sequence, h.written, h.bodyLen, h.bodySum = uint64(u64(8)), u64(16), u64(24), u32(32)
	m := &h.meta
	m.Flags = u32(36)
	m.Stored, m.Valid, m.LastModified = u64(40), u64(48), u64(56)
	m.Age, m.StaleWhile, m.StaleError = u64(64), u64(72), u64(80)
	m.Status = int(u32(88) & 0xffff)
	vary, etag := int(u32(88)>>16), int(u32(92))
	copy(m.Variant[:], b[96:slotFixed])
	rest := b[slotFixed:used]
	if vary+etag > len(rest) || h.bodyLen < 0 {
		return h, false
	}
	m.Vary, m.ETag, m.Head = rest[:vary:vary], rest[vary:vary+etag:vary+etag], rest[vary+etag:]
	return h, true
}

// own copies what the meta's slices point to, so that the caller of Begin may
// reuse its buffers.
func (m *Meta) own() {
	all := make([]byte, 0, len(m.Vary)+len(m.ETag)+len(m.Head))
	take := func(p []byte) []byte {
		start := len(all)
		all = append(all, p...)
		return all[start:len(all):len(all)]
	}
	m.Vary, m.ETag, m.Head = take(m.Vary), take(m.ETag), take(m.Head)
}

// fits tells whether the meta can be stored at all.
func (m *Meta) fits(text []byte) bool {
	return len(text) <= MaxText && len(m.Vary) < 1<<16 && slotFor(m) <= maxSlot && m.Status >= 0 && m.Status < 1<<16
}

// sameText compares the text of a key with what a file holds.
func (h *header) sameText(text []byte) bool { return bytes.Equal(h.text, text) }
