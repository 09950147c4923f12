package consensus

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// machine hands the log to the state. The library calls it from one goroutine
// at a time; state may be read by any.
type machine struct {
	current atomic.Pointer[State]
	faulted atomic.Bool
	fault   func(error) // told once why the machine has stopped
	decode  func([]byte) (Command, error)
	publish func(*State) // told of each state; nil: nobody is
}

// errStopped is what comes of entries behind one that could not be followed.
var errStopped = errors.New("the log could not be followed any further")

func newMachine(fault func(error)) *machine {
	m := &machine{fault: fault, decode: Decode}
	m.current.Store(&State{})
	return m
}

func (m *machine) state() *State { return m.current.Load() }

// Apply follows the log by one entry. Its answer is a Result, or an error when
// the machine has stopped: an entry that cannot be read is never stepped over,
// since the others did not step over it.
func (m *machine) Apply(l *raft.Log) any {
	if m.faulted.Load() {
		return errStopped
	}
	c, err := m.decode(l.Data)
	if err != nil {
		return m.stop(fmt.Errorf("log entry %d: %w", l.Index, err))
	}
	next, result := m.state().Apply(c, l.Index, l.AppendedAt)
	m.set(next)
	return result
}

func (m *machine) stop(err error) error {
	if m.faulted.CompareAndSwap(false, true) {
		m.fault(err)
	}
	return err
}

// Snapshot captures a pointer, so the log goes on at once. A machine that has
// stopped gives none: one would let the library forget the entries that a
// newer program can still follow.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.faulted.Load() {
		return nil, errStopped
	}
	return captured{m.state()}, nil
}

// Restore puts a snapshot in the place of the state, if it is whole.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	s, err := ReadSnapshot(r)
	if err != nil {
		return m.stop(err)
	}
	m.set(s)
	return nil
}

func (m *machine) set(s *State) {
	m.current.Store(s)
	if m.publish != nil {
		m.publish(s)
	}
}

// captured is a state on its way to a file.
type captured struct{ state *State }

// Persist writes the state. What was begun with an error is cancelled, so that
// no half snapshot is ever taken for one.
func (c captured) Persist(sink raft.SnapshotSink) error {
	if err := c.state.WriteSnapshot(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// Release has nothing to give back: the library may call it without Persist.
func (captured) Release() {}
