package upstream

import (
	"math"
	"math/bits"
	"time"
)

// closed is the load of a peer that cannot take the request.
const closed = math.MaxInt64

// aging says instead of a time that a load changes with every pick, of which
// leastTime.follow takes care.
const aging = -1

// loader is a method that compares loads.
type loader interface {
	// load returns the load of the peer at position i at time at (ns), closed
	// if it cannot take requests, and the ms from which on that must be
	// computed anew even if nothing happens to the peer; 0: at the next pick, or aging.
	load(g *group, i int, at int64) (load, until int64)
}

// loads keeps the loads of a group's peers from pick to pick. Of a thousand
// peers few have changed since the last one: those to which something has
// happened, which is told to note, and those of whom the method said that the
// time alone would change them. The upstream's lock guards it.
type loads struct {
	of    loader
	known []int64 // by position
	until []int64 // before which ms known is true; 0: it is not
	moved []int32 // the positions of which it is not
	aging []int32 // those whose until is aging, or was
	turn  int64   // ms: the next of until to pass; 0: nothing is known
	shut  int     // how many are closed
	told  bool    // events are told: this belongs to the newest of its pool's groups
	equal []int32 // a scratch: positions of equal loads
}

func newLoads(of loader, n int) *loads {
	return &loads{of: of, known: make([]int64, n), until: make([]int64, n), moved: make([]int32, 0, n), aging: make([]int32, 0, n), equal: make([]int32, n)}
}

// note says that something happened to a peer on which its load depends.
func (l *loads) note(i int32) {
	if l.until[i] != 0 {
		l.until[i] = 0
		l.moved = append(l.moved, i)
	}
}

// forget says that something happened to all of them.
func (l *loads) forget() {
	clear(l.until)
	l.moved, l.aging, l.turn = l.moved[:0], l.aging[:0], 0
}

// update makes known what is true for the request of a, to which the peers it
// has tried are closed.
func (l *loads) update(g *group, a *PickArgs) {
	if !l.told {
		l.forget()
	}
	if a.tried.n > 0 {
		l.noteTried(&a.tried)
	}
	ms := a.Now / int64(time.Millisecond)
	if ms >= l.turn {
		l.updateAll(g, a, ms)
		return
	}
	moved := l.moved
	l.moved = moved[:0] // what comes to it again takes the place of one that has been read
	for _, i := range moved {
		l.renew(g, a, i)
	}
}

// updateAll looks for the peers whose time has come, too.
func (l *loads) updateAll(g *group, a *PickArgs, ms int64) {
	l.moved, l.aging, l.turn = l.moved[:0], l.aging[:0], never
	for i, until := range l.until {
		if ms >= until {
			l.renew(g, a, int32(i))
		} else {
			l.turn = min(l.turn, until)
		}
	}
}

// renew computes one load.
func (l *loads) renew(g *group, a *PickArgs, i int32) {
	load, until := int64(closed), int64(0)
	if !a.tried.has(int(i)) {
		load, until = l.of.load(g, int(i), a.Now)
	}
	if load == closed {
		l.shut++
	}
	if l.known[i] == closed {
		l.shut--
	}
	l.known[i], l.until[i] = load, until
	switch until {
	case 0:
		l.moved = append(l.moved, i)
	case aging:
		l.aging = append(l.aging, i)
	default:
		l.turn = min(l.turn, until)
	}
}

// noteTried makes the loads of the peers tried be computed now, and again for
// the next request.
func (l *loads) noteTried(t *tried) {
	for w := range len(t.bits) + len(t.more) {
		for word := t.word(w); word != 0; word &= word - 1 {
			l.note(int32(w<<6 + bits.TrailingZeros64(word)))
		}
	}
}

// least returns the least load. Four at a time need not wait for each other.
func (l *loads) least() int64 {
	rest := l.known
	a, b, c, d := int64(closed), int64(closed), int64(closed), int64(closed)
	for len(rest) >= 4 {
		a, b, c, d = min(a, rest[0]), min(b, rest[1]), min(c, rest[2]), min(d, rest[3])
		rest = rest[4:]
	}
	for _, load := range rest {
		a = min(a, load)
	}
	return min(a, b, c, d)
}

// equals returns the positions whose load it is, without a branch that depends
// on it. They are void at the next call.
func (l *loads) equals(load int64) []int32 {
	equal, n := l.equal[:len(l.known)], 0
	for i, is := range l.known {
		equal[n] = int32(i)
		next := n + 1
		if is != load {
			next = n
		}
		n = next
	}
	return equal[:n]
}
