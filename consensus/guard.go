package consensus

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// storeLimit is how long the store may take. Heartbeats go on while the disk
// of a leader hangs, so without a limit nobody would ever be elected in its
// place (hashicorp/raft issue 503).
const storeLimit = 5 * time.Second

// store is what the library keeps its log, term and vote in.
type store interface {
	raft.LogStore
	raft.StableStore
}

// errStoreFaulted is the answer of a guard whose store has failed before.
var errStoreFaulted = errors.New("the store has failed before")

// guard stands between the library and its store, so that a disk that fails,
// hangs or lies ends this instance of Raft, and never the process.
//
//   - A call that takes longer than the limit fails. From then on every call
//     fails, for as long as the guard lives: a write that lands late may not be
//     followed by another. A new instance is opened over the same file only when
//     settled says that nothing is under way.
//   - The first error is told to fault. It is also what restarts a follower
//     after a failed append, since the library's idea of the last entry is then
//     no longer that of the store.
//   - Where the library answers an error with a panic (term, vote, committed
//     entries), the call does not return: it waits for release, and then ends
//     the library's goroutine.
//   - A panic or memory fault inside the store, as damaged files of bbolt give,
//     is an error.
type guard struct {
	under    store
	limit    time.Duration
	fault    func(error)
	armed    atomic.Bool // the library runs; before, it returns errors to who opens it
	faulted  atomic.Bool
	underWay sync.WaitGroup
	released chan struct{}
	once     sync.Once
}

func newGuard(under store, limit time.Duration, fault func(error)) *guard {
	return &guard{under: under, limit: limit, fault: fault, released: make(chan struct{})}
}

// release lets calls go that do not return.
func (g *guard) release() { g.once.Do(func() { close(g.released) }) }

// settled returns a channel that is closed when no call is under way. It is for
// one that is faulted, whose calls begin no more work.
func (g *guard) settled() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		g.underWay.Wait()
		close(done)
	}()
	return done
}

// do has the store do something, within the limit.
func (g *guard) do(what string, f func() error) error {
	if g.faulted.Load() {
		return fmt.Errorf("%s: %w", what, errStoreFaulted)
	}
	result := make(chan error, 1)
	g.underWay.Add(1)
	go func() {
		defer g.underWay.Done()
		result <- caught(f)
	}()
	timer := time.NewTimer(g.limit)
	defer timer.Stop()
	var err error
	select {
	case err = <-result:
	case <-timer.C:
		err = fmt.Errorf("the store has not answered for %v", g.limit)
	}
	if err == nil || absent(err) {
		return err // as it is: the library compares its text
	}
	err = fmt.Errorf("%s: %w", what, err)
	if g.faulted.CompareAndSwap(false, true) {
		g.fault(err)
	}
	return err
}

// absent reports whether err says that nothing is stored, which is no fault. Of
// keys, stores say it in these words, and in no other way.
func absent(err error) bool {
	return errors.Is(err, raft.ErrLogNotFound) || err.Error() == "not found"
}

// caught makes an error of a panic, and of a memory fault: a file that was cut
// off while it is mapped gives one.
func caught(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the store is broken: %v", p)
		}
	}()
	return f()
}

// must is do for calls whose errors the library answers with a panic.
func (g *guard) must(what string, f func() error) error {
	err := g.do(what, f)
	if err == nil || absent(err) || !g.armed.Load() {
		return err
	}
	<-g.released
	runtime.Goexit() // runs what the library has deferred, so that it can be waited for
	return err
}

// value is do for what gives a value. One that comes late is nobody's.
func value[T any](run func(string, func() error) error, what string, f func() (T, error)) (T, error) {
	got := make(chan T, 1)
	err := run(what, func() error {
		v, err := f()
		got <- v
		return err
	})
	var none T
	if err != nil {
		return none, err
	}
	return <-got, nil
}

// FirstIndex is that of raft.LogStore.
func (g *guard) FirstIndex() (uint64, error) {
	return value(g.do, "read first index", g.under.FirstIndex)
}

// LastIndex is that of raft.LogStore.
func (g *guard) LastIndex() (uint64, error) {
	return value(g.do, "read last index", g.under.LastIndex)
}

// GetLog is that of raft.LogStore.
func (g *guard) GetLog(index uint64, l *raft.Log) error {
	run := g.must
	if replicating() {
		run = g.do
	}
	got, err := value(run, fmt.Sprintf("read log entry %d", index), func() (raft.Log, error) {
		var own raft.Log // a late answer must not write into the caller's
		err := g.under.GetLog(index, &own)
		return own, err
	})
	if err == nil {
		*l = got
	}
	return err
}

// replicating reports whether it is called on behalf of those goroutines of the
// library that send entries to others. They take an error for what it is, while
// others would wait for ever for one of them that is ended from here.
func replicating() bool {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, ".setNewLogs") || strings.HasSuffix(f.Function, ".setPreviousLog") {
			return true
		}
		if !more {
			return false
		}
	}
}

// StoreLog is that of raft.LogStore.
func (g *guard) StoreLog(l *raft.Log) error { return g.StoreLogs([]*raft.Log{l}) }

// StoreLogs is that of raft.LogStore.
func (g *guard) StoreLogs(logs []*raft.Log) error {
	return g.do("write log", func() error { return g.under.StoreLogs(logs) })
}

// DeleteRange is that of raft.LogStore.
func (g *guard) DeleteRange(first, last uint64) error {
	return g.do("cut log", func() error { return g.under.DeleteRange(first, last) })
}

// Set is that of raft.StableStore.
func (g *guard) Set(key, val []byte) error {
	return g.must("write vote", func() error { return g.under.Set(key, val) })
}

// Get is that of raft.StableStore.
func (g *guard) Get(key []byte) ([]byte, error) {
	return value(g.do, "read vote", func() ([]byte, error) { return g.under.Get(key) })
}

// SetUint64 is that of raft.StableStore.
func (g *guard) SetUint64(key []byte, val uint64) error {
	return g.must("write term", func() error { return g.under.SetUint64(key, val) })
}

// GetUint64 is that of raft.StableStore.
func (g *guard) GetUint64(key []byte) (uint64, error) {
	return value(g.do, "read term", func() (uint64, error) { return g.under.GetUint64(key) })
}
