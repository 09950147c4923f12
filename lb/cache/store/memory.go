package store

import "io"

// memoryBody is the longest body that is held in memory: up to there and
// beyond, writing costs the kernel less than sending pages of a file.
const memoryBody = 256 << 10

// smallBody is a body that is soon worth its memory.
const smallBody = 64 << 10

// promoteAt is the hit that takes a small body into memory; a larger one has
// to be asked for more often, since reading it costs more.
const (
	promoteAt      = 2
	promoteLargeAt = 8
)

// promoteAt is the hit that takes the body into memory.
func (b *body) promoteAt() uint8 {
	if b.length > smallBody {
		return promoteLargeAt
	}
	return promoteAt
}

// memoryBody is the longest body that this zone takes into memory: no single
// one may push out all others.
func (z *Zone) memoryBody() int64 { return min(memoryBody, z.conf.Load().KeysSize/8) }

// liveSet are the entries of a shard that are open, in order of use. It is
// guarded by the shard's lock.
type liveSet struct {
	entries []*Entry // the first place stays empty
	free    []uint32
	ring    Entry // its end
}

func (l *liveSet) init() {
	l.entries = make([]*Entry, 1)
	l.ring.newer, l.ring.older = &l.ring, &l.ring
}

// add gives an entry a place, as the most recently used.
func (l *liveSet) add(e *Entry) {
	if n := len(l.free); n > 0 {
		e.place, l.free = l.free[n-1], l.free[:n-1]
		l.entries[e.place] = e
	} else {
		e.place = uint32(len(l.entries))
		l.entries = append(l.entries, e)
	}
	l.link(e)
}

func (l *liveSet) remove(e *Entry) {
	l.entries[e.place] = nil
	l.free = append(l.free, e.place)
	e.newer.older, e.older.newer = e.older, e.newer
	e.place, e.newer, e.older = 0, nil, nil
}

func (l *liveSet) link(e *Entry) {
	first := l.ring.older
	e.newer, e.older = &l.ring, first
	first.newer, l.ring.older = e, e
}

// touch notes a use.
func (l *liveSet) touch(e *Entry) {
	if l.ring.older == e {
		return
	}
	e.newer.older, e.older.newer = e.older, e.newer
	l.link(e)
}

// oldest returns the least recently used entry, or nil.
func (l *liveSet) oldest() *Entry {
	if e := l.ring.newer; e != &l.ring {
		return e
	}
	return nil
}

// enliven makes an entry the one that Get finds; the entry before it is
// returned to be released, without the lock.
func (z *Zone) enliven(s *shard, rec *record, e *Entry) (before *Entry) {
	before = z.quiet(s, rec)
	e.retain()
	s.live.add(e)
	rec.live = e.place
	z.memory.Add(e.cost())
	if e.body.file != nil {
		z.files.Add(1)
	}
	return before
}

// quiet takes a record's live entry from it, to be released without the lock.
func (z *Zone) quiet(s *shard, rec *record) *Entry {
	if rec.live == 0 {
		return nil
	}
	e := s.live.entries[rec.live]
	rec.live = 0
	s.live.remove(e)
	z.memory.Add(-e.cost())
	if e.body.file != nil {
		z.files.Add(-1)
	}
	return e
}

// crowded tells whether more is open or in memory than may be.
func (z *Zone) crowded() bool {
	return z.files.Load() > z.maxFiles.Load() || z.memory.Load() > z.conf.Load().KeysSize
}

// trimLive ends entries, least recently used first within a shard, beginning
// with the one of key, until the zone is within its bounds. The entry of key
// itself stays.
func (z *Zone) trimLive(key *Key) {
	own, _ := z.locate(key)
	for i := range z.shards {
		if !z.crowded() {
			return
		}
		s := own
		if i > 0 {
			s = &z.shards[(int(z.turn.Add(1)))&(len(z.shards)-1)]
		}
		z.trimShard(s, key)
	}
}

// trimShard ends entries of one shard while the zone is crowded.
func (z *Zone) trimShard(s *shard, keep *Key) {
	for z.crowded() {
		s.mu.Lock()
		e := s.live.oldest()
		if e != nil && e.key == *keep {
			e = e.newer
			if e == &s.live.ring {
				e = nil
			}
		}
		if e != nil {
			_, hash := z.locate(&e.key)
			z.quiet(s, &s.records[s.find(&e.key, hash)])
		}
		s.mu.Unlock()
		if e == nil {
			return
		}
		e.Release()
	}
}

// unproven closes an entry whose file somebody has changed; the next Get looks
// at it anew.
func (z *Zone) unproven(e *Entry) {
	s, hash := z.locate(&e.key)
	var before *Entry
	s.mu.Lock()
	if i := s.find(&e.key, hash); i != 0 && e.place != 0 {
		s.records[i].proof = 0
		before = z.quiet(s, &s.records[i])
	}
	s.mu.Unlock()
	if before != nil {
		before.Release()
	}
}

// promote takes the body of an entry into memory, and returns the entry to be
// used in its place, with the caller's use of it.
func (z *Zone) promote(e *Entry) *Entry {
	mem := make([]byte, e.body.length)
	_, err := e.body.file.ReadAt(mem, e.body.offset)
	if err != nil && err != io.EOF {
		z.faults.report(z, faultRead, err)
		return e
	}
	if err != nil || bodySum(mem) != e.slot.bodySum {
		z.unproven(e)
		z.discard(e.key, e.proof, errBody)
		e.Release()
		return nil
	}
	b := newBody(mem, nil)
	b.length = e.body.length
	next := &Entry{key: e.key, text: e.text, meta: e.meta, slot: e.slot, body: b, proof: e.proof, hits: promoteLargeAt}
	next.refs.Store(1)
	z.succeed(e, next)
	e.Release()
	z.trimLive(&next.key)
	return next
}

// succeed puts an entry in the place of another, if that is still live.
func (z *Zone) succeed(e, next *Entry) {
	s, hash := z.locate(&e.key)
	var before *Entry
	s.mu.Lock()
	if i := s.find(&e.key, hash); i != 0 && e.place != 0 {
		before = z.enliven(s, &s.records[i], next)
	}
	s.mu.Unlock()
	if before != nil {
		before.Release()
	}
}
