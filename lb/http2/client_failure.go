package http2

import "fmt"

// Failure is why an exchange with an upstream did not come to its end.
type Failure struct {
	Reason string // in the words of the error log
	// Malformed tells that the peer's reply broke the rules.
	Malformed bool
	// Unprocessed tells that the peer has done nothing about the request, which
	// may be sent again whatever it is (RFC 9113, 8.7).
	Unprocessed bool
	Cause       error // of the connection's end; nil: only the exchange failed
}

// Error returns the reason.
func (f *Failure) Error() string { return f.Reason }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// refused is the failure of an exchange for which a connection had no use.
func refused(reason string) *Failure { return &Failure{Reason: reason, Unprocessed: true} }

// malformed is the failure of a reply that breaks the rules.
func malformed(reason string) *Failure { return &Failure{Reason: reason, Malformed: true} }

// reset is the failure that a RST_STREAM means.
func reset(code ErrorCode) *Failure {
	return &Failure{
		Reason:      fmt.Sprintf("upstream rejected request with error %d (%v)", uint32(code), code),
		Unprocessed: code == RefusedStream,
	}
}
