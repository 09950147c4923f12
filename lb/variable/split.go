package variable

import (
	"encoding/binary"
	"math"

	"github.com/weir-lb/weir/config"
)

// Split is a compiled split_clients block: the hash of a text decides which
// value its variable has.
type Split struct {
	conf     *config.SplitClients
	conflict error // over the variable's name; told by Compile
	source   *Text
	parts    []share
}

// share is one value and the hash below which it is taken; the rest ends at
// the greatest hash.
type share struct {
	below uint64
	value *Text
}

// NewSplit declares the variable of a split_clients block; Compile must follow
// before it is read.
func NewSplit(t *Table, conf *config.SplitClients) *Split {
	s := &Split{conf: conf}
	s.conflict = t.AddBlock(conf.Name, s.get)
	return s
}

// Compile resolves the texts of the block.
func (s *Split) Compile(t *Table) (err error) {
	if s.conflict != nil {
		return s.conf.Pos.Errorf("%v", s.conflict)
	}
	if s.source, err = CompileConfig(t, s.conf.Source); err != nil {
		return err
	}
	last := uint64(0)
	for _, p := range s.conf.Parts {
		value, err := CompileConfig(t, p.Value)
		if err != nil {
			return err
		}
		part := share{math.MaxUint32 + 1, value}
		if p.Percent != 0 {
			// Each part is rounded by itself, as nginx does, so that the same
			// client falls into the same part.
			last += uint64(p.Percent) * math.MaxUint32 / 10000
			part.below = last
		}
		s.parts = append(s.parts, part)
	}
	return nil
}

func (s *Split) get(src Source) ([]byte, bool) {
	hash := uint64(murmur2(s.source.Value(src)))
	for i := range s.parts {
		if hash < s.parts[i].below {
			return s.parts[i].value.Value(src), true
		}
	}
	return nil, true
}

// murmur2 is Austin Appleby's MurmurHash2 of 32 bits with the seed 0.
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		k = (k ^ k>>24) * m
		h = h*m ^ k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
