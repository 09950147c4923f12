package request

// Verb is a request method that weir treats in a way of its own.
type Verb uint8

// The methods; all others are VerbOther and passed on by name.
const (
	VerbOther Verb = iota
	VerbGet
	VerbHead
	VerbPost
	VerbPut
	VerbDelete
	VerbOptions
	VerbPatch
	VerbLock
	VerbTrace
	VerbConnect
)

// VerbOf returns the verb of a method's name; names are case-sensitive
// (RFC 9110, 9.1).
func VerbOf(name []byte) Verb {
	switch string(name) {
	case "GET":
		return VerbGet
	case "HEAD":
		return VerbHead
	case "POST":
		return VerbPost
	case "PUT":
		return VerbPut
	case "DELETE":
		return VerbDelete
	case "OPTIONS":
		return VerbOptions
	case "PATCH":
		return VerbPatch
	case "LOCK":
		return VerbLock
	case "TRACE":
		return VerbTrace
	case "CONNECT":
		return VerbConnect
	}
	return VerbOther
}

// Repeatable tells whether a request with this method may be sent to a second
// peer after it was sent to a first one without `non_idempotent`.
func (v Verb) Repeatable() bool { return v != VerbPost && v != VerbLock && v != VerbPatch }
