package consensus

import (
	"cmp"
	"slices"
)

// table is a map that never changes: with and without return another one. It is
// sorted by its keys, so that equal tables have equal bytes. Writes copy the
// whole but for the values, which is a fraction of what agreeing on them takes.
type table[K cmp.Ordered, V any] []pair[K, V]

type pair[K cmp.Ordered, V any] struct {
	Key   K  `json:"k"`
	Value *V `json:"v"`
}

func (t table[K, V]) find(key K) (int, bool) {
	return slices.BinarySearchFunc(t, key, func(p pair[K, V], key K) int { return cmp.Compare(p.Key, key) })
}

func (t table[K, V]) get(key K) (value V, ok bool) {
	if i, ok := t.find(key); ok {
		return *t[i].Value, true
	}
	return value, false
}

func (t table[K, V]) with(key K, value V) table[K, V] {
	i, found := t.find(key)
	next := make(table[K, V], 0, len(t)+1)
	next = append(append(next, t[:i]...), pair[K, V]{key, &value})
	if found {
		i++
	}
	return append(next, t[i:]...)
}

func (t table[K, V]) without(key K) table[K, V] {
	i, found := t.find(key)
	switch {
	case !found:
		return t
	case len(t) == 1:
		return nil // what is empty has one form
	}
	return append(append(make(table[K, V], 0, len(t)-1), t[:i]...), t[i+1:]...)
}

// sorted reports whether a table that was read is one.
func (t table[K, V]) sorted() bool {
	for i := range t {
		if t[i].Value == nil || i > 0 && cmp.Compare(t[i-1].Key, t[i].Key) >= 0 {
			return false
		}
	}
	return true
}
