package consensus

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// Names under which the library keeps its term and its vote.
const (
	keyTerm     = "CurrentTerm"
	keyVoteTerm = "LastVoteTerm"
	keyVote     = "LastVoteCand"
)

// keyBallot is the name under which they are stored, as one value.
const keyBallot = "Ballot"

// ballot is what a node must not forget: the term it is in, and whom it voted
// for, and in which term.
type ballot struct {
	term, voteTerm uint64
	candidate      []byte // nil: it never voted
}

func (b *ballot) encode() []byte {
	text := binary.BigEndian.AppendUint64(nil, b.term)
	return append(binary.BigEndian.AppendUint64(text, b.voteTerm), b.candidate...)
}

func decodeBallot(text []byte) (b ballot, err error) {
	if len(text) < 16 {
		return b, fmt.Errorf("the vote on disk has %d bytes", len(text))
	}
	b.term, b.voteTerm = binary.BigEndian.Uint64(text), binary.BigEndian.Uint64(text[8:])
	if len(text) > 16 {
		b.candidate = append([]byte(nil), text[16:]...)
	}
	return b, nil
}

// ballots is a store that writes term and vote at once, where the library writes
// them one after the other: a change of the leader waits for each of these writes,
// on several nodes.
//
// A term that is new is written no later than what binds the node to it: with its
// vote, or before the entries of its leader. Who forgets a term in which it did
// neither has said nothing in it that counts: a leader has the votes of a majority,
// which are all on disk, so that there is no other in that term or before it. Nor
// does a snapshot need the term: what is in one was agreed on before it was sent.
//
// The vote of a node for itself is written while it asks the others: whoever
// counts their votes has to call save before.
type ballots struct {
	store
	self     string // how the node stands in a vote for itself; empty: such votes are written at once
	mu       sync.Mutex
	loaded   bool
	now      ballot
	voteTerm uint64 // of the vote that comes next
	unsaved  bool   // now is not on disk
}

func newBallots(under store) *ballots { return &ballots{store: under} }

// load reads what is on disk. A store of a version that wrote three values has no
// ballot yet.
func (b *ballots) load() error {
	if b.loaded {
		return nil
	}
	text, err := b.store.Get([]byte(keyBallot))
	switch {
	case err == nil:
		b.now, err = decodeBallot(text)
	case absent(err):
		b.now, err = b.loadApart()
	}
	b.loaded = err == nil
	return err
}

func (b *ballots) loadApart() (old ballot, err error) {
	if old.term, err = b.store.GetUint64([]byte(keyTerm)); err != nil && !absent(err) {
		return old, err
	}
	if old.voteTerm, err = b.store.GetUint64([]byte(keyVoteTerm)); err != nil && !absent(err) {
		return old, err
	}
	if old.candidate, err = b.store.Get([]byte(keyVote)); err != nil && !absent(err) {
		return old, err
	}
	return old, nil
}

// save writes what is not on disk yet.
func (b *ballots) save() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.saveLocked()
}

func (b *ballots) saveLocked() error {
	if !b.unsaved {
		return nil
	}
	err := b.store.Set([]byte(keyBallot), b.now.encode())
	b.unsaved = err != nil
	return err
}

// SetUint64 is that of raft.StableStore.
func (b *ballots) SetUint64(key []byte, val uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(); err != nil {
		return err
	}
	switch string(key) {
	case keyTerm:
		b.unsaved = b.unsaved || b.now.term != val
		b.now.term = val
	case keyVoteTerm:
		b.voteTerm = val
	default:
		return b.store.SetUint64(key, val)
	}
	return nil
}

// Set is that of raft.StableStore. The candidate is the last that the library
// tells of a vote.
func (b *ballots) Set(key, val []byte) error {
	if string(key) != keyVote {
		return b.store.Set(key, val)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(); err != nil {
		return err
	}
	b.now.voteTerm, b.now.candidate, b.unsaved = b.voteTerm, append([]byte(nil), val...), true
	if b.self != "" && b.self == string(val) {
		go b.save() // who needs it calls save, too, and is told what came of it
		return nil
	}
	return b.saveLocked()
}

// GetUint64 is that of raft.StableStore.
func (b *ballots) GetUint64(key []byte) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(); err != nil {
		return 0, err
	}
	switch string(key) {
	case keyTerm:
		return b.now.term, nil
	case keyVoteTerm:
		return b.now.voteTerm, nil
	}
	return b.store.GetUint64(key)
}

// Get is that of raft.StableStore. Who never voted has no candidate, which the
// library understands as it does that of a store without one.
func (b *ballots) Get(key []byte) ([]byte, error) {
	if string(key) != keyVote {
		return b.store.Get(key)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.load()
	return b.now.candidate, err
}

// StoreLogs is that of raft.LogStore.
func (b *ballots) StoreLogs(logs []*raft.Log) error {
	if err := b.save(); err != nil {
		return err
	}
	return b.store.StoreLogs(logs)
}

// StoreLog is that of raft.LogStore.
func (b *ballots) StoreLog(l *raft.Log) error { return b.StoreLogs([]*raft.Log{l}) }

// DeleteRange is that of raft.LogStore.
func (b *ballots) DeleteRange(first, last uint64) error {
	if err := b.save(); err != nil {
		return err
	}
	return b.store.DeleteRange(first, last)
}
