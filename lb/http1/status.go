package http1

// StatusText returns the reason that nginx writes behind a status code, empty
// for a code without one.
func StatusText(code int) string {
	if code < 100 || code >= 100+len(statusTexts) {
		return ""
	}
	return statusTexts[code-100]
}

// statusTexts are the reasons by code minus 100; some are older than today's
// standard, because users know and match them.
var statusTexts = [...]string{
	0: "Continue", 1: "Switching Protocols", 2: "Processing", 3: "Early Hints",
	100: "OK", 101: "Created", 102: "Accepted", 104: "No Content", 106: "Partial Content",
	200: "Multiple Choices", 201: "Moved Permanently", 202: "Moved Temporarily", 203: "See Other",
	204: "Not Modified", 207: "Temporary Redirect", 208: "Permanent Redirect",
	300: "Bad Request", 301: "Unauthorized", 302: "Payment Required", 303: "Forbidden",
	304: "Not Found", 305: "Not Allowed", 306: "Not Acceptable", 308: "Request Time-out",
	309: "Conflict", 310: "Gone", 311: "Length Required", 312: "Precondition Failed",
	313: "Request Entity Too Large", 314: "Request-URI Too Large", 315: "Unsupported Media Type",
	316: "Requested Range Not Satisfiable", 321: "Misdirected Request", 329: "Too Many Requests",
	400: "Internal Server Error", 401: "Not Implemented", 402: "Bad Gateway",
	403: "Service Temporarily Unavailable", 404: "Gateway Time-out",
	405: "HTTP Version Not Supported", 407: "Insufficient Storage",
}
