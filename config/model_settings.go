package config

import (
	"net/netip"
	"time"
)

// Settings are the settings that flow from http through server to location, if
// and limit_except. A copy of a Settings shares its lists with the original:
// they are replaced, never changed in place.
type Settings struct {
	Root        Root
	Index       []Text // index.html unless written
	DefaultType string
	Types       map[string]string // file extension in lower case, without dot, to media type

	ErrorPages          []ErrorPage
	RecursiveErrorPages bool
	AccessRules         []AccessRule // allow and deny in order
	SatisfyAny          bool
	RealIP              RealIP

	ClientMaxBodySize        int64 // 0: unlimited
	ClientBodyBufferSize     int64
	ClientBodyTimeout        time.Duration
	ClientBodyTempPath       TempPath
	ClientBodyInSingleBuffer bool

	HTTP2ChunkSize          int64
	SendTimeout             time.Duration
	KeepaliveTimeout        time.Duration // 0 turns keep-alive off
	KeepaliveHeader         time.Duration // second argument of keepalive_timeout; 0: no field
	KeepaliveMinTimeout     time.Duration
	KeepaliveTime           time.Duration
	KeepaliveRequests       int
	KeepaliveDisable        []string // none, msie6, safari
	LingeringClose          Lingering
	LingeringTime           time.Duration
	LingeringTimeout        time.Duration
	ResetTimedoutConnection bool

	ServerTokens            Text // on, off, build or text with variables
	ServerNameInRedirect    bool
	PortInRedirect          bool
	AbsoluteRedirect        bool
	ETag                    bool
	IfModifiedSince         ModifiedSince
	MaxRanges               int // -1: unlimited; 0: ranges off
	ChunkedTransferEncoding bool
	LimitRate               Text // bytes per second; zero Text: none
	LimitRateAfter          Text

	AddHeaders        []AddHeader
	AddHeaderInherit  ListInherit // already applied to AddHeaders
	AddTrailers       []AddHeader
	AddTrailerInherit ListInherit // already applied to AddTrailers
	Expires           Expires
	EarlyHints        []Text // all non-empty and not "0": pass 103 on

	LogNotFound bool
	AccessLogs  []AccessLog // empty: off
	ErrorLogs   []ErrorLog  // never empty inside http

	Resolver        *Resolver // nil if none is set
	ResolverTimeout time.Duration

	ProxySettings ProxySettings
	GRPCSettings  ProxySettings
}

// Root is the directory of root or alias.
type Root struct {
	Path  Text // absolute unless it begins with a variable
	Alias bool
	// Prefix is the location path which an alias replaces. It is empty in a
	// regex location, where Path is the whole file name.
	Prefix string
}

// Lingering is the value of lingering_close.
type Lingering uint8

// Values of lingering_close.
const (
	LingeringOff Lingering = iota
	LingeringOn
	LingeringAlways
)

// ModifiedSince is the value of if_modified_since.
type ModifiedSince uint8

// Values of if_modified_since.
const (
	ModifiedSinceOff ModifiedSince = iota
	ModifiedSinceExact
	ModifiedSinceBefore
)

// TempPath is a directory of temporary files with up to three levels of
// subdirectories; a level is the length of a directory's name, 0 for none.
type TempPath struct {
	Pos    Pos
	Path   string // absolute
	Levels [3]int
}

// ErrorPage is what an error_page directive says of one code. The first entry
// of a code decides.
type ErrorPage struct {
	Pos  Pos
	Code int
	// Response is the code to answer with: 0 keeps the original one, -1 takes
	// the code of the page ("=" without a number).
	Response int
	Page     Text // URI, URL or @name
}

// AccessRule is one allow or deny.
type AccessRule struct {
	Pos    Pos
	Allow  bool
	All    bool
	Unix   bool         // clients of unix sockets
	Prefix netip.Prefix // if neither All nor Unix
}

// RealIP is what set_real_ip_from, real_ip_header and real_ip_recursive say.
type RealIP struct {
	From      []RealIPSource
	Header    string // X-Real-IP unless written; "proxy_protocol" takes the PROXY header
	Recursive bool
}

