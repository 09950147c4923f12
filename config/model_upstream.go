package config

import "time"

// Upstream is one upstream block.
type Upstream struct {
	Pos       Pos
	Name      string
	Zone      string // empty if none
	ZoneSize  int64  // 0 if written elsewhere or not at all
	Method    Method
	Servers   []UpstreamServer // in the order of the file
	Keepalive Keepalive

	Queue             Queue
	CheckFirst        bool // a health_check about it is mandatory: new servers get no requests before
	Sticky            Sticky
	StickyAcceptNginx FlagMode // FlagDefault: as the http block says

	State    string // absolute path of the file with the servers; empty: they are in the block
	StatePos Pos

	// As in force: its own or, in a zone, those of the http block.
	Resolver        *Resolver
	ResolverTimeout time.Duration
}

// MethodKind is a balancing method.
type MethodKind uint8

// Balancing methods.
const (
	RoundRobin MethodKind = iota
	LeastConn
	IPHash
	Hash
	Random
	LeastTime
)

// String gives the word of the configuration.
func (m MethodKind) String() string {
	return [...]string{"round_robin", "least_conn", "ip_hash", "hash", "random", "least_time"}[m]
}

// TimeKind is what least_time measures.
type TimeKind uint8

// Values of the argument of least_time.
const (
	TimeNone TimeKind = iota
	TimeHeader
	TimeLastByte
)

// Method is a balancing method with its arguments.
type Method struct {
	Pos        Pos // zero for the default method
	Kind       MethodKind
	Key        Text     // Hash
	Consistent bool     // Hash
	Two        bool     // Random: take the better of two
	Time       TimeKind // LeastTime, and Random with least_time=; TimeNone means least_conn there
	Inflight   bool     // LeastTime, and Random with least_time=: count unfinished requests
}

// UpstreamServer is one server line of an upstream.
type UpstreamServer struct {
	Pos         Pos
	Address     string // as written: "host:port", "host", "[v6]:port", "unix:/path"
	Host        string // without port and brackets; empty for Unix
	Port        uint16 // 80 unless written
	PortSet     bool   // whether the port was written
	Unix        string // path of a unix socket
	Weight      int
	MaxConns    int // 0: no limit
	MaxFails    int // 0: never shut out
	FailTimeout time.Duration
	SlowStart   time.Duration
	Backup      bool
	Down        bool
	Drain       bool
	Route       string
	Resolve     bool
	Service     string
}

// Keepalive are the keepalive* directives of an upstream.
type Keepalive struct {
	Connections int  // idle connections kept; 0: none
	Written     bool // keepalive was written; else weir sizes the pool itself
	Local       bool // do not share idle connections between locations
	Requests    int
	Time        time.Duration
	Timeout     time.Duration
}

// Queue is where requests wait while no server can be chosen.
type Queue struct {
	Pos     Pos
	Length  int // 0: none waits
	Timeout time.Duration
}

// StickyKind is how a client's server is remembered.
type StickyKind uint8

// The forms of sticky.
const (
	NotSticky StickyKind = iota
	StickyCookieKind
	StickyRouteKind
	StickyLearnKind
)

// String gives the word of the configuration.
func (k StickyKind) String() string {
	return [...]string{"none", "cookie", "route", "learn"}[k]
}

// Sticky is the sticky directive of an upstream.
type Sticky struct {
	Pos    Pos // zero for none
	Kind   StickyKind
	Lookup []Text // route, learn: the first that is not empty tells the server or the session
	Cookie StickyCookie
	Learn  StickyLearn
}

// StickyCookie are the parameters of sticky cookie.
type StickyCookie struct {
	Name             string
	Lasts            bool          // expires was written; else the cookie ends with the browser's session
	Expires          time.Duration // if Lasts
	Forever          bool          // expires=max
	Domain, SameSite Text          // may hold variables
	Path             string
	HTTPOnly, Secure bool
}

// StickyLearn are the parameters of sticky learn.
type StickyLearn struct {
	Create      []Text // the first that is not empty in a reply is a new session
	Zone        string
	Size        int64
	Timeout     time.Duration // since the last use
	AfterHeader bool          // learn when the header has come, not with the end of the body
	Sync        bool          // the nodes of a cluster tell each other
}

// StickyKey is a file with a sticky key.
type StickyKey struct {
	Pos  Pos
	File string // absolute
}
