package http2

import "sync"

// held is what a stream has taken from its upstream and the connection has no
// room for yet. It belongs to the connection's lock.
type held struct {
	pieces []*piece
	size   int
	end    bool // the stream ends behind it
}

// piece is a part of it.
type piece struct {
	r, w int
	b    [16 << 10]byte
}

var heldPieces = sync.Pool{New: func() any { return new(piece) }}

// put takes in a copy of p.
func (h *held) put(p []byte) {
	h.size += len(p)
	for len(p) > 0 {
		last := len(h.pieces) - 1
		if last < 0 || h.pieces[last].w == len(h.pieces[last].b) {
			h.pieces = append(h.pieces, heldPieces.Get().(*piece))
			last++
		}
		one := h.pieces[last]
		n := copy(one.b[one.w:], p)
		one.w += n
		p = p[n:]
	}
}

// first returns the bytes that go next.
func (h *held) first() []byte { return h.pieces[0].b[h.pieces[0].r:h.pieces[0].w] }

// drop takes n bytes away that have gone.
func (h *held) drop(n int) {
	h.size -= n
	one := h.pieces[0]
	if one.r += n; one.r < one.w {
		return
	}
	one.free()
	h.pieces = h.pieces[:copy(h.pieces, h.pieces[1:])]
}

// clear forgets everything.
func (h *held) clear() {
	for _, one := range h.pieces {
		one.free()
	}
	h.pieces, h.size, h.end = h.pieces[:0], 0, false
}

func (one *piece) free() {
	one.r, one.w = 0, 0
	heldPieces.Put(one)
}