// RealIPSource is a trusted address.
type RealIPSource struct {
	Pos    Pos
	Unix   bool
	Prefix netip.Prefix // if neither Unix nor Host
	Host   string       // a name to be resolved at load
}

// AddHeader is one add_header or add_trailer.
type AddHeader struct {
	Pos    Pos
	Name   string
	Value  Text
	Always bool
}

// ListInherit is the value of add_header_inherit and add_trailer_inherit.
type ListInherit uint8

// Values of add_header_inherit and add_trailer_inherit.
const (
	InheritOn    ListInherit = iota // the outer list, unless there is an own one
	InheritOff                      // the own list only
	InheritMerge                    // the outer list, then the own one
)

// ExpiresKind is the form of an expires directive.
type ExpiresKind uint8

// Forms of expires.
const (
	ExpiresOff      ExpiresKind = iota
	ExpiresEpoch                // a date in the past
	ExpiresMax                  // a date far ahead
	ExpiresAccess               // Time after the request
	ExpiresModified             // Time after the last modification
	ExpiresDaily                // @Time of the day
	ExpiresText                 // Value holds variables and is read per reply
)

// Expires is an expires directive.
type Expires struct {
	Kind     ExpiresKind
	Time     time.Duration // may be negative
	Value    Text          // for ExpiresText
	Modified bool          // for ExpiresText: "modified" was written
}

// AccessLog is one access_log.
type AccessLog struct {
	Pos    Pos
	Path   Text    // absolute unless it begins with a variable; empty with Syslog
	Syslog *Syslog // nil unless written as syslog:
	Format string  // name of a LogFormat
	Buffer int64   // bytes; 0: unbuffered
	Flush  time.Duration
	Gzip   int  // compression level; 0: none
	If     Text // zero Text: always
}

// Escape is the escape parameter of log_format.
type Escape uint8

// Values of the escape parameter.
const (
	EscapeDefault Escape = iota
	EscapeJSON
	EscapeNone
)

// LogFormat is one log_format.
type LogFormat struct {
	Pos    Pos
	Name   string
	Escape Escape
	Format Text // the arguments joined without anything between them
}

// Resolver is a resolver directive.
type Resolver struct {
	Pos     Pos
	Servers []string      // "address:port" or "name:port", port 53 unless written
	Valid   time.Duration // 0: the records' own time to live
	NoIPv4  bool
	NoIPv6  bool

	// StatusZone names the counters of what is asked; empty: none.
	StatusZone string
	// KeepNotFound keeps the servers of an upstream although their name is
	// said not to exist any more.
	KeepNotFound bool
}

// Map is a map block.
type Map struct {
	Pos       Pos
	Name      string // variable, without $
	Source    Text
	Default   Text
	Hostnames bool
	Volatile  bool
	Entries   []MapEntry // in the order of the file, without default
}

// MapEntry is one line of a map block.
type MapEntry struct {
	Pos   Pos
	Key   string // lower case for plain keys, which are compared without case
	Regex *Regex // nil for a plain key
	Value Text
}

// Geo is a geo block.
type Geo struct {
	Pos       Pos
	Name      string // variable, without $
	Source    Text   // variable holding an address; zero Text: the client's address
	Default   string
	Ranges    bool
	Proxies   []netip.Prefix
	Recursive bool
	Entries   []GeoEntry // delete is applied; of overlapping ranges the later one counts
}

// GeoEntry is a network, or with ranges a range of addresses, and its value.
type GeoEntry struct {
	Pos    Pos
	Prefix netip.Prefix // without ranges
	Low    netip.Addr   // with ranges
	High   netip.Addr
	Value  string
}

// SplitClients is a split_clients block.
type SplitClients struct {
	Pos    Pos
	Name   string // variable, without $
	Source Text
	Parts  []SplitPart
}

// SplitPart is one line of a split_clients block.
type SplitPart struct {
	Pos     Pos
	Percent int // in hundredths of a percent; 0 for the rest ("*")
	Value   Text
}
