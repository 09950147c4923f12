package consensus

import (
	"cmp"
	"iter"
	"slices"
)

// table is a map that never changes: with and without return another one. It is
// sorted by its keys, in pieces of which none is empty, so that a write copies
// one piece and the list of them: a fraction of what agreeing on it takes, also
// where there are ten thousand entries.
type table[K cmp.Ordered, V any] struct{ pieces [][]pair[K, V] }

// pair is an entry, as it stands in snapshots.
type pair[K cmp.Ordered, V any] struct {
	Key   K  `json:"k"`
	Value *V `json:"v"`
}

// maxPiece is how many entries a piece has at most.
const maxPiece = 128

// tableOf makes a table of pairs, which are to be sorted. It cuts them into
// pieces without copying them.
func tableOf[K cmp.Ordered, V any](pairs []pair[K, V]) (t table[K, V]) {
	for piece := range slices.Chunk(pairs, maxPiece) {
		t.pieces = append(t.pieces, piece)
	}
	return t
}

// All gives the entries, sorted by key. They are read only.
func (t table[K, V]) All() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for _, piece := range t.pieces {
			for _, p := range piece {
				if !yield(p.Key, p.Value) {
					return
				}
			}
		}
	}
}

// pairs gives the entries in one piece; nil for none.
func (t table[K, V]) pairs() []pair[K, V] { return slices.Concat(t.pieces...) }

func (t table[K, V]) empty() bool { return len(t.pieces) == 0 }

// Changes calls f with each key whose value is not that of a table before this
// one, sorted; nil stands for none. It looks only at the pieces that the two do
// not share.
func (t table[K, V]) Changes(before table[K, V], f func(key K, old, now *V)) {
	was, is := before.own(t), t.own(before)
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].Key < is[0].Key:
			f(was[0].Key, was[0].Value, nil)
			was = was[1:]
		case len(was) == 0 || is[0].Key < was[0].Key:
			f(is[0].Key, nil, is[0].Value)
			is = is[1:]
		default:
			if was[0].Value != is[0].Value {
				f(is[0].Key, was[0].Value, is[0].Value)
			}
			was, is = was[1:], is[1:]
		}
	}
}

// own gives the entries of the pieces that are not those of another table, too.
func (t table[K, V]) own(other table[K, V]) (list []pair[K, V]) {
	shared := map[*pair[K, V]]int{}
	for _, piece := range other.pieces {
		shared[&piece[0]] = len(piece)
	}
	for _, piece := range t.pieces {
		if shared[&piece[0]] != len(piece) {
			list = append(list, piece...)
		}
	}
	return list
}

// Same reports whether two tables are one, or copies of one. It may take equal
// ones for different, never the other way round.
func (t table[K, V]) Same(o table[K, V]) bool {
	return slices.EqualFunc(t.pieces, o.pieces, func(a, b []pair[K, V]) bool { return &a[0] == &b[0] && len(a) == len(b) })
}

// find returns the piece in which a key is, or would be, and the place in it.
func (t table[K, V]) find(key K) (piece, at int, found bool) {
	piece, begins := slices.BinarySearchFunc(t.pieces, key, func(p []pair[K, V], key K) int { return cmp.Compare(p[0].Key, key) })
	if begins {
		return piece, 0, true
	}
	if piece > 0 {
		piece--
	}
	if piece < len(t.pieces) {
		at, found = slices.BinarySearchFunc(t.pieces[piece], key, func(p pair[K, V], key K) int { return cmp.Compare(p.Key, key) })
	}
	return piece, at, found
}

// Get returns the value of a key, if there is one.
func (t table[K, V]) Get(key K) (value V, ok bool) {
	if piece, at, ok := t.find(key); ok {
		return *t.pieces[piece][at].Value, true
	}
	return value, false
}

func (t table[K, V]) with(key K, value V) table[K, V] {
	piece, at, found := t.find(key)
	var old []pair[K, V]
	if piece < len(t.pieces) {
		old = t.pieces[piece]
	}
	behind := at
	if found {
		behind++
	}
	next := make([]pair[K, V], 0, len(old)+1)
	next = append(append(append(next, old[:at]...), pair[K, V]{key, &value}), old[behind:]...)
	if len(next) <= maxPiece {
		return t.replaced(piece, next)
	}
	half := len(next) / 2
	return t.replaced(piece, slices.Clone(next[:half]), slices.Clone(next[half:]))
}

func (t table[K, V]) without(key K) table[K, V] {
	piece, at, found := t.find(key)
	if !found {
		return t
	}
	old := t.pieces[piece]
	switch {
	case len(old) > 1:
	case len(t.pieces) == 1:
		return table[K, V]{} // what is empty has one form
	default:
		return t.replaced(piece)
	}
	return t.replaced(piece, append(append(make([]pair[K, V], 0, len(old)-1), old[:at]...), old[at+1:]...))
}

// replaced returns the table with other pieces in the place of one.
func (t table[K, V]) replaced(piece int, by ...[]pair[K, V]) table[K, V] {
	next := append(make([][]pair[K, V], 0, len(t.pieces)+1), t.pieces[:piece]...)
	next = append(next, by...)
	if piece < len(t.pieces) {
		next = append(next, t.pieces[piece+1:]...)
	}
	return table[K, V]{next}
}

// sortedPairs reports whether pairs that were read make a table.
func sortedPairs[K cmp.Ordered, V any](pairs []pair[K, V]) bool {
	for i := range pairs {
		if pairs[i].Value == nil || i > 0 && cmp.Compare(pairs[i-1].Key, pairs[i].Key) >= 0 {
			return false
		}
	}
	return true
}
