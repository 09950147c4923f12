package http1

import (
	"strconv"

	"github.com/weir-lb/weir/lb/request"
)

// refuse is the error of a request that is answered with status.
func refuse(status int, reason string) *request.Error {
	return &request.Error{Source: request.Downstream, Status: status, Reason: reason}
}

// refuseHead is refuse with the words that nginx adds while it reads a head.
func refuseHead(status int, reason string) *request.Error {
	return refuse(status, reason+" while reading client request headers")
}

// broken is the error of a reply that makes no sense; nothing of it was passed
// on, so that another peer may be tried.
func broken(reason string) *request.Error {
	return &request.Error{Source: request.Upstream, Status: 502, Retry: true, Reason: reason}
}

// excerptSize bounds how much of a bad line is quoted in an error.
const excerptSize = 100

// excerpt quotes the start of the line at the beginning of b. Bytes that could
// confuse a reader of the log are escaped.
func excerpt(b []byte) string {
	n := lineLength(b[:min(len(b), excerptSize+1)])
	if n <= excerptSize {
		return strconv.QuoteToASCII(string(b[:n]))
	}
	q := strconv.QuoteToASCII(string(b[:excerptSize]))
	return q[:len(q)-1] + "...\""
}

// lineLength is the number of bytes before the first CR or LF.
func lineLength(b []byte) int {
	for i, c := range b {
		if c == '\r' || c == '\n' {
			return i
		}
	}
	return len(b)
}
