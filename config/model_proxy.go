package config

import "time"

// ProxyPass is a proxy_pass directive, or a grpc_pass.
type ProxyPass struct {
	Pos  Pos
	GRPC bool // it is a grpc_pass, for which Settings.GRPCSettings hold
	URL  Text // as written
	Vars bool // URL holds variables and is evaluated per request; the fields below are empty

	TLS        bool   // https://, grpcs://
	Host       string // upstream name, host name, IPv4 address or [IPv6] address, without port
	Port       uint16 // 80 or 443 by scheme unless written; 0 for grpc_pass
	PortSet    bool   // whether the port was written
	Unix       string // path of unix:; Host is then empty
	HostHeader string // $proxy_host: Host, with the port if it is not the scheme's own; localhost for Unix
	URI        string // replaces Prefix if HasURI
	HasURI     bool
	Prefix     string // the location's pattern, which URI replaces; empty in regex and named locations
}

// Scheme is how the address is reached: "http://", "https://", "grpc://" or
// "grpcs://".
func (p *ProxyPass) Scheme() string {
	switch {
	case p.GRPC && p.TLS:
		return "grpcs://"
	case p.GRPC:
		return "grpc://"
	case p.TLS:
		return "https://"
	}
	return "http://"
}

// ProxySettings are the inherited proxy_* settings, or the grpc_* settings, of
// which there are fewer.
type ProxySettings struct {
	HTTPVersion     HTTPVersion
	Method          Text // zero Text: the client's
	SetHeaders      []SetHeader
	SetBody         Text
	PassHeaders     bool // proxy_pass_request_headers
	PassBody        bool // proxy_pass_request_body
	PassTrailers    bool
	Redirects       []ProxyRedirect // empty: default
	RedirectOff     bool
	CookieDomains   []CookieRewrite
	CookiePaths     []CookieRewrite
	CookieFlags     []CookieFlag
	HideHeaders     []string // in addition to those always hidden
	PassFields      []string // proxy_pass_header
	IgnoreHeaders   []string
	InterceptErrors bool

	ConnectTimeout time.Duration
	SendTimeout    time.Duration
	ReadTimeout    time.Duration

	Buffering         bool
	RequestBuffering  bool
	BufferSize        int64
	Buffers           Buffers
	BusyBuffersSize   int64 // 0: unset, see Busy
	MaxTempFileSize   int64 // 0: no temporary files
	TempFileWriteSize int64 // 0: unset, see TempWrite
	TempPath          TempPath
	LimitRate         Text

	NextUpstream        NextUpstream
	NextUpstreamTries   int           // 0: one for each server
	NextUpstreamTimeout time.Duration // 0: none

	IgnoreClientAbort bool
	Bind              ProxyBind
	SocketKeepalive   bool
	TLS               ProxyTLS
	Cache             CacheSettings
}

// Busy gives the limit of proxy_busy_buffers_size in bytes.
func (p *ProxySettings) Busy() int64 {
	if p.BusyBuffersSize != 0 {
		return p.BusyBuffersSize
	}
	return 2 * max(p.BufferSize, p.Buffers.Size)
}

// TempWrite gives the limit of proxy_temp_file_write_size in bytes.
func (p *ProxySettings) TempWrite() int64 {
	if p.TempFileWriteSize != 0 {
		return p.TempFileWriteSize
	}
	return 2 * max(p.BufferSize, p.Buffers.Size)
}

// HTTPVersion is a version of HTTP towards upstreams.
type HTTPVersion uint8

// Values of proxy_http_version; for grpc_pass it is HTTP20.
const (
	HTTP10 HTTPVersion = iota
	HTTP11
	HTTP20
)

// SetHeader is one proxy_set_header. An empty value removes the field.
type SetHeader struct {
	Pos   Pos
	Name  string
	Value Text
}

// ProxyRedirect is one proxy_redirect other than off.
type ProxyRedirect struct {
	Pos     Pos
	Default bool
	From    Text   // if neither Default nor Regex
	Regex   *Regex // nil for plain text
	To      Text
}

// CookieRewrite is one proxy_cookie_domain or proxy_cookie_path.
type CookieRewrite struct {
	Pos   Pos
	From  Text
	Regex *Regex // nil for plain text
	To    Text
}

// CookieFlag is one proxy_cookie_flags.
type CookieFlag struct {
	Pos   Pos
	Name  Text
	Regex *Regex   // nil for plain text
	Flags []string // secure, httponly, samesite=..., nosecure, nohttponly, nosamesite, or variables
}

// NextUpstream is the set of conditions of proxy_next_upstream.
type NextUpstream uint16

// Conditions of proxy_next_upstream. An empty set is "off".
const (
	NextError NextUpstream = 1 << iota
	NextTimeout
	NextInvalidHeader
	NextDenied
	NextHTTP500
	NextHTTP502
	NextHTTP503
	NextHTTP504
	NextHTTP403
	NextHTTP404
	NextHTTP429
	NextNonIdempotent
)

// ProxyBind is proxy_bind. The zero ProxyBind is "off".
type ProxyBind struct {
	Address     Text // address with optional port, or variables
	Transparent bool
}

// ProxyTLS are the proxy_ssl_* or grpc_ssl_* settings.
type ProxyTLS struct {
	Certificate        Text
	CertificateKey     Text
	PasswordFile       string
	Ciphers            string
	Protocols          []string
	Name               Text // zero Text: the host of proxy_pass
	ServerName         bool // send SNI
	SessionReuse       bool
	TrustedCertificate string
	CRL                string
	Verify             bool
	VerifyDepth        int
	Pos                ProxyTLSPos
}

// ProxyTLSPos are the places of the directives that name files.
type ProxyTLSPos struct {
	PasswordFile, Protocols, Ciphers, TrustedCertificate, CRL, Verify Pos
}

// TLS are the ssl_* settings of a server.
type TLS struct {
	Certificates        []Text // files, "data:", or names with variables, relative to Config.ConfPrefix
	CertificateKeys     []Text // one for each certificate
	PasswordFile        string
	Protocols           []string // SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3
	Ciphers             string
	PreferServerCiphers bool
	ECDHCurve           string
	SessionCache        SessionCache
	SessionTimeout      time.Duration
	SessionTickets      bool
	SessionTicketKeys   []string
	ClientCertificate   string
	TrustedCertificate  string
	CRL                 string
	VerifyClient        VerifyClient
	VerifyDepth         int
	RejectHandshake     bool
	Pos                 TLSPos
}

// TLSPos are the places of the ssl_* directives that a later stage may reject.
type TLSPos struct {
	PasswordFile, Protocols, Ciphers, ECDHCurve, SessionTicketKeys,
	ClientCertificate, TrustedCertificate, CRL, VerifyClient Pos
}

// SessionCache is ssl_session_cache.
type SessionCache struct {
	Off     bool // refuse reuse
	Builtin int  // sessions; 0: none
	Name    string
	Size    int64 // bytes of the shared cache; 0: none
}

// VerifyClient is ssl_verify_client.
type VerifyClient uint8

// Values of ssl_verify_client.
const (
	VerifyOff VerifyClient = iota
	VerifyOn
	VerifyOptional
	VerifyOptionalNoCA
)
