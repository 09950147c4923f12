package upstream

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// sec is a second of the tables' clock.
const sec = int64(time.Second)

func key(n int) SessionKey {
	return SessionKeyOf(binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// TestLearnedSessions tells the life of a session's entry.
func TestLearnedSessions(t *testing.T) {
	t.Parallel()
	s := NewSessions(sessionSize*3, time.Minute)
	find := func(n int, at int64, want ServerID) {
		t.Helper()
		if got := s.Find(key(n), at*sec); got != want {
			t.Errorf("session %d at %d s is tied to %d, not %d", n, at, got, want)
		}
	}
	s.Tie(key(1), 7, false, 0)
	find(1, 0, 0) // only a reply that makes the session ties it
	s.Tie(key(1), 7, true, 0)
	find(1, 60, 7)
	find(1, 61, 0)
	s.Tie(key(1), 7, false, 50*sec)
	find(1, 110, 7)
	s.Tie(key(1), 8, false, 60*sec)
	find(1, 61, 8) // its server could not take it, and another has it now
	s.Merge([]LearnedSession{{Key: key(1), Seen: 61 * sec}}, 61*sec)
	find(1, 61, 8) // a word without a server says nothing
	s.Tie(key(1), 9, true, 63*sec)
	find(1, 63, 9)

	for n := 2; n <= 4; n++ {
		s.Tie(key(n), ServerID(n), true, int64(62+n)*sec)
	}
	find(1, 66, 0) // it was used longest ago
	find(2, 66, 2)
	s.Tie(key(2), 2, false, 67*sec)
	s.Tie(key(5), 5, true, 68*sec)
	find(3, 68, 0)
	find(2, 68, 2)
	if st := s.Status(); st != (SessionsStatus{Used: 3, Limit: 3, Evicted: 2}) {
		t.Errorf("%+v", st)
	}
	s.Expire(127 * sec)
	if st := s.Status(); st.Used != 2 {
		t.Errorf("%d sessions after those not used since 66 s have expired", st.Used)
	}
	s.Configure(sessionSize, time.Hour)
	s.Tie(key(6), 6, true, 128*sec)
	if st := s.Status(); st.Used != 1 || st.Limit != 1 {
		t.Errorf("%+v after the table shrank", st)
	}
	find(6, 128+3600, 6)
}

// TestSessionsOverClockChanges: a clock that is set back confuses no order and
// ends no session early.
func TestSessionsOverClockChanges(t *testing.T) {
	t.Parallel()
	s := NewSessions(sessionSize*2, time.Minute)
	s.Tie(key(1), 1, true, 3600*sec)
	s.Tie(key(2), 2, true, 10*sec)
	s.Tie(key(3), 3, true, 11*sec)
	if one, two, three := s.Find(key(1), 12*sec), s.Find(key(2), 12*sec), s.Find(key(3), 12*sec); one != 0 || two != 2 || three != 3 {
		t.Errorf("found %d, %d, %d", one, two, three)
	}
}

// table is what a table holds, in its order.
func table(s *Sessions) []LearnedSession { return s.Next(&Page{}, 1<<30) }

// TestSessionsAgree: tables that hear the same words in any order and in any
// pieces hold the same, and so does one that hears them twice.
func TestSessionsAgree(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var words []LearnedSession
	for range 400 {
		words = append(words, LearnedSession{Key: key(rng.IntN(50)), Server: ServerID(1 + rng.Uint64N(3)), Seen: rng.Int64N(100) * sec})
	}
	const now = 100 * sec
	compare := func(a, b LearnedSession) int { return strings.Compare(string(a.Key[:]), string(b.Key[:])) }
	hear := func(s *Sessions) []LearnedSession {
		all := slices.Clone(words)
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for piece := range slices.Chunk(all, 1+rng.IntN(100)) {
			s.Merge(piece, now)
		}
		held := table(s)
		if !slices.IsSortedFunc(held, func(a, b LearnedSession) int { return int(b.Seen - a.Seen) }) {
			t.Error("the table is out of order")
		}
		slices.SortFunc(held, compare)
		return held
	}
	first := NewSessions(1<<20, time.Minute)
	want := hear(first)
	if len(want) == 0 || len(want) > 50 {
		t.Fatalf("%d sessions", len(want))
	}
	for range 20 {
		if got := hear(NewSessions(1<<20, time.Minute)); !slices.Equal(got, want) {
			t.Fatalf("two tables differ:\n%v\n%v", got, want)
		}
	}
	if got := hear(first); !slices.Equal(got, want) {
		t.Error("a table that hears the same again changes")
	}
	copied := NewSessions(1<<20, time.Minute)
	copied.Merge(table(first), now)
	if !slices.Equal(table(copied), table(first)) {
		t.Error("a table that is read and merged is another")
	}
}

// TestSessionsStayBounded: whatever comes, a table holds no more than its limit,
// and exactly the newest.
func TestSessionsStayBounded(t *testing.T) {
	t.Parallel()
	const limit = 1000
	s := NewSessions(limit*sessionSize, time.Hour)
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 5 * limit {
		s.Tie(key(n), 1, true, int64(n)*sec)
		if rng.IntN(3) == 0 {
			s.Tie(key(rng.IntN(n+1)), 2, false, int64(n)*sec)
		}
		if n%500 == 0 {
			s.Merge([]LearnedSession{{Key: key(-1 - n), Server: 1, Seen: 0}}, int64(n)*sec)
		}
	}
	held := table(s)
	if st := s.Status(); len(held) != limit || st.Used != limit {
		t.Errorf("%d sessions listed, %+v", len(held), st)
	}
	back := 0
	for i := s.order.oldest(); i != 0; i = s.order.at(i).prev {
		back++
	}
	if back != limit || len(s.order.pieces) > 3 {
		t.Errorf("%d sessions from the other end, %d pieces", back, len(s.order.pieces))
	}
}

// TestSessionsDoNotAllocate: finding and refreshing cost no memory.
func TestSessionsDoNotAllocate(t *testing.T) {
	s := NewSessions(1<<20, time.Hour)
	id := []byte("0123456789abcdef0123456789abcdef")
	s.Share(func(int) {})
	s.Tie(SessionKeyOf(id), 1, true, 0)
	now := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		now++
		s.Find(SessionKeyOf(id), now)
		s.Tie(SessionKeyOf(id), 1, false, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkSessions measures one Find and one Tie in tables of different size.
func BenchmarkSessions(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := NewSessions(1<<30, time.Hour)
			keys := make([]SessionKey, n)
			for i := range keys {
				keys[i] = key(i)
				s.Tie(keys[i], 1, true, int64(i))
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				k := keys[i*7919%n]
				s.Find(k, int64(n+i))
				s.Tie(k, 1, false, int64(n+i))
			}
		})
	}
}

// TestSessionsTakeWhatTheZoneSays: a full table is about as large as its zone.
func TestSessionsTakeWhatTheZoneSays(t *testing.T) {
	const size = 8 << 20
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := NewSessions(size, time.Hour)
	for n := range 2 * size / sessionSize {
		s.Tie(key(n), 1, true, int64(n))
	}
	took := heap() - before
	if st := s.Status(); st.Used != st.Limit || took > size*5/4 || took < size/4 {
		t.Errorf("%d sessions in %d bytes, of a zone of %d", st.Used, took, int64(size))
	} else {
		t.Logf("%d bytes for each of %d sessions", took/int64(st.Used), st.Used)
	}
}
