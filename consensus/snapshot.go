package consensus

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrSnapshot says that a snapshot is damaged, or was written by a newer
// program. Nothing of it is used.
var ErrSnapshot = errors.New("unreadable snapshot")

// A snapshot is a line that names the format, records, each a kind(1), a
// length(4) and JSON, and behind the last of kind 0 the SHA-256 of it all.
const (
	snapshotLine = "weir state 1\n"
	maxRecord    = 64 << 20
)

// The kinds of records, in the order in which they stand.
const (
	recordEnd byte = iota
	recordState
	recordUpstream
	recordAnswer
	recordRing
	recordNode
	recordResult
)

// base is the record of what is there once.
type base struct {
	Index   uint64  `json:"index"`
	Now     int64   `json:"now"`
	Cluster Cluster `json:"cluster"`
}

// ringRecord is the record of a key ring.
type ringRecord struct {
	Kind RingKind `json:"kind"`
	Keys Ring     `json:"keys"`
}

// upstreamRecord is the record of what has been agreed on about an upstream.
type upstreamRecord struct {
	Key   string      `json:"k"`
	Value *editsPairs `json:"v"`
}

// editsPairs are Edits with their tables in one piece each.
type editsPairs struct {
	Modified uint64                     `json:"modified"`
	Last     uint64                     `json:"last,omitempty"`
	Seeded   bool                       `json:"seeded,omitempty"`
	Added    []pair[ServerID, Addition] `json:"added,omitempty"`
	Changed  []pair[ServerID, Changed]  `json:"changed,omitempty"`
	Removed  []pair[ServerID, Removal]  `json:"removed,omitempty"`
	Orders   []pair[ServerID, Order]    `json:"orders,omitempty"`
}

func (e *Edits) pairs() *editsPairs {
	return &editsPairs{e.Modified, e.Last, e.Seeded, e.Added.pairs(), e.Changed.pairs(), e.Removed.pairs(), e.Orders.pairs()}
}

// edits is the opposite of Edits.pairs. It reports false where they are out of
// order.
func (e *editsPairs) edits() (*Edits, bool) {
	if e == nil || !sortedPairs(e.Added) || !sortedPairs(e.Changed) || !sortedPairs(e.Removed) || !sortedPairs(e.Orders) {
		return nil, false
	}
	return &Edits{e.Modified, e.Last, e.Seeded, tableOf(e.Added), tableOf(e.Changed), tableOf(e.Removed), tableOf(e.Orders)}, true
}

// WriteSnapshot writes the state to w. Equal states give equal bytes. The state
// does not change meanwhile, so others go on without waiting.
func (s *State) WriteSnapshot(w io.Writer) error {
	out := &recordWriter{sum: sha256.New()}
	out.w = io.MultiWriter(w, out.sum)
	out.write([]byte(snapshotLine))
	out.record(recordState, base{s.index, s.now, s.cluster})
	for name, e := range s.upstreams.All() {
		out.record(recordUpstream, upstreamRecord{name, e.pairs()})
	}
	for _, a := range s.answers.All() {
		out.record(recordAnswer, a)
	}
	for kind, ring := range s.rings {
		if len(ring) > 0 {
			out.record(recordRing, ringRecord{RingKind(kind), ring})
		}
	}
	for id, n := range s.nodes.All() {
		out.record(recordNode, pair[NodeID, Node]{id, n})
	}
	for _, r := range s.results.kept.All() {
		out.record(recordResult, r)
	}
	out.record(recordEnd, nil)
	if out.err != nil {
		return fmt.Errorf("write snapshot of index %d: %w", s.index, out.err)
	}
	if _, err := w.Write(out.sum.Sum(nil)); err != nil {
		return fmt.Errorf("write snapshot of index %d: %w", s.index, err)
	}
	return nil
}

// recordWriter stops at its first error.
type recordWriter struct {
	w   io.Writer
	sum hash.Hash
	err error
}

func (o *recordWriter) write(b []byte) {
	if o.err == nil {
		_, o.err = o.w.Write(b)
	}
}

