package request

import (
	"strconv"
	"time"

	"github.com/weir-lb/weir/lb/variable"
)

// addUpstream adds what the attempts tell. Several are joined by ", ", and by
// " : " where an internal redirect lies between them.
func addUpstream(t *variable.Table) {
	addAttempts(t, "upstream_addr", func(dst []byte, a *Attempt) []byte { return append(dst, a.Addr...) })
	addAttempts(t, "upstream_status", func(dst []byte, a *Attempt) []byte {
		if a.Status == 0 {
			return append(dst, '-')
		}
		return strconv.AppendInt(dst, int64(a.Status), 10)
	})
	addAttempts(t, "upstream_queue_time", func(dst []byte, a *Attempt) []byte { return appendReached(dst, a.Queue) })
	addAttempts(t, "upstream_connect_time", func(dst []byte, a *Attempt) []byte { return appendReached(dst, a.Connect) })
	addAttempts(t, "upstream_header_time", func(dst []byte, a *Attempt) []byte { return appendReached(dst, a.Header) })
	addAttempts(t, "upstream_response_time", func(dst []byte, a *Attempt) []byte { return appendReached(dst, a.Response) })
	addAttempts(t, "upstream_response_length", func(dst []byte, a *Attempt) []byte { return strconv.AppendInt(dst, a.Length, 10) })
	addAttempts(t, "upstream_bytes_sent", func(dst []byte, a *Attempt) []byte { return strconv.AppendInt(dst, a.Sent, 10) })
	addAttempts(t, "upstream_bytes_received", func(dst []byte, a *Attempt) []byte { return strconv.AppendInt(dst, a.Received, 10) })
	add(t, "upstream_last_server_name", func(r *Request) ([]byte, bool) {
		if len(r.Attempts) == 0 {
			return nil, false
		}
		return r.arena.Keep(append(r.arena.Take(), r.Attempts[len(r.Attempts)-1].ServerName...)), true
	})
}

// addAttempts adds a variable that lists something of each attempt.
func addAttempts(t *variable.Table, name string, one func(dst []byte, a *Attempt) []byte) {
	add(t, name, func(r *Request) ([]byte, bool) {
		if len(r.Attempts) == 0 {
			return nil, false
		}
		dst := r.arena.Take()
		for i := range r.Attempts {
			a := &r.Attempts[i]
			switch {
			case i == 0:
			case a.Redirected:
				dst = append(dst, " : "...)
			default:
				dst = append(dst, ", "...)
			}
			dst = one(dst, a)
		}
		return r.arena.Keep(dst), true
	})
}

// appendReached writes a time, "-" for a point that was not reached.
func appendReached(dst []byte, d time.Duration) []byte {
	if d < 0 {
		return append(dst, '-')
	}
	return variable.AppendSeconds(dst, d)
}
