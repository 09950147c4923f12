package request

import (
	"strconv"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// SetCaptures implements variable.Capturer.
func (r *Request) SetCaptures(subject []byte, pairs []int) { r.Captures.Set(subject, pairs) }

// MatchFailed implements variable.Capturer.
func (r *Request) MatchFailed(pattern string, err error) {
	r.Logf(errorlog.Alert, "matching %q was given up: %v", pattern, err)
}

// addCaptures adds $1 to $9, the groups of the last match.
func addCaptures(t *variable.Table) {
	for n := 1; n <= 9; n++ {
		add(t, strconv.Itoa(n), func(r *Request) ([]byte, bool) { return r.Captures.Group(n) })
	}
}
