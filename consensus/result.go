package consensus

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RequestID names a write over all its repetitions. The zero value names none.
type RequestID [16]byte

// String returns the id in hexadecimal.
func (r RequestID) String() string { return hex.EncodeToString(r[:]) }

// MarshalText writes the id as String does.
func (r RequestID) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *RequestID) UnmarshalText(text []byte) error {
	if !isID(string(text)) {
		return fmt.Errorf("request id %q is not 32 hexadecimal digits", text)
	}
	_, err := hex.Decode(r[:], text)
	return err
}

// Code says why a command was refused.
type Code string

// The reasons. None of them goes away by repeating the command as it is.
const (
	Accepted    Code = ""
	Invalid     Code = "invalid"     // makes no sense in any state
	Exists      Code = "exists"      // the thing is there, and is another
	Missing     Code = "missing"     // the thing is not there
	Conflict    Code = "conflict"    // the thing has changed since the caller read it, or is not yet ready
	Forbidden   Code = "forbidden"   // another node's identity, or that of a removed one
	Unconfirmed Code = "unconfirmed" // needs the word of a second resolver
)

// Result is what came of a command.
type Result struct {
	Index  uint64 `json:"index"` // where in the log it was decided
	Code   Code   `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"` // in words, if Code is set
}

// refusal is what a change returns that is not to be made.
type refusal struct {
	code   Code
	reason string
}

func refuse(code Code, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// Requests are remembered for so long and so many of them, whichever is less.
const (
	rememberedFor = 10 * time.Minute
	rememberedMax = 10_000
)

type remembered struct {
	Request RequestID `json:"request"`
	At      int64     `json:"at"` // the log's time
	Result  Result    `json:"result"`
}

// results are what came of the last requests. They never change: with and
// withoutOldest return others.
type results struct {
	places table[string, uint64] // where in the log a request was decided
	kept   table[uint64, remembered]
	count  int
}

// resultsOf makes results of a list, the oldest first. It reports false where
// that is out of order.
func resultsOf(list []*remembered) (r results, ok bool) {
	places := make([]pair[string, uint64], 0, len(list))
	kept := make([]pair[uint64, remembered], 0, len(list))
	for _, old := range list {
		places = append(places, pair[string, uint64]{string(old.Request[:]), &old.Result.Index})
		kept = append(kept, pair[uint64, remembered]{old.Result.Index, old})
	}
	slices.SortFunc(places, func(a, b pair[string, uint64]) int { return strings.Compare(a.Key, b.Key) })
	return results{tableOf(places), tableOf(kept), len(list)}, sortedPairs(places) && sortedPairs(kept)
}

// of returns what came of a request, or nil.
func (r results) of(id RequestID) *remembered {
	place, ok := r.places.Get(string(id[:]))
	if !ok {
		return nil
	}
	old, _ := r.kept.Get(place)
	return &old
}

// oldest returns the one that was decided first, or nil.
func (r results) oldest() *remembered {
	for _, old := range r.kept.All() {
		return old
	}
	return nil
}

// with adds one that was decided last.
func (r results) with(next remembered) results {
	place := next.Result.Index
	return results{r.places.with(string(next.Request[:]), place), r.kept.with(place, next), r.count + 1}
}

// withoutOldest drops the one that was decided first.
func (r results) withoutOldest() results {
	old := r.oldest()
	return results{r.places.without(string(old.Request[:])), r.kept.without(old.Result.Index), r.count - 1}
}

// Result returns what came of a request, if it is one of the last.
func (s *State) Result(id RequestID) (Result, bool) {
	if old := s.results.of(id); old != nil && s.now-old.At < rememberedFor.Milliseconds() {
		return old.Result, true
	}
	return Result{}, false
}

// forget drops results that are too old.
func (d *draft) forget() {
	for old := d.results.oldest(); old != nil && d.now-old.At >= rememberedFor.Milliseconds(); old = d.results.oldest() {
		d.results = d.results.withoutOldest()
	}
}

func (d *draft) remember(id RequestID, r Result) {
	if id == (RequestID{}) {
		return
	}
	if d.results.count == rememberedMax {
		d.results = d.results.withoutOldest()
	}
	d.results = d.results.with(remembered{Request: id, At: d.now, Result: r})
}
