package consensus

import "sync"

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
	fresh   chan struct{} // there is one to hand on
	changed bell          // rings when one was handed on
}

func newBoard() *board {
	return &board{state: &State{}, fresh: make(chan struct{}, 1)}
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
		select {
		case b.fresh <- struct{}{}:
		default:
		}
	}
}

// hand gives f the newest state.
func (b *board) hand(f func(*State)) *State {
	s := b.newest()
	if f != nil {
		f(s)
	}
	b.mu.Lock()
	b.handed = s.index
	b.mu.Unlock()
	b.changed.ring()
	return s
}