func (o *recordWriter) record(kind byte, value any) {
	text, err := json.Marshal(value)
	if err == nil && len(text) > maxRecord {
		err = fmt.Errorf("a record of %d bytes", len(text))
	}
	if err != nil && o.err == nil {
		o.err = err
	}
	o.write(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(text))))
	o.write(text)
}

// ReadSnapshot reads what WriteSnapshot wrote. Its errors are ErrSnapshot and
// those of r.
func ReadSnapshot(r io.Reader) (*State, error) {
	sum := sha256.New()
	in := io.TeeReader(r, sum)
	line := make([]byte, len(snapshotLine))
	if _, err := io.ReadFull(in, line); err != nil {
		return nil, cut(err)
	}
	if string(line) != snapshotLine {
		return nil, fmt.Errorf("%w: it begins with %q", ErrSnapshot, line)
	}
	var s snapshotReader
	last := recordState
	for {
		kind, text, err := readRecord(in)
		if err != nil {
			return nil, err
		}
		if kind == recordEnd {
			break
		}
		if kind < last {
			return nil, fmt.Errorf("%w: records are out of order", ErrSnapshot)
		}
		last = kind
		if err := s.take(kind, text); err != nil {
			return nil, fmt.Errorf("%w: record of kind %d: %w", ErrSnapshot, kind, err)
		}
	}
	want := sum.Sum(nil)
	rest, err := io.ReadAll(io.LimitReader(r, sha256.Size+1))
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(rest, want):
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrSnapshot)
	}
	return s.done()
}

func readRecord(in io.Reader) (kind byte, text []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, cut(err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxRecord {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", ErrSnapshot, size)
	}
	// Read as it comes: a length that lies must not cost its memory.
	var b bytes.Buffer
	if _, err := io.CopyN(&b, in, int64(size)); err != nil {
		return 0, nil, cut(err)
	}
	return head[0], b.Bytes(), nil
}

// cut tells a snapshot that ends early from one that cannot be read.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut off", ErrSnapshot)
	}
	return fmt.Errorf("read snapshot: %w", err)
}

// snapshotReader is a state in the making.
type snapshotReader struct {
	state     State // without what follows
	upstreams []pair[string, Edits]
	answers   []pair[string, Answer]
	nodes     []pair[NodeID, Node]
	results   []*remembered
}

// done returns the state, if all is in order.
func (s *snapshotReader) done() (*State, error) {
	results, ok := resultsOf(s.results)
	if !ok || !sortedPairs(s.upstreams) || !sortedPairs(s.answers) || !sortedPairs(s.nodes) {
		return nil, fmt.Errorf("%w: records are out of order", ErrSnapshot)
	}
	state := &s.state
	state.upstreams, state.answers, state.nodes, state.results = tableOf(s.upstreams), tableOf(s.answers), tableOf(s.nodes), results
	return state, nil
}

// take puts a record in its place.
func (s *snapshotReader) take(kind byte, text []byte) error {
	switch kind {
	case recordState:
		var b base
		err := strictly(text, &b)
		s.state.index, s.state.now, s.state.cluster = b.Index, b.Now, b.Cluster
		return err
	case recordUpstream:
		var u upstreamRecord
		if err := strictly(text, &u); err != nil {
			return err
		}
		e, ok := u.Value.edits()
		if !ok {
			return errors.New("servers are out of order")
		}
		s.upstreams = append(s.upstreams, pair[string, Edits]{u.Key, e})
		return nil
	case recordAnswer:
		var a Answer
		err := strictly(text, &a)
		s.answers = append(s.answers, pair[string, Answer]{a.key(), &a})
		return err
	case recordRing:
		var r ringRecord
		if err := strictly(text, &r); err != nil {
			return err
		}
		if r.Kind >= ringCount {
			return fmt.Errorf("no key ring %d", r.Kind)
		}
		s.state.rings[r.Kind] = r.Keys
		return nil
	case recordNode:
		var p pair[NodeID, Node]
		err := strictly(text, &p)
		s.nodes = append(s.nodes, p)
		return err
	case recordResult:
		r := &remembered{}
		err := strictly(text, r)
		s.results = append(s.results, r)
		return err
	}
	return errors.New("unknown to this program")
}
