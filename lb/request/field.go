package request

// FieldID names the header fields that weir itself reads or writes, so that
// looking one up costs no comparison of names.
type FieldID uint8

// The known names.
const (
	FieldOther FieldID = iota
	FieldAcceptRanges
	FieldAcceptEncoding
	FieldAge
	FieldAuthorization
	FieldCacheControl
	FieldConnection
	FieldContentEncoding
	FieldContentLength
	FieldContentRange
	FieldContentType
	FieldCookie
	FieldDate
	FieldETag
	FieldExpect
	FieldExpires
	FieldHost
	FieldHTTP2Settings
	FieldIfMatch
	FieldIfModifiedSince
	FieldIfNoneMatch
	FieldIfRange
	FieldIfUnmodifiedSince
	FieldKeepAlive
	FieldLastModified
	FieldLocation
	FieldPragma
	FieldProxyAuthenticate
	FieldProxyAuthorization
	FieldProxyConnection
	FieldRange
	FieldReferer
	FieldRefresh
	FieldServer
	FieldSetCookie
	FieldStatus
	FieldTE
	FieldTrailer
	FieldTransferEncoding
	FieldUpgrade
	FieldUserAgent
	FieldVary
	FieldVia
	FieldWWWAuthenticate
	FieldXAccelBuffering
	FieldXAccelCharset
	FieldXAccelExpires
	FieldXAccelLimitRate
	FieldXAccelRedirect
	FieldXForwardedFor
	FieldXPad
	FieldXRealIP
	fieldCount
)

var fieldNames = [fieldCount]string{
	FieldAcceptRanges: "Accept-Ranges", FieldAcceptEncoding: "Accept-Encoding", FieldAge: "Age",
	FieldAuthorization: "Authorization", FieldCacheControl: "Cache-Control", FieldConnection: "Connection",
	FieldContentEncoding: "Content-Encoding", FieldContentLength: "Content-Length",
	FieldContentRange: "Content-Range", FieldContentType: "Content-Type", FieldCookie: "Cookie",
	FieldDate: "Date", FieldETag: "ETag", FieldExpect: "Expect", FieldExpires: "Expires", FieldHost: "Host",
	FieldHTTP2Settings: "HTTP2-Settings", FieldIfMatch: "If-Match", FieldIfModifiedSince: "If-Modified-Since",
	FieldIfNoneMatch: "If-None-Match", FieldIfRange: "If-Range", FieldIfUnmodifiedSince: "If-Unmodified-Since",
	FieldKeepAlive: "Keep-Alive", FieldLastModified: "Last-Modified", FieldLocation: "Location",
	FieldPragma: "Pragma", FieldProxyAuthenticate: "Proxy-Authenticate",
	FieldProxyAuthorization: "Proxy-Authorization", FieldProxyConnection: "Proxy-Connection",
	FieldRange: "Range", FieldReferer: "Referer", FieldRefresh: "Refresh", FieldServer: "Server",
	FieldSetCookie: "Set-Cookie", FieldStatus: "Status", FieldTE: "TE", FieldTrailer: "Trailer",
	FieldTransferEncoding: "Transfer-Encoding", FieldUpgrade: "Upgrade", FieldUserAgent: "User-Agent",
	FieldVary: "Vary", FieldVia: "Via", FieldWWWAuthenticate: "WWW-Authenticate",
	FieldXAccelBuffering: "X-Accel-Buffering", FieldXAccelCharset: "X-Accel-Charset",
	FieldXAccelExpires: "X-Accel-Expires", FieldXAccelLimitRate: "X-Accel-Limit-Rate",
	FieldXAccelRedirect: "X-Accel-Redirect", FieldXForwardedFor: "X-Forwarded-For", FieldXPad: "X-Pad",
	FieldXRealIP: "X-Real-IP",
}

// String returns the name as weir writes it.
func (id FieldID) String() string { return fieldNames[id] }

// MayTrail tells whether a field may be passed on as a trailer. Those that
// frame, route, authenticate or control a message may not (RFC 9110, 6.5.1).
func (id FieldID) MayTrail() bool {
	switch id {
	case FieldOther, FieldETag, FieldDate, FieldServer, FieldAge, FieldVia, FieldLastModified:
		return true
	}
	return false
}
