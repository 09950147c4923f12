package upstream

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNews: others hear what changes, of what is only used a word in half its
// time, and nothing of what they have told.
func TestNews(t *testing.T) {
	t.Parallel()
	s := NewSessions(1<<20, time.Minute)
	s.Tie(key(9), 9, true, 0) // nobody is to hear yet
	var woken []int
	s.Share(func(n int) { woken = append(woken, n) })
	expect := func(want string) {
		t.Helper()
		var got []string
		for _, l := range s.News(nil) {
			n := slices.IndexFunc([]SessionKey{key(1), key(2), key(9)}, func(k SessionKey) bool { return k == l.Key })
			got = append(got, fmt.Sprintf("%d=%d@%d", []int{1, 2, 9}[n], l.Server, l.Seen/sec))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("news %q, not %q", text, want)
		}
	}
	expect("")
	s.Tie(key(1), 7, true, 1*sec)
	s.Tie(key(2), 7, true, 2*sec)
	s.Tie(key(1), 7, false, 3*sec)
	expect("1=7@1 2=7@2")
	s.Tie(key(1), 7, true, 31*sec)
	expect("")
	s.Tie(key(1), 7, false, 32*sec)
	s.Tie(key(1), 7, false, 40*sec)
	expect("1=7@32")
	s.Tie(key(2), 8, false, 40*sec) // its server could not take it
	s.Tie(key(9), 9, false, 41*sec)
	expect("2=8@40 9=9@41")
	s.Merge([]LearnedSession{{key(1), 3, 50 * sec}}, 50*sec)
	s.Tie(key(1), 3, false, 60*sec)
	expect("")
	s.Share(nil)
	s.Tie(key(1), 7, true, 63*sec)
	expect("")
	if want := []int{1, 1, 1}; !slices.Equal(woken, want) {
		t.Errorf("woken %v, not %v", woken, want)
	}
}

// TestNewsAreBounded: where nobody fetches them, news are dropped and counted,
// and said again with the next use.
func TestNewsAreBounded(t *testing.T) {
	t.Parallel()
	s := NewSessions(1<<30, time.Hour)
	many := 0
	s.Share(func(n int) {
		if n == NewsBatch {
			many++
		}
	})
	for n := range maxNews + 5 {
		s.Tie(key(n), 1, true, int64(n))
	}
	if st := s.Status(); st.Untold != 5 || many != 1 {
		t.Errorf("%d untold, woken for a batch %d times", st.Untold, many)
	}
	if n := len(s.News(nil)); n != maxNews {
		t.Errorf("%d news", n)
	}
	s.Tie(key(maxNews), 1, false, maxNews+10)
	s.Tie(key(1), 1, false, maxNews+10)
	if news := s.News(nil); len(news) != 1 || news[0].Key != key(maxNews) {
		t.Errorf("said again: %v", news)
	}
}

// TestClocksAhead: a word from the future does not live longer than others may.
func TestClocksAhead(t *testing.T) {
	t.Parallel()
	s := NewSessions(1<<20, time.Minute)
	s.Merge([]LearnedSession{{key(1), 1, 1000 * sec}}, 100*sec)
	if l, ok := s.Get(key(1), 100*sec); !ok || l.Seen != 105*sec {
		t.Errorf("%v, %v", l, ok)
	}
	s.Tie(key(1), 2, false, 106*sec)
	if got := s.Find(key(1), 106*sec); got != 2 {
		t.Errorf("a later use ties to %d", got)
	}
	if _, ok := s.Get(key(1), 167*sec); ok {
		t.Error("an expired session is told")
	}
}

// TestPages: a table is read in pieces, whatever is used meanwhile, and a large
// one is taken over quickly piece by piece.
func TestPages(t *testing.T) {
	t.Parallel()
	const n = 50_000
	s := NewSessions(1<<30, time.Hour)
	for i := range n {
		s.Tie(key(i), ServerID(i+1), true, int64(i))
	}
	copied, held := NewSessions(1<<30, time.Hour), 0
	var at Page
	for piece := s.Next(&at, NewsBatch); len(piece) > 0; piece = s.Next(&at, NewsBatch) {
		held += len(piece)
		copied.Merge(piece, n)
		if held == 2*NewsBatch {
			s.Tie(piece[NewsBatch-1].Key, 1, false, n) // where the next piece goes on
			s.Tie(key(0), 1, false, n+1)               // what the end of the table was
		}
	}
	if held != n-1 || copied.Status().Used != n-1 {
		t.Errorf("%d read, %d copied of %d, of which one became news", held, copied.Status().Used, n)
	}
	if got := copied.Find(key(77), n); got != 78 {
		t.Errorf("session 77 is tied to %d", got)
	}
}

// TestAskedSessions: a session is asked for only where it is not known, and
// what is told is remembered.
func TestAskedSessions(t *testing.T) {
	t.Parallel()
	id := []byte("a session")
	asked := 0
	var told LearnedSession
	s := NewSessions(1<<20, time.Hour)
	p := mustPool(t, Config{Name: "u", Servers: servers(3), Sticky: Sticky{Kind: StickyLearn, Sessions: s, Ask: func(SessionKey) (LearnedSession, bool) {
		asked++
		return told, told.Server != 0
	}}}, nil)
	follow := func() ServerID {
		var a PickArgs
		p.Follow(&a, &Tie{}, id, 100)
		return a.Bound
	}
	if got := follow(); got != 0 || asked != 1 {
		t.Errorf("bound to %d after %d questions", got, asked)
	}
	told = LearnedSession{Key: key(1), Server: 5, Seen: 90 * sec}
	if got := follow(); got != 0 {
		t.Errorf("bound to %d by an answer about another session", got)
	}
	told.Key = SessionKeyOf(id)
	for range 2 {
		if got := follow(); got != 5 || asked != 3 {
			t.Errorf("bound to %d after %d questions", got, asked)
		}
	}
}
