package config

import "time"

// HealthCheck is one health_check of a location.
type HealthCheck struct {
	Pos       Pos
	Interval  time.Duration // between the beginnings of two checks of a server
	Jitter    time.Duration // by which a check may begin later, at random
	Fails     int           // failed checks in a row after which a server is unhealthy
	Passes    int           // passed checks in a row after which it is healthy
	URI       string
	Match     *Match // what the reply must be; nil: a status from 200 to 399
	MatchName string
	Port      uint16 // 0: that of the server

	Local      bool // in a cluster, every node checks every server
	Mandatory  bool // a new server gets no requests before its first check has passed
	Persistent bool // servers that were healthy before a reload need not pass again

	GRPC        bool   // the gRPC health checking protocol instead of a request
	GRPCService string // empty: the server as a whole
	GRPCStatus  int    // what a service that does not answer such checks says; 0: it must answer

	KeepaliveTime time.Duration // how long checks share a connection; 0: each has its own
}

// Match is a match block: the tests that a reply must pass to be healthy.
type Match struct {
	Pos     Pos
	Name    string
	Status  *MatchStatus // nil: any
	Headers []MatchHeader
	Body    *MatchBody // nil: any
	Require []Text     // none may be empty or "0"
}

// MatchStatus is the status test of a match block.
type MatchStatus struct {
	Not    bool // none of the codes
	Ranges []StatusRange
}

// StatusRange are the status codes from First to Last.
type StatusRange struct{ First, Last int }

// MatchOp is how a header test looks at the field.
type MatchOp uint8

// The forms of header tests. All but MatchAbsent ask that the field is there.
const (
	MatchPresent  MatchOp = iota // header Name
	MatchAbsent                  // header ! Name
	MatchEqual                   // header Name = value
	MatchNotEqual                // header Name != value
	MatchLike                    // header Name ~ regex
	MatchNotLike                 // header Name !~ regex
)

// String gives the operator as it is written.
func (o MatchOp) String() string { return [...]string{"present", "!", "=", "!=", "~", "!~"}[o] }

// MatchHeader is one header test of a match block.
type MatchHeader struct {
	Pos   Pos
	Name  string
	Op    MatchOp
	Value string // MatchEqual, MatchNotEqual
	Regex *Regex // MatchLike, MatchNotLike
}

// MatchBody is the body test of a match block.
type MatchBody struct {
	Not   bool
	Regex Regex
}
