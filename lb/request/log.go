package request

import (
	"fmt"

	"github.com/weir-lb/weir/lb/errorlog"
)

// LogEnabled tells whether the error log takes lines of this level; callers
// on the hot path ask before they put a message together.
func (r *Request) LogEnabled(level errorlog.Level) bool { return r.Log.Enabled(level) }

// Logf writes a line into the error log with the request's context behind it.
// Nothing is formatted where the level is not written.
func (r *Request) Logf(level errorlog.Level, format string, args ...any) {
	if r.Log.Enabled(level) || r.Explanation != nil {
		r.LogError(level, fmt.Sprintf(format, args...))
	}
}

// LogError writes a line into the error log with the request's context behind
// it, in nginx's form: client, server, request, upstream, host, referrer.
func (r *Request) LogError(level errorlog.Level, message string) {
	if r.Explanation != nil {
		r.Explanation.explain(level, message)
		return
	}
	if !r.Log.Enabled(level) {
		return
	}
	line := make([]byte, 0, 512)
	line = append(line, message...)
	line = r.appendContext(line)
	r.Log.Log(level, r.Conn.Number, string(line))
}

// appendContext leaves out what is not known yet, as when the request line
// itself is at fault.
func (r *Request) appendContext(dst []byte) []byte {
	dst = append(dst, ", client: "...)
	dst = append(dst, r.ClientText...)
	dst = append(dst, ", server: "...)
	dst = append(dst, r.ServerName...)
	if line := r.Head.Bytes(r.Line); len(line) > 0 {
		dst = appendQuoted(dst, ", request: ", line)
	}
	if len(r.Proxying) > 0 {
		dst = appendQuoted(dst, ", upstream: ", r.Proxying)
	}
	if host, ok := r.Head.Get(FieldHost); ok {
		dst = appendQuoted(dst, ", host: ", host)
	}
	if referrer, ok := r.Head.Get(FieldReferer); ok {
		dst = appendQuoted(dst, ", referrer: ", referrer)
	}
	return dst
}

func appendQuoted(dst []byte, name string, value []byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, '"')
	dst = append(dst, value...)
	return append(dst, '"')
}
