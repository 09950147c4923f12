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

// Site is what a request may ask of the location it is in.
type Site interface {
	// Catches tells whether an error_page stands ready for a status.
	Catches(status int) bool
	// Hold keeps the configuration that the request belongs to in being for work
	// that outlasts the request, until release is called.
	Hold() (release func())
}

// RedirectTo is the verdict of a handler that hands the request on to another
// location: to a named one where path begins with "@", else to where path,
// decoded, leads. The method stays as it is.
func (r *Request) RedirectTo(path, args []byte) Verdict {
	r.Internal, r.Named = true, nil
	if len(path) > 0 && path[0] == '@' {
		r.Named = path
		return Reroute
	}
	r.Path, r.Args, r.HasArgs = path, args, len(args) > 0
	r.Changed, r.Plain = true, false
	return Reroute
}
