package control

import (
	"fmt"
	"net/http"
	"strings"
)

// Code says what kind of failure it was.
type Code string

// The codes. Only NoQuorum and OutcomeUnknown may go away by asking again, and
// NodesOlder when some nodes were upgraded.
const (
	BadRequest         Code = "BadRequest"             // what was asked makes no sense
	UpstreamNotFound   Code = "UpstreamNotFound"       // Known has those that there are
	ServerNotFound     Code = "UpstreamServerNotFound" // likewise
	NodeNotFound       Code = "NodeNotFound"           // likewise
	UpstreamStatic     Code = "UpstreamStatic"         // it has no zone, so it is what the file says
	BadParameter       Code = "BadParameter"           // of a server
	Conflict           Code = "Conflict"               // with what is there, or with a change meanwhile
	NoCluster          Code = "NoCluster"              // the configuration has no cluster block
	NodeRefused        Code = "NodeRefused"            // by its cluster: surely not done, another node may be asked
	NodesOlder         Code = "NodesOlder"             // surely not done: Text names the nodes that would not understand it
	NoQuorum           Code = "NoQuorum"               // surely not done: too few nodes are there
	OutcomeUnknown     Code = "OutcomeUnknown"         // it may have been done, or be yet
	NotFound           Code = "NotFound"               // no such route, or request
	MethodNotAllowed   Code = "MethodNotAllowed"       // Text has those that there are
	TooLarge           Code = "TooLarge"               // more than MaxBody
	InternalError      Code = "InternalError"          // a fault of the node
	UnsupportedVersion Code = "UnsupportedVersion"     // another version of the protocol
)

// Failure is what is told of what could not be done.
type Failure struct {
	Code Code   `json:"code"`
	Text string `json:"text"` // in words
	// Request names the write.
	Request string `json:"request,omitempty"`
	// Missing are the nodes without which there is no quorum.
	Missing []NodeName `json:"missing,omitempty"`
	// Known are the names that there are, where one was asked for that is not.
	Known []string `json:"known,omitempty"`
}

// mostKnown is how many names are told in words.
const mostKnown = 20

// Error returns the text, and what there is instead.
func (f *Failure) Error() string {
	switch n := len(f.Known); {
	case n > mostKnown:
		return fmt.Sprintf("%s; there are: %s, and %d more", f.Text, strings.Join(f.Known[:mostKnown], ", "), n-mostKnown)
	case n > 0:
		return f.Text + "; there are: " + strings.Join(f.Known, ", ")
	}
	return f.Text
}

// status is the HTTP status of a code.
func (c Code) status() int {
	switch c {
	case UpstreamNotFound, ServerNotFound, NodeNotFound, NotFound, UnsupportedVersion:
		return http.StatusNotFound
	case Conflict, NoCluster, NodeRefused, NodesOlder:
		return http.StatusConflict
	case MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case NoQuorum:
		return http.StatusServiceUnavailable
	case OutcomeUnknown:
		return http.StatusGatewayTimeout
	case InternalError:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
