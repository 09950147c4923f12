package request

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"path/filepath"
	"strconv"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/variable"
)

// addLine adds the request line and what was measured of the request.
func addLine(t *variable.Table) {
	add(t, "request", func(r *Request) ([]byte, bool) { return r.Head.Bytes(r.Line), true })
	add(t, "request_method", func(r *Request) ([]byte, bool) { return r.MethodName(), true })
	add(t, "request_uri", func(r *Request) ([]byte, bool) { return r.URI(), true })
	add(t, "server_protocol", serverProtocol)
	add(t, "request_time", func(r *Request) ([]byte, bool) { return r.since(r.Start), true })
	add(t, "request_length", func(r *Request) ([]byte, bool) { return r.number(r.Length + r.Body.Received) })
	addCached(t, "request_id", requestID)
	add(t, "pipe", func(*Request) ([]byte, bool) { return textDot, true })
	addCached(t, "remote_user", remoteUser)
	add(t, "server_name", func(r *Request) ([]byte, bool) { return r.ServerName, true })
	add(t, "host", host)
	add(t, "request_port", func(r *Request) ([]byte, bool) { return requestPort(r), true })
	add(t, "is_request_port", func(r *Request) ([]byte, bool) {
		if len(requestPort(r)) == 0 {
			return nil, true
		}
		return textColon, true
	})
}

var (
	textDot, textColon, textQuestion = []byte("."), []byte(":"), []byte("?")

	textHTTP09, textHTTP10 = []byte("HTTP/0.9"), []byte("HTTP/1.0")
	textHTTP11, textHTTP20 = []byte("HTTP/1.1"), []byte("HTTP/2.0")
)

func serverProtocol(r *Request) ([]byte, bool) {
	switch r.Version {
	case HTTP09:
		return textHTTP09, true
	case HTTP10:
		return textHTTP10, true
	case HTTP20:
		return textHTTP20, true
	}
	return textHTTP11, true
}

// requestID is 16 random bytes in hexadecimal.
func requestID(r *Request) ([]byte, bool) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, false
	}
	out := r.arena.Bytes(2 * len(id))
	hex.Encode(out, id[:])
	return out, true
}

// remoteUser is the name in the Authorization field, whether or not it was
// checked (RFC 7617, 2).
func remoteUser(r *Request) ([]byte, bool) {
	if r.User != nil {
		return r.User, true
	}
	v, ok := r.Head.Get(FieldAuthorization)
	if !ok || len(v) < 6 || !equalFoldString(v[:6], "Basic ") {
		return nil, false
	}
	v = bytes.TrimLeft(v[6:], " ")
	out := r.arena.Bytes(base64.StdEncoding.DecodedLen(len(v)))
	n, err := base64.StdEncoding.Decode(out, v)
	if err != nil {
		return nil, false
	}
	user, _, ok := bytes.Cut(out[:n], textColon)
	return user, ok
}

// host is what the request names, else the virtual server's first name.
func host(r *Request) ([]byte, bool) {
	if len(r.Host) > 0 {
		return r.Host, true
	}
	return r.ServerName, true
}

// requestPort is the port behind the host that the request names.
func requestPort(r *Request) []byte {
	raw := r.Head.Bytes(r.HostRaw)
	i := bytes.LastIndexByte(raw, ':')
	if i < 0 || bytes.IndexByte(raw[i:], ']') >= 0 {
		return nil
	}
	return raw[i+1:]
}

// addTarget adds path and query as they are after rewriting.
func addTarget(t *variable.Table) {
	path := func(r *Request) ([]byte, bool) { return r.Path, true }
	args := func(r *Request) ([]byte, bool) { return r.Args, true }
	add(t, "uri", path)
	add(t, "document_uri", path)
	add(t, "query_string", args)
	t.Add(variable.Variable{
		Name: "args",
		Get:  func(s variable.Source) ([]byte, bool) { return args(s.(*Request)) },
		Set:  func(s variable.Source, value []byte) { s.(*Request).setArgs(value) },
	})
	add(t, "is_args", func(r *Request) ([]byte, bool) {
		if len(r.Args) == 0 {
			return nil, true
		}
		return textQuestion, true
	})
	addFamily(t, "arg_", func(name string) getter {
		return func(r *Request) ([]byte, bool) { return argument(r.Args, name) }
	})
	t.Add(variable.Variable{
		Name: "limit_rate",
		Get:  func(s variable.Source) ([]byte, bool) { return s.(*Request).number(s.(*Request).RateLimit) },
		Set:  func(s variable.Source, value []byte) { s.(*Request).setRateLimit(value) },
	})
}

// setArgs replaces the query; the target as received is then no longer what
// is asked for.
func (r *Request) setArgs(value []byte) {
	r.Args, r.HasArgs = value, len(value) > 0
	r.Changed, r.Plain = true, false
}

// argument finds a query argument by its name in any case. One without an
// equals sign has no value.
func argument(args []byte, name string) ([]byte, bool) {
	for len(args) > 0 {
		var one []byte
		one, args, _ = bytes.Cut(args, textAmpersand)
		if n := len(name); len(one) > n && one[n] == '=' && equalFoldString(one[:n], name) {
			return one[n+1:], true
		}
	}
	return nil, false
}

var textAmpersand = []byte("&")

// setRateLimit takes a size such as 100k; a value that is none changes nothing.
func (r *Request) setRateLimit(value []byte) {
	number, unit := value, int64(1)
	if n := len(value); n > 0 {
		switch value[n-1] {
		case 'k', 'K':
			number, unit = value[:n-1], 1<<10
		case 'm', 'M':
			number, unit = value[:n-1], 1<<20
		}
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)/unit {
		r.Logf(errorlog.Error, "invalid $limit_rate %q", value)
		return
	}
	r.RateLimit, r.RateSet = n*unit, true
}

// addFile adds where the path lies in the file system.
func addFile(t *variable.Table) {
	add(t, "document_root", func(r *Request) ([]byte, bool) { return r.Root.Value(r), true })
	add(t, "request_filename", func(r *Request) ([]byte, bool) {
		path := r.Path
		if r.Alias {
			if r.AliasCut < 0 || r.AliasCut > len(path) {
				path = nil
			} else {
				path = path[r.AliasCut:]
			}
		}
		root := r.Root.Value(r)
		return r.arena.Keep(append(append(r.arena.Take(), root...), path...)), true
	})
	addCached(t, "realpath_root", func(r *Request) ([]byte, bool) {
		path, err := filepath.EvalSymlinks(string(r.Root.Value(r)))
		if err != nil {
			r.Logf(errorlog.Crit, "realpath of the root failed (%v)", err)
			return nil, false
		}
		return []byte(path), true
	})
}

// addBody adds the request's body, where all of it is in memory.
func addBody(t *variable.Table) {
	add(t, "request_body", func(r *Request) ([]byte, bool) {
		if r.Body.Source == nil || r.Body.Framing == FramingNone {
			return nil, false
		}
		return r.Body.Source.Whole()
	})
	add(t, "content_type", func(r *Request) ([]byte, bool) { return r.Head.Get(FieldContentType) })
	add(t, "content_length", func(r *Request) ([]byte, bool) { return r.Head.Get(FieldContentLength) })
}
