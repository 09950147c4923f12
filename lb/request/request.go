package request

import (
	"net/netip"
	"time"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// Version is the protocol version of a message, ten times major plus minor.
type Version uint8

// The versions weir speaks.
const (
	HTTP09 Version = 9
	HTTP10 Version = 10
	HTTP11 Version = 11
	HTTP20 Version = 20
)

// Conn is what is known of a downstream connection; it stays the same for all
// of its requests, apart from Requests.
type Conn struct {
	Number   uint64 // counts connections since the process started ($connection)
	Requests uint64 // requests so far, this one included
	Start    time.Time
	Remote   netip.AddrPort // the client as the socket tells it; invalid for unix sockets
	Local    netip.AddrPort // the address it reached
	UnixPath string         // the listening path of a unix socket
	Proxied  *Proxied       // nil: no PROXY header came
	TLS      TLS            // nil: plain

	RemoteText []byte // the client's address in text: "192.0.2.1", "unix:"
}

// Proxied is what the header of the PROXY protocol told of a connection.
type Proxied struct {
	Source      netip.AddrPort // the client
	Destination netip.AddrPort // what it reached
}

// source returns the client of a PROXY header, invalid where none came.
func (p *Proxied) source() netip.AddrPort {
	if p == nil {
		return netip.AddrPort{}
	}
	return p.Source
}

// destination returns what the client of a PROXY header reached, invalid where
// none came.
func (p *Proxied) destination() netip.AddrPort {
	if p == nil {
		return netip.AddrPort{}
	}
	return p.Destination
}

// TLS gives the values of the `$ssl_…` variables of a connection.
type TLS interface {
	// Value returns the value of the variable named `$ssl_NAME`; ok is false
	// where it has none.
	Value(name string) (value string, ok bool)
	// Verified is the outcome of checking the client's certificate: "NONE",
	// "SUCCESS" or "FAILED:reason".
	Verified() string
}

// Request is one request and its reply. It is used by one goroutine at a
// time.
type Request struct {
	Facts
	Head     Head // as received; set by the codec
	Body     Body
	Attempts []Attempt
	Captures Captures
	Reply    Reply
	// Upstream is the head of the last upstream reply, Trailers what followed
	// its body ($upstream_http_NAME, $upstream_trailer_NAME).
	Upstream, Trailers Head

	arena variable.Arena
	memos []variable.Memo
}

// Facts are the parts of a Request that hold no memory of their own, so that
// all of them can be cleared at once.
type Facts struct {
	Conn *Conn
	Log  *errorlog.Logger // the error log of the location

	// As received; set by the codec.
	Line    Span // the request line without its line end
	Method  Span
	Target  Span // the request target's path and query ($request_uri)
	Scheme  Span // of an absolute-form target, else empty
	HostRaw Span // host (and port) of an absolute-form target, or of Host
	// HostName is the name in HostRaw, without port and final dot; HostUpper
	// tells that it has capitals.
	HostName  Span
	HostUpper bool
	Version   Version
	Length    int64 // bytes of line and head
	Verb      Verb  // the method, where it is one that weir treats in a special way

	// Where it goes; set by routing.
	Host       []byte // lower case, no port ($host)
	Path       []byte // decoded and normalised ($uri)
	Args       []byte // the query without "?" ($args)
	HasArgs    bool   // there was a "?"
	Plain      bool   // Path is the target's path byte for byte, and no rewrite changed it
	Changed    bool   // a rewrite or an internal redirect set Path, so that Target no longer tells it
	Moved      bool   // `rewrite … break` changed Path within its location, whose prefix it need not have
	Pipelined  bool   // it came together with the request before it ($pipe)
	Internal   bool   // after an internal redirect
	Named      []byte // the named location an internal redirect leads to
	ErrStatus  int    // what an error page answers with instead of its own status; 0: nothing
	Redirects  int    // internal redirects and rewrites so far
	ServerName []byte // the virtual server's first name ($server_name)
	User       []byte // of basic authentication ($remote_user)
	Root       *variable.Text
	Alias      bool
	// AliasCut is how many bytes of Path an alias replaces; -1 where it names
	// the whole file (regex locations).
	AliasCut int

	// The client after realip; at first the same as Conn's.
	Client     netip.Addr
	ClientPort uint16
	ClientText []byte

	Start time.Time
	Out   Out
	Site  Site
	// ProxyHost and ProxyPort are what proxy_pass names ($proxy_host, $proxy_port).
	ProxyHost, ProxyPort []byte
	Explanation          *Explanation // nil: the request is in earnest
	Proxying             []byte       // URL of the attempt that runs, for the error log; set by the proxy

	Cached Cached
	Wish   Wish
	Fault  Fault // of the last fetch

	// RateLimit and RateAfter hold `limit_rate` in bytes per second (0: none)
	// and `limit_rate_after` in bytes. RateSet tells that `set $limit_rate` or
	// X-Accel-Limit-Rate has the last word over the directive.
	RateLimit, RateAfter int64
	RateSet              bool
}

// Reset makes the request ready for the next one of a connection; slots is
// the number of memos the configuration's variables need. Everything is cleared
// where it stands: a copy of the whole would make every connection's stack
// that much larger.
func (r *Request) Reset(conn *Conn, slots int) {
	r.Facts = Facts{}
	r.Head.Reset(nil)
	r.Body.reset()
	r.Attempts = r.Attempts[:0]
	r.Captures.reset()
	r.Reply.reset()
	r.Upstream.Reset(nil)
	r.Trailers.Reset(nil)
	r.arena.Reset()
	if cap(r.memos) < slots {
		r.memos = make([]variable.Memo, slots)
	}
	r.memos = r.memos[:slots]
	clear(r.memos)
	r.Conn = conn
	r.Client, r.ClientPort, r.ClientText = conn.Remote.Addr(), conn.Remote.Port(), conn.RemoteText
}

// Arena implements variable.Source.
func (r *Request) Arena() *variable.Arena { return &r.arena }

// Memo implements variable.Source.
func (r *Request) Memo(slot int) *variable.Memo { return &r.memos[slot] }

// MethodName returns the method's bytes.
func (r *Request) MethodName() []byte {
	if r.Internal && r.Verb == VerbGet { // an error page is asked for with GET
		return []byte("GET")
	}
	return r.Head.Bytes(r.Method)
}

// URI returns path and query as the client sent them.
func (r *Request) URI() []byte { return r.Head.Bytes(r.Target) }

// Attempt is one exchange with one peer, as `$upstream_…` and the log show it.
type Attempt struct {
	Addr       string        // the peer's address; the group's name when no peer could be picked
	ServerName string        // as written in the `server` line
	Status     int           // 0: none was received
	Queue      time.Duration // in the queue of the upstream before it; -1: it was not there
	Connect    time.Duration // -1: not reached, for each of the three
	Header     time.Duration
	Response   time.Duration
	Sent       int64 // bytes to the peer and back
	Received   int64
	Length     int64 // of the body received
	Redirected bool  // an internal redirect lies between the attempt before and this one
}

// Captures are the groups of the last regular expression that matched, $1 to
// $9 and on.
type Captures struct {
	Subject []byte
	pairs   []int
}

// reset forgets the groups but keeps the memory.
func (c *Captures) reset() {
	c.Subject, c.pairs = nil, c.pairs[:0]
}

// Set remembers the groups of a match as pairs of offsets into subject.
func (c *Captures) Set(subject []byte, pairs []int) {
	c.Subject = subject
	c.pairs = append(c.pairs[:0], pairs...)
}

// Group returns the n-th group, empty where it took no part in the match.
func (c *Captures) Group(n int) ([]byte, bool) {
	if 2*n+1 >= len(c.pairs) || c.pairs[2*n] < 0 {
		return nil, false
	}
	return c.Subject[c.pairs[2*n]:c.pairs[2*n+1]], true
}
