package discovery

import (
	"strconv"

	"github.com/miekg/dns"
)

// Code tells why a name has no addresses. The values below TimedOut are the
// response codes of RFC 1035, section 4.1.1.
type Code int

// The codes that an Error may have.
const (
	FormatError   Code = dns.RcodeFormatError
	ServerFailure Code = dns.RcodeServerFailure
	NotFound      Code = dns.RcodeNameError // also where the name has no address
	Unimplemented Code = dns.RcodeNotImplemented
	Refused       Code = dns.RcodeRefused
	TimedOut      Code = 110
)

// Error is a look-up that found no address.
type Error struct {
	Code  Code
	Cause error // what went wrong last and with which name server; may be nil
}

// Error returns the code and its meaning as nginx words them, such as
// "3: Host not found".
func (e *Error) Error() string { return strconv.Itoa(int(e.Code)) + ": " + e.Code.String() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// String returns the meaning of a code in nginx's words.
func (c Code) String() string {
	switch c {
	case FormatError:
		return "Format error"
	case ServerFailure:
		return "Server failure"
	case NotFound:
		return "Host not found"
	case Unimplemented:
		return "Unimplemented"
	case Refused:
		return "Operation refused"
	case TimedOut:
		return "Operation timed out"
	}
	return "Unknown error"
}
