package consensus

import (
	"encoding/hex"
	"fmt"
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

// Result returns what came of a request, if it is one of the last.
func (s *State) Result(id RequestID) (Result, bool) {
	if id == (RequestID{}) {
		return Result{}, false
	}
	// From the newest on: repetitions come soon.
	for i := len(s.results) - 1; i >= 0; i-- {
		if r := s.results[i]; r.Request == id && s.now-r.At < rememberedFor.Milliseconds() {
			return r.Result, true
		}
	}
	return Result{}, false
}

// forget drops results that are too old.
func (d *draft) forget() {
	for len(d.results) > 0 && d.now-d.results[0].At >= rememberedFor.Milliseconds() {
		d.results = d.results[1:]
	}
}

func (d *draft) remember(id RequestID, r Result) {
	if id == (RequestID{}) {
		return
	}
	from := max(0, len(d.results)+1-rememberedMax)
	kept := d.results[from:]
	// Copied: a state before this one may have other successors.
	next := append(make([]*remembered, 0, len(kept)+1), kept...)
	d.results = append(next, &remembered{Request: id, At: d.now, Result: r})
}
