package request

import "fmt"

// Source tells which side an error came from.
type Source uint8

// The sources.
const (
	Internal Source = iota
	Downstream
	Upstream
)

// Error is a failure of one request: where it came from, what to answer and
// whether the request may be tried once more.
type Error struct {
	Source Source
	Status int    // what the client is told; 499: it is gone
	Retry  bool   // another peer may be tried
	Reason string // in the words of the error log
	Cause  error
}

// Error returns the text for the log.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Reason
	}
	return fmt.Sprintf("%s (%v)", e.Reason, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
