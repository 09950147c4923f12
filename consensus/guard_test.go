package consensus

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// brokenStore is a store in memory whose writes do what hook says.
type brokenStore struct {
	*raft.InmemStore
	hook func() error
}

func (b *brokenStore) StoreLogs(l []*raft.Log) error {
	if err := b.hook(); err != nil {
		return err
	}
	return b.InmemStore.StoreLogs(l)
}

func (b *brokenStore) SetUint64(key []byte, v uint64) error {
	if err := b.hook(); err != nil {
		return err
	}
	return b.InmemStore.SetUint64(key, v)
}

func (b *brokenStore) GetLog(i uint64, l *raft.Log) error {
	if err := b.hook(); err != nil {
		return err
	}
	return b.InmemStore.GetLog(i, l)
}

// faults collects what a guard or machine tells.
type faults struct{ told []string }

func (f *faults) add(err error) { f.told = append(f.told, err.Error()) }

func TestGuardLetsGoodStoresBe(t *testing.T) {
	t.Parallel()
	f := &faults{}
	g := newGuard(&brokenStore{raft.NewInmemStore(), func() error { return nil }}, time.Minute, f.add)
	g.armed.Store(true)
	var l raft.Log
	err := errors.Join(g.StoreLog(&raft.Log{Index: 1, Data: []byte("a")}), g.StoreLog(&raft.Log{Index: 2}), g.GetLog(1, &l), g.DeleteRange(2, 2),
		g.Set([]byte("k"), []byte("v")), g.SetUint64([]byte("n"), 7))
	if err != nil || string(l.Data) != "a" {
		t.Fatalf("%q, %v", l.Data, err)
	}
	if err := g.GetLog(9, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("no entry: %v", err)
	}
	v, _ := g.Get([]byte("k"))
	n, _ := g.GetUint64([]byte("n"))
	first, _ := g.FirstIndex()
	last, _ := g.LastIndex()
	if string(v) != "v" || n != 7 || first != 1 || last != 1 || len(f.told) != 0 {
		t.Errorf("%q %d %d %d %v", v, n, first, last, f.told)
	}
}

func TestGuardFaultsOnceAndForGood(t *testing.T) {
	t.Parallel()
	for what, hook := range map[string]func() error{
		"disk full": func() error { return errors.New("disk full") },
		"bad page":  func() error { panic("bad page") },
	} {
		f, calls := &faults{}, 0
		g := newGuard(&brokenStore{raft.NewInmemStore(), func() error { calls++; return hook() }}, time.Minute, f.add)
		for range 3 {
			if err := g.StoreLog(&raft.Log{Index: 1}); err == nil {
				t.Errorf("%s: no error", what)
			}
		}
		if len(f.told) != 1 || !strings.Contains(f.told[0], what) || calls != 1 {
			t.Errorf("%s: %d calls, told %q", what, calls, f.told)
		}
	}
}

// A write that hangs is not waited for, and nothing is written after it, even
// when it lands in the end.
func TestGuardStaysPoisonedAfterAHungWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, disk := &faults{}, make(chan struct{})
		under := &brokenStore{raft.NewInmemStore(), func() error { <-disk; return nil }}
		g := newGuard(under, storeLimit, f.add)
		start := time.Now()
		if err := g.StoreLog(&raft.Log{Index: 1}); err == nil || time.Since(start) != storeLimit {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		settled := g.settled()
		synctest.Wait()
		select {
		case <-settled:
			t.Error("settled while a write is under way")
		default:
		}
		close(disk)
		<-settled
		if err := g.StoreLog(&raft.Log{Index: 2}); !errors.Is(err, errStoreFaulted) {
			t.Errorf("afterwards: %v", err)
		}
		if last, _ := under.LastIndex(); last != 1 || len(f.told) != 1 {
			t.Errorf("the store ends at %d; told %q", last, f.told)
		}
	})
}

// Where the library would panic, it gets no answer, and its goroutine ends when
// the guard is released.
func TestGuardDoesNotAnswerWhereRaftPanics(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*guard) error{
		"term":  func(g *guard) error { return g.SetUint64([]byte("CurrentTerm"), 2) },
		"entry": func(g *guard) error { return g.GetLog(1, &raft.Log{}) },
	}
	for what, call := range calls {
		synctest.Test(t, func(t *testing.T) {
			g := newGuard(&brokenStore{raft.NewInmemStore(), func() error { return errors.New("EIO") }}, storeLimit, (&faults{}).add)
			g.armed.Store(true)
			ended, answered := make(chan struct{}), false
			go func() {
				defer close(ended)
				_ = call(g)
				answered = true
			}()
			synctest.Wait()
			select {
			case <-ended:
				t.Errorf("%s: it does not wait", what)
			default:
			}
			g.release()
			g.release()
			if <-ended; answered {
				t.Errorf("%s: it was answered", what)
			}
		})
		unarmed := newGuard(&brokenStore{raft.NewInmemStore(), func() error { return errors.New("EIO") }}, storeLimit, (&faults{}).add)
		if err := call(unarmed); err == nil {
			t.Errorf("%s: who opens the store hears nothing", what)
		}
	}
}

// replication stands for the goroutines of the library that send entries.
type replication struct{ guard *guard }

func (r replication) setNewLogs() error { return r.guard.GetLog(1, &raft.Log{}) }

// Who sends entries to others does get an answer: others wait for it to end in
// order.
func TestGuardAnswersReplication(t *testing.T) {
	t.Parallel()
	g := newGuard(&brokenStore{raft.NewInmemStore(), func() error { return errors.New("EIO") }}, storeLimit, (&faults{}).add)
	g.armed.Store(true)
	for range 2 {
		if err := (replication{g}).setNewLogs(); err == nil {
			t.Error("no error")
		}
	}
}

// sink is a snapshot file in memory.
type sink struct {
	io.Writer
	closed, cancelled bool
}

func (s *sink) ID() string    { return "1" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.cancelled = true; return nil }

func TestMachineFollowsTheLogAndStops(t *testing.T) {
	t.Parallel()
	f := &faults{}
	m := newMachine(f.add)
	b, err := (&Command{Change: &RaiseEpoch{To: 3}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := m.Apply(&raft.Log{Index: 4, Data: b}).(Result); !ok || r.Index != 4 || m.state().Cluster().Epoch != 3 {
		t.Fatalf("%+v", r)
	}
	snap, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	whole, half := &sink{Writer: &text}, &sink{Writer: &failing{20}}
	if err := snap.Persist(whole); err != nil || !whole.closed || whole.cancelled {
		t.Errorf("%v, %+v", err, whole)
	}
	if err := snap.Persist(half); err == nil || half.closed || !half.cancelled {
		t.Errorf("%v, %+v", err, half)
	}
	snap.Release()

	other := newMachine(f.add)
	if err := other.Restore(io.NopCloser(&text)); err != nil || other.state().Index() != 4 {
		t.Fatalf("%v, index %d", err, other.state().Index())
	}
	for range 2 {
		if _, stopped := m.Apply(&raft.Log{Index: 5, Data: b[1:]}).(error); !stopped {
			t.Error("it goes on behind a damaged entry")
		}
	}
	if _, err := m.Snapshot(); err == nil || m.state().Index() != 4 || len(f.told) != 1 || !strings.Contains(f.told[0], "log entry 5") {
		t.Errorf("%v at %d, told %q", err, m.state().Index(), f.told)
	}
	if err := other.Restore(io.NopCloser(strings.NewReader("?"))); !errors.Is(err, ErrSnapshot) || other.state().Index() != 4 {
		t.Errorf("a damaged snapshot: %v at %d", err, other.state().Index())
	}
}
