package consensus

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"
)

// countingStore is a store in memory that counts what is set, and fails while it
// is told to.
type countingStore struct {
	*raft.InmemStore
	sets int
	fail error
}

func (c *countingStore) Set(key, val []byte) error {
	if c.fail != nil {
		return c.fail
	}
	c.sets++
	return c.InmemStore.Set(key, val)
}

func (c *countingStore) SetUint64(key []byte, val uint64) error {
	c.sets++
	return c.InmemStore.SetUint64(key, val)
}

// slowStore is one in which to set a value takes until it may proceed.
type slowStore struct {
	countingStore
	proceed chan struct{}
}

func (s *slowStore) Set(key, val []byte) error {
	<-s.proceed
	return s.countingStore.Set(key, val)
}

// vote does what the library does when it votes.
func vote(s raft.StableStore, term uint64, candidate string) error {
	return errors.Join(s.SetUint64([]byte(keyTerm), term), s.SetUint64([]byte(keyVoteTerm), term), s.Set([]byte(keyVote), []byte(candidate)))
}

// holds reports that a store knows a term, and whom it voted for when.
func holds(t *testing.T, what string, s raft.StableStore, term, voteTerm uint64, candidate string) {
	t.Helper()
	gotTerm, err1 := s.GetUint64([]byte(keyTerm))
	gotVote, err2 := s.GetUint64([]byte(keyVoteTerm))
	got, err3 := s.Get([]byte(keyVote))
	if err := errors.Join(err1, err2, err3); err != nil || gotTerm != term || gotVote != voteTerm || string(got) != candidate {
		t.Errorf("%s: term %d, voted in %d for %q, %v", what, gotTerm, gotVote, got, err)
	}
}

// A vote is on disk, with its term, after one write.
func TestBallotIsOneWrite(t *testing.T) {
	t.Parallel()
	disk := &countingStore{InmemStore: raft.NewInmemStore()}
	b := newBallots(disk)
	holds(t, "at first", b, 0, 0, "")
	if err := vote(b, 5, "a"); err != nil || disk.sets != 1 {
		t.Errorf("%d writes, %v", disk.sets, err)
	}
	holds(t, "at once", b, 5, 5, "a")
	holds(t, "on disk", newBallots(disk), 5, 5, "a")
	if err := errors.Join(b.Set([]byte("k"), []byte("v")), b.SetUint64([]byte("n"), 7)); err != nil {
		t.Fatal(err)
	}
	v, err1 := b.Get([]byte("k"))
	n, err2 := b.GetUint64([]byte("n"))
	if err := errors.Join(err1, err2); err != nil || string(v) != "v" || n != 7 {
		t.Errorf("other values: %q, %d, %v", v, n, err)
	}
}

// A node asks others for their votes while its own for itself is being written, and
// is told by save whether that is on disk.
func TestBallotForItself(t *testing.T) {
	t.Parallel()
	disk := &slowStore{countingStore{InmemStore: raft.NewInmemStore()}, make(chan struct{})}
	b := newBallots(disk)
	b.self = "me"
	if err := vote(b, 5, "me"); err != nil {
		t.Fatal(err)
	}
	holds(t, "on disk", newBallots(disk), 0, 0, "")
	saved := make(chan error)
	go func() { saved <- b.save() }()
	select {
	case err := <-saved:
		t.Errorf("saved before it is on disk: %v", err)
	case disk.proceed <- struct{}{}:
	}
	if err := <-saved; err != nil || disk.sets != 1 {
		t.Errorf("%d writes, %v", disk.sets, err)
	}
	holds(t, "on disk then", newBallots(disk), 5, 5, "me")
}

// A new term is on disk before anything of its leader is; until then a crash may
// forget it, but not the vote before it.
func TestBallotTermGoesFirst(t *testing.T) {
	t.Parallel()
	for what, write := range map[string]func(*ballots) error{
		"entries":       func(b *ballots) error { return b.StoreLogs([]*raft.Log{{Index: 1, Term: 6}}) },
		"one entry":     func(b *ballots) error { return b.StoreLog(&raft.Log{Index: 1, Term: 6}) },
		"entries cut":   func(b *ballots) error { return b.DeleteRange(1, 2) },
		"the next vote": func(b *ballots) error { return vote(b, 6, "a") },
	} {
		disk := &countingStore{InmemStore: raft.NewInmemStore()}
		b := newBallots(disk)
		if err := errors.Join(vote(b, 5, "a"), b.SetUint64([]byte(keyTerm), 6)); err != nil {
			t.Fatal(err)
		}
		holds(t, what+": after a crash", newBallots(disk), 5, 5, "a")
		disk.fail = errors.New("disk full")
		if err := write(b); !errors.Is(err, disk.fail) {
			t.Errorf("%s, as the disk is full: %v", what, err)
		}
		if last, err := disk.LastIndex(); err != nil || last != 0 {
			t.Errorf("%s: written without the term: %d, %v", what, last, err)
		}
		disk.fail = nil
		if err := write(b); err != nil {
			t.Fatal(err)
		}
		if term, err := newBallots(disk).GetUint64([]byte(keyTerm)); err != nil || term != 6 {
			t.Errorf("%s: term %d on disk, %v", what, term, err)
		}
	}
}

// A term for which no candidate was named yet is no vote, whatever is written.
func TestBallotIsWhole(t *testing.T) {
	t.Parallel()
	disk := &countingStore{InmemStore: raft.NewInmemStore()}
	b := newBallots(disk)
	err := errors.Join(vote(b, 5, "a"), b.SetUint64([]byte(keyTerm), 6), b.SetUint64([]byte(keyVoteTerm), 6), b.StoreLog(&raft.Log{Index: 1}))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, "at once", b, 6, 5, "a")
	holds(t, "on disk", newBallots(disk), 6, 5, "a")
}

// A store in which the three values stand apart keeps its vote, and one whose vote
// cannot be read is no store.
func TestBallotOfOtherStores(t *testing.T) {
	t.Parallel()
	old := raft.NewInmemStore()
	if err := vote(old, 5, "a"); err != nil {
		t.Fatal(err)
	}
	holds(t, "values apart", newBallots(old), 5, 5, "a")
	if err := newBallots(old).SetUint64([]byte(keyTerm), 6); err != nil {
		t.Error(err)
	}
	cut := raft.NewInmemStore()
	if err := cut.Set([]byte(keyBallot), []byte("cut off")); err != nil {
		t.Fatal(err)
	}
	b := newBallots(cut)
	_, err1 := b.GetUint64([]byte(keyTerm))
	_, err2 := b.Get([]byte(keyVote))
	if err1 == nil || err2 == nil || vote(b, 7, "b") == nil {
		t.Error("a vote that was cut off is read")
	}
}
