package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/iotest"
	"time"
)

// filled is a state with something of everything.
func filled(t testing.TB, servers int) *State {
	t.Helper()
	s, at := &State{}, time.UnixMilli(1000)
	do := func(c Change) {
		next, r := s.Apply(Command{Request: RequestID{byte(s.index), byte(s.index >> 8), 1}, Actor: "a", Change: c}, s.index+1, at)
		if r.Code != Accepted {
			t.Fatal(r)
		}
		s = next
	}
	id := "000102030405060708090a0b0c0d0e0f"
	do(&Form{Name: "shop", ID: id})
	for i := range servers {
		do(&AddServer{Target: Target{Upstream: "shop", ID: ServerID(i + 1)}, Server: Server{Name: fmt.Sprint("a", i), Weight: 1}})
	}
	do(&GiveOrder{Target: Target{Upstream: "shop", ID: 1}, Kind: OrderDown})
	do(&PutAnswer{Question: Question{Upstream: "shop", Host: "a"}, Records: []Record{{Target: "t"}}})
	do(&CreateKey{ID: 1, Secret: make(Secret, 32)})
	do(&JoinNode{ID: NodeID(id), Name: "lb1", PublicKey: make([]byte, 32), Addr: "a:1", Boot: 1})
	return s
}

func TestDamagedSnapshotsAreRefused(t *testing.T) {
	t.Parallel()
	text := snapshot(t, filled(t, 2))
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 0x10
		if _, err := ReadSnapshot(bytes.NewReader(bad)); !errors.Is(err, ErrSnapshot) {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := ReadSnapshot(bytes.NewReader(text[:i])); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	if _, err := ReadSnapshot(bytes.NewReader(append(bytes.Clone(text), 0))); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := ReadSnapshot(iotest.ErrReader(errors.New("disk"))); err == nil || errors.Is(err, ErrSnapshot) {
		t.Errorf("a disk that cannot be read: %v", err)
	}
}

// failing writes n bytes and no more.
type failing struct{ n int }

func (f *failing) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestSnapshotTellsOfAFullDisk(t *testing.T) {
	t.Parallel()
	s := filled(t, 2)
	for n := range len(snapshot(t, s)) {
		if err := s.WriteSnapshot(&failing{n}); err == nil {
			t.Fatalf("no error after %d bytes", n)
		}
	}
}

// A state has more than one successor, if need be: none sees the others.
func TestSuccessorsOfOneState(t *testing.T) {
	t.Parallel()
	s := filled(t, 2)
	before := snapshot(t, s)
	next := func(epoch uint32) *State {
		n, _ := s.Apply(Command{Request: RequestID{byte(epoch), 9}, Change: &RaiseEpoch{To: epoch}}, s.index+1, time.UnixMilli(2000))
		return n
	}
	one := next(1)
	text := snapshot(t, one)
	next(2)
	if !bytes.Equal(snapshot(t, s), before) || !bytes.Equal(snapshot(t, one), text) {
		t.Error("a state has changed")
	}
	if _, r := s.Apply(Command{Change: &RaiseEpoch{To: 9}}, s.index, time.UnixMilli(0)); r.Code != Invalid {
		t.Errorf("an index the log has gone past: %+v", r)
	}
}

func TestResultsAreKeptInNumber(t *testing.T) {
	t.Parallel()
	s := &State{}
	for i := range uint64(rememberedMax + 1) {
		s, _ = s.Apply(Command{Request: RequestID{1, byte(i), byte(i >> 8)}, Change: &Batch{}}, i+1, time.UnixMilli(0))
		if _, ok := s.Result(RequestID{1}); ok != (i < rememberedMax) {
			t.Errorf("after %d the first is remembered: %t", i+1, ok)
		}
	}
	if n := len(s.results.kept.pairs()); n != rememberedMax || len(s.results.places.pairs()) != n {
		t.Errorf("%d results", n)
	}
	if r, ok := s.Result(RequestID{1, 1}); !ok || r.Index != 2 {
		t.Errorf("the second: %+v, %t", r, ok)
	}
}

func TestNextStepOfARing(t *testing.T) {
	t.Parallel()
	fresh := Key{ID: 9, Secret: make(Secret, 32)}
	hours := func(h float64) time.Time { return time.UnixMilli(int64(h * 3600e3)) }
	active, next := Key{ID: 1, State: KeyActive}, Key{ID: 2, State: KeyNext, Index: 5}
	for _, c := range []struct {
		what    string
		ring    Ring
		now     time.Time
		applied uint64
		want    string
	}{
		{"an empty ring gets a key", nil, hours(0), 0, "*consensus.CreateKey"},
		{"an active key that is young stays", Ring{active}, hours(23.9), 9, "<nil>"},
		{"one of a day is followed", Ring{active}, hours(24), 9, "*consensus.CreateKey"},
		{"not before all nodes have the next", Ring{active, next}, hours(48), 4, "<nil>"},
		{"then by it", Ring{active, next}, hours(48), 5, "*consensus.ActivateKey"},
		{"a retiring key lives on", Ring{{ID: 3, State: KeyRetiring}, {ID: 1, State: KeyActive, Since: hours(720).UnixMilli()}}, hours(720), 9, "<nil>"},
		{"and ends", Ring{{ID: 3, State: KeyRetiring}, active}, hours(721), 9, "*consensus.DropKey"},
	} {
		if got := fmt.Sprintf("%T", c.ring.Due(StickyRing, c.now, c.applied, fresh)); got != c.want {
			t.Errorf("%s: %s, not %s", c.what, got, c.want)
		}
	}
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	s := filled(t, 0)
	id, key := NodeID("000102030405060708090a0b0c0d0e0f"), make([]byte, 32)
	if !s.Admits(id, key) || s.Admits(id, key[:31]) || s.Admits("x", key) {
		t.Error("a node is known by its id and key")
	}
	s, _ = s.Apply(Command{Change: &RemoveNode{ID: id}}, s.index+1, time.UnixMilli(0))
	if s.Admits(id, key) {
		t.Error("a removed node is admitted")
	}
}

func BenchmarkApply(b *testing.B) {
	s, weight := filled(b, 5000), 1
	for b.Loop() {
		weight = weight%9 + 1
		s, _ = s.Apply(Command{Change: &EditServer{Target: Target{Upstream: "shop", ID: 50}, Edit: Edit{Weight: &weight}}}, s.index+1, time.UnixMilli(0))
	}
}
