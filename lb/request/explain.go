package request

import (
	"fmt"

	"github.com/weir-lb/weir/lb/errorlog"
)

// Explanation is what was found out about a request that was made up to see
// where it would go. Such a request reaches no peer, no client and no log.
type Explanation struct {
	Lines []string // in the order of the steps
}

// Explains tells whether the steps of the request are to say what they do and
// why, by Explainf: into its Explanation, or into an error log of level debug.
// It is cheap; what is said is put together only if it holds.
func (r *Request) Explains() bool { return r.Explanation != nil || r.Log.Enabled(errorlog.Debug) }

// Explainf says what a step does and why, in one line.
func (r *Request) Explainf(format string, args ...any) {
	r.LogError(errorlog.Debug, fmt.Sprintf(format, args...))
}

// explain takes a line for the error log into the explanation.
func (e *Explanation) explain(level errorlog.Level, message string) {
	if level != errorlog.Debug {
		message = "[" + level.String() + "] " + message
	}
	e.Lines = append(e.Lines, message)
}
