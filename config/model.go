package config

import (
	"net/netip"
	"time"
)

// Config is a whole configuration: what one main file and its includes say.
// It is not changed after Load has returned it.
type Config struct {
	File       string // main file, absolute
	Prefix     string // directory for relative log, root and temporary paths, with a final slash
	ConfPrefix string // directory for relative include, certificate and key names, with a final slash

	Main
	Cluster *Cluster // nil if there is no cluster block
	HTTP    *HTTP    // nil if there is no http block

	Notes    []Note    // directives without effect, in the order of the files
	Warnings []Warning // lints and nginx's own warnings
	Files    []File    // every file read, in the order of opening
}

// File is the text of one configuration file as it was read.
type File struct {
	Name string
	Text []byte
}

// Text is an argument that may hold variables, exactly as written after
// unquoting, with the place of its directive.
type Text struct {
	Value string
	Pos   Pos
}

// IsZero reports whether the argument was not given.
func (t Text) IsZero() bool { return t.Value == "" && t.Pos.IsZero() }

// Regex is a regular expression in PCRE syntax as written, without the leading
// tilde. It is not compiled here.
type Regex struct {
	Pattern string
	NoCase  bool
	Pos     Pos
}

// Main holds the directives of the main context and of events.
type Main struct {
	User               string        // empty: keep the user weir runs as
	Group              string        // defaults to User
	UserPos            Pos           // place of user
	WorkerProcesses    int           // number of CPUs to use; 0 means auto
	WorkerRlimitNofile int64         // file descriptors; 0 leaves the limit alone
	WorkerShutdown     time.Duration // bound of a graceful stop; 0 means none
	PID                string        // absolute path; empty if the default is to be used
	Daemon             bool          // weir's default is off, unlike nginx's
	ErrorLogs          []ErrorLog    // never empty: the default one stands in
	Env                []Env
	Data               string // absolute path of the folder for what outlives a process; empty for none
}

// Env is one env directive.
type Env struct {
	Name  string
	Value string
	Set   bool // whether a value was written; else the inherited one is kept
}

// ErrorLog is one error_log directive.
type ErrorLog struct {
	Pos    Pos
	Path   string  // absolute; empty for Stderr and Syslog
	Stderr bool    // the standard error stream
	Syslog *Syslog // nil unless written as syslog:
	Level  string  // debug info notice warn error crit alert emerg
}

// Syslog is a syslog: target of access_log or error_log.
type Syslog struct {
	Server   string // "host:port" (514 unless written) or "unix:/path"
	Facility string // local7 unless written
	Severity string // info unless written; access_log only
	Tag      string // "nginx" unless written
	NoHost   bool   // leave out the hostname field
}

// HTTP is the http block.
type HTTP struct {
	Pos Pos
	Settings
	ServerSettings

	Servers      []*Server
	Upstreams    []*Upstream
	Maps         []*Map
	Geos         []*Geo
	SplitClients []*SplitClients
	Matches      []*Match     // of health checks
	LogFormats   []*LogFormat // combined first, then those of the file
	CachePaths   []*CachePath

	StickyKeys        []StickyKey // the first one seals
	StickyAcceptNginx FlagMode
}

// ServerSettings are the settings that flow from http to server and no further:
// they are needed before a location is known.
type ServerSettings struct {
	TLS                    TLS
	HTTP2                  HTTP2
	ClientHeaderTimeout    time.Duration
	ClientHeaderBufferSize int64
	LargeHeaderBuffers     Buffers // large_client_header_buffers
	MaxHeaders             int     // fields of a request header
	IgnoreInvalidHeaders   bool
	UnderscoresInHeaders   bool
	MergeSlashes           bool
}

// Buffers is a number of buffers of one size in bytes.
type Buffers struct {
	Number int
	Size   int64
}

// Server is one server block of http.
type Server struct {
	Pos Pos
	Settings
	ServerSettings

	Listens   []Listen     // at least one
	Names     []ServerName // at least one; the first is $server_name
	Locations []*Location  // in the order of the file
	Rewrite   []Instruction
	TryFiles  *TryFiles // for requests that match no location
}

