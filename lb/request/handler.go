package request

// Verdict is what a handler tells the chain to do next.
type Verdict uint8

// The verdicts.
const (
	// Next: go on with the next handler.
	Next Verdict = iota
	// Done: the reply was made; only the log is left.
	Done
	// Respond: answer with r.Reply.Status, by `error_page` or weir's own page.
	Respond
	// Reroute: Path was changed; find the location anew.
	Reroute
)

// Handler is one step of a request's chain. One handler serves many requests
// at a time and keeps nothing of any of them.
type Handler interface {
	Serve(r *Request) Verdict
}

// Reject is the verdict of a handler that answers with a status.
func (r *Request) Reject(status int) Verdict {
	r.Reply.Status = status
	return Respond
}
