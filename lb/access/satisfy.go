package access

import (
	"net/http"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// Check is one way to judge a request.
type Check interface {
	// Check returns 0 where it has nothing to say, 200 to let the request in,
	// 401 or 403 to keep it out, and any other status where the check itself
	// failed and the request ends with that status. Fields it adds to r.Reply
	// are taken back when another check lets the request in.
	Check(r *request.Request) int
}

// Satisfy is the handler that lets a request in where all of its checks do
// (`satisfy all`), or one of them (`satisfy any`). Where none has anything to
// say, the request goes in.
type Satisfy struct {
	checks []Check
	any    bool
}

// NewSatisfy combines checks in the order in which they are asked.
func NewSatisfy(satisfyAny bool, checks ...Check) *Satisfy {
	return &Satisfy{checks: checks, any: satisfyAny}
}

// Serve implements request.Handler.
func (s *Satisfy) Serve(r *request.Request) request.Verdict {
	refused, added := 0, len(r.Reply.Added)
	for _, c := range s.checks {
		status := c.Check(r)
		switch {
		case status == 0:
		case status == http.StatusOK:
			if s.any {
				r.Reply.Added = r.Reply.Added[:added]
				return request.Next
			}
		case s.any && (status == http.StatusForbidden || status == http.StatusUnauthorized):
			// A client that could still present a password is told so.
			if refused != http.StatusUnauthorized {
				refused = status
			}
		default:
			return refuse(r, status)
		}
	}
	if refused != 0 {
		return refuse(r, refused)
	}
	return request.Next
}

func refuse(r *request.Request, status int) request.Verdict {
	if status == http.StatusForbidden {
		r.LogError(errorlog.Error, "access forbidden by rule")
	}
	return r.Reject(status)
}