// NameKind tells the forms of a server name apart.
type NameKind uint8

// Forms of a server name.
const (
	NameExact    NameKind = iota // example.com, or empty for "no Host"
	NameLeading                  // *.example.com
	NameTrailing                 // www.example.*
	NameDot                      // .example.com: the name itself and every name below it
	NameRegex                    // ~^www\d+\.example\.com$
)

// ServerName is one argument of server_name.
type ServerName struct {
	Pos  Pos
	Kind NameKind
	Name string // lower case, as written with its asterisk or dot; for a regex the text after the tilde
}

// Listen is one listen directive, or one port of a range.
type Listen struct {
	Pos  Pos
	Text string // the address as written

	Addr netip.AddrPort // invalid for Unix and for Host
	Host string         // a name to be resolved, with Port; empty otherwise
	Port uint16
	Unix string // path of a unix socket; empty otherwise

	DefaultServer bool
	SSL           bool
	HTTP2         bool // deprecated parameter
	ProxyProtocol bool
	Options       ListenOptions
	OptionsSet    bool // whether socket options were written; they belong to the address
}

// ListenOptions are the socket options of a listen directive.
type ListenOptions struct {
	Bind      bool
	Backlog   int // 511 unless written
	RcvBuf    int64
	SndBuf    int64
	FastOpen  int // -1: off
	Deferred  bool
	ReusePort bool
	IPv6Only  bool // on unless written
	Multipath bool
	KeepAlive KeepAliveOption
}

// KeepAliveOption is the so_keepalive parameter of listen.
type KeepAliveOption struct {
	Mode     FlagMode
	Idle     time.Duration // 0: the system's value
	Interval time.Duration
	Count    int
}

// FlagMode is a flag that may also be left to the system.
type FlagMode uint8

// Values of a FlagMode.
const (
	FlagDefault FlagMode = iota
	FlagOn
	FlagOff
)

// MatchKind says how a location's pattern is compared.
type MatchKind uint8

// Kinds of location. MatchIf and MatchLimitExcept are the nameless bodies of
// if and limit_except blocks.
const (
	MatchPrefix      MatchKind = iota // location /x
	MatchExact                        // location = /x
	MatchNoRegex                      // location ^~ /x
	MatchRegex                        // location ~ x
	MatchRegexNoCase                  // location ~* x
	MatchNamed                        // location @x
	MatchIf
	MatchLimitExcept
)

// String gives the modifier as written, or the word of the block.
func (k MatchKind) String() string {
	return [...]string{"prefix", "=", "^~", "~", "~*", "@", "if", "limit_except"}[k]
}

// Location is one location block, or the body of an if or limit_except block,
// which nginx treats as a nameless location.
type Location struct {
	Pos     Pos
	Kind    MatchKind
	Pattern string // path, regex without tilde, or name with its @
	Settings

	Locations   []*Location
	Rewrite     []Instruction // set, if, rewrite, return, break in the order of the file
	TryFiles    *TryFiles
	LimitExcept *LimitExcept

	// The content handler, of which at most one is set: the last one written.
	// Bodies of if and limit_except inherit it. Without one, files are served.
	Proxy      *ProxyPass
	StubStatus bool

	HealthChecks []HealthCheck // of the upstream of Proxy

	// Pending names a content handler that is not in force yet. Requests must not
	// get files in its place: they are answered 503.
	Pending  string
	Internal bool
}

// LimitExcept is a limit_except block: its body applies to every other method.
type LimitExcept struct {
	Pos     Pos
	Methods []string // upper case; HEAD is added where GET is written
	Body    *Location
}

// TryFiles is a try_files directive.
type TryFiles struct {
	Pos   Pos
	Files []Text // tested in order; a final slash asks for a directory
	Code  int    // set if the last argument is =code
	Last  Text   // else the internal redirect: a path or @name
}
