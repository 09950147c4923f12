package consensus

import (
	"context"
	"sync"
	"time"
)

// bell wakes everyone who waits for news. The zero value is ready.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that is closed at the next ring. It is taken before
// what is waited for is looked at.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// board shows the newest state. What is put on it comes from instances of the
// log that follow each other; each begins with an empty state, and shows nothing
// before it is as far as the one before it was.
type board struct {
	mu      sync.Mutex
	state   *State
	handed  uint64        // index of the state that was handed on
	wanted  uint64        // the highest index that somebody has waited for
	fresh   chan struct{} // there is one to hand on
	hurry   chan struct{} // somebody waits
	changed bell          // rings when one was handed on
}

func newBoard() *board {
	return &board{state: &State{}, fresh: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
}

func (b *board) newest() *State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

func (b *board) served() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.handed
}

// put shows a state, if it is not older than what is shown. A state of another
// cluster, or of a later epoch, has another log: indexes say nothing there.
func (b *board) put(s *State) {
	b.mu.Lock()
	old := b.state
	other := s.cluster.ID != "" && old.cluster.ID != "" && s.cluster.ID != old.cluster.ID || s.cluster.Epoch > old.cluster.Epoch
	newer := s.index > old.index && s.cluster.Epoch >= old.cluster.Epoch
	if newer || other {
		b.state = s
	}
	b.mu.Unlock()
	if newer || other {
		ring(b.fresh)
	}
}

// hand gives f the newest state.
func (b *board) hand(f func(*State)) *State {
	s := b.newest()
	if f != nil {
		f(s)
	}
	b.mu.Lock()
	if s.index < b.handed { // another log
		b.wanted = 0
	}
	b.handed = s.index
	b.mu.Unlock()
	b.changed.ring()
	return s
}

// want says that somebody waits for a state of an index.
func (b *board) want(index uint64) {
	b.mu.Lock()
	b.wanted = max(b.wanted, index)
	b.mu.Unlock()
	ring(b.hurry)
}

// awaited reports whether somebody waits for a state that has not been handed on.
func (b *board) awaited() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wanted > b.handed
}

// ring leaves word in a channel that holds one.
func ring(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// To put a state in force takes long where there are thousands of servers, and
// takes no longer for many changes than for one. So the next state waits for
// handPause times as long as that of the last one took, unless somebody waits
// for it: nodes that nobody asks spend little of their time on what is changing,
// and are never further behind than maxHandPause.
const (
	handPause    = 9
	maxHandPause = 250 * time.Millisecond
)

// pause is what comes after a state has been handed on, which took so long.
func (b *board) pause(ctx context.Context, took time.Duration) {
	timer := time.NewTimer(min(handPause*took, maxHandPause))
	defer timer.Stop()
	for !b.awaited() {
		select {
		case <-b.hurry:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
