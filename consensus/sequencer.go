package consensus

import (
	"context"
	"sync"
	"time"
)

// sequencer orders the commands of a node that is alone and keeps nothing: the
// same state machine without a log.
type sequencer struct {
	id    NodeID
	board *board
	mu    sync.Mutex
	state *State
}

func newSequencer(id NodeID, b *board) *sequencer {
	return &sequencer{id: id, board: b, state: b.newest()}
}

func (s *sequencer) propose(_ context.Context, entry []byte) (Result, error) {
	c, err := Decode(entry)
	if err != nil {
		return Result{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next, result := s.state.Apply(c, s.state.Index()+1, time.Now())
	s.state = next
	s.board.put(next)
	return result, nil
}

func (s *sequencer) verify(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Index(), nil
}

func (s *sequencer) leader() (NodeID, string) { return s.id, "" }
func (s *sequencer) servers() []server        { return []server{{id: s.id, voter: true}} }
func (s *sequencer) transfer() error          { return nil }
func (s *sequencer) close()                   {}
