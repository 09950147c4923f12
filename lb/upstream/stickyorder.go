package upstream

// sessionOrder holds learned sessions in the order of their last use. They lie
// in pieces of memory that never move, so that a growing table stops nobody
// for long, and that hold no pointers, so that the collector passes them by.
type sessionOrder struct {
	pieces [][]session // position 0 is the ring's head: its next is the newest
	used   int32       // positions taken at least once
	free   int32       // head of the positions given back, linked by next; 0: none
}

// session is an entry, linked with the next newer and the next older one.
type session struct {
	LearnedSession
	told       int64 // Seen as other tables have heard it; 0: never
	prev, next int32
}

// pieceBits is the size of a piece as a power of two.
const pieceBits = 9

func newSessionOrder() sessionOrder {
	return sessionOrder{pieces: [][]session{make([]session, 1<<pieceBits)}, used: 1}
}

func (o *sessionOrder) at(i int32) *session { return &o.pieces[i>>pieceBits][i&(1<<pieceBits-1)] }

// newest and oldest return 0 if there is no session.
func (o *sessionOrder) newest() int32 { return o.at(0).next }
func (o *sessionOrder) oldest() int32 { return o.at(0).prev }

// place returns a position that is not in use.
func (o *sessionOrder) place() int32 {
	if i := o.free; i != 0 {
		o.free = o.at(i).next
		return i
	}
	i := o.used
	if int(i>>pieceBits) == len(o.pieces) {
		o.pieces = append(o.pieces, make([]session, 1<<pieceBits))
	}
	o.used++
	return i
}

// remove gives the position of an entry back.
func (o *sessionOrder) remove(i int32) {
	o.unlink(i)
	*o.at(i) = session{next: o.free}
	o.free = i
}

// link puts i where its last use belongs, which is nearly always in front, and at
// the end where a whole table is taken over. near is an entry at least as new,
// behind which it is looked for; 0: none.
func (o *sessionOrder) link(i, near int32) {
	e := o.at(i)
	if near != 0 && o.at(near).Seen < e.Seen {
		near = 0
	}
	after, last := near, o.oldest()
	for n := o.at(after).next; n != 0 && o.at(n).Seen > e.Seen; n = o.at(n).next {
		if o.at(last).Seen > e.Seen {
			after = last
			break
		}
		after, last = n, o.at(last).prev
	}
	before := o.at(after).next
	e.prev, e.next = after, before
	o.at(after).next, o.at(before).prev = i, i
}

func (o *sessionOrder) unlink(i int32) {
	e := o.at(i)
	o.at(e.prev).next, o.at(e.next).prev = e.next, e.prev
}
