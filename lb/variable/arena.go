package variable

// Arena is the memory in which one source's computed values are written. It
// grows to what a request needs and is used again by the next one; values
// handed out stay valid until Reset, even when the arena has moved on to a
// larger block.
type Arena struct {
	buf []byte
}

// Reset makes all memory free again; values handed out before are void.
func (a *Arena) Reset() {
	const keep = 16 << 10 // one odd request must not pin a large block for ever
	if cap(a.buf) > keep {
		a.buf = nil
	}
	a.buf = a.buf[:0]
}

// Take returns an empty slice to append to; Keep must follow before anything
// else takes from the arena (no getter may be called in between).
func (a *Arena) Take() []byte {
	const room = 128
	if cap(a.buf)-len(a.buf) < room {
		a.grow(room)
	}
	return a.buf[len(a.buf):]
}

// grow starts a larger block; sizes only rise, so that a steady load soon
// allocates no more.
func (a *Arena) grow(n int) {
	a.buf = make([]byte, 0, max(2*cap(a.buf), n, 1024))
}

// Keep makes what was appended to the slice of Take the source's own and
// returns it.
func (a *Arena) Keep(b []byte) []byte {
	n := len(b)
	if n == 0 {
		return b
	}
	if free := cap(a.buf) - len(a.buf); free >= n && &a.buf[:len(a.buf)+1][len(a.buf)] == &b[0] {
		a.buf = a.buf[:len(a.buf)+n]
		return b[:n:n]
	}
	a.grow(n)
	a.buf = append(a.buf, b...)
	return a.buf[:n:n]
}

// Copy keeps a copy of b.
func (a *Arena) Copy(b []byte) []byte {
	return a.Keep(append(a.Take(), b...))
}

// Bytes returns n bytes of the arena for the caller to fill.
func (a *Arena) Bytes(n int) []byte {
	if n == 0 {
		return nil
	}
	if cap(a.buf)-len(a.buf) < n {
		a.grow(n)
	}
	at := len(a.buf)
	a.buf = a.buf[:at+n]
	return a.buf[at : at+n : at+n]
}
