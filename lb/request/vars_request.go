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
	add(t, "request", func(r *Request) ([]byte, bool) { return known(r.Head.Bytes(r.Line)) })
	add(t, "request_method", func(r *Request) ([]byte, bool) { return known(r.MethodName()) })
	add(t, "request_uri", func(r *Request) ([]byte, bool) { return known(r.URI()) })
	add(t, "server_protocol", serverProtocol)
	add(t, "request_time", func(r *Request) ([]byte, bool) { return r.since(r.Start), true })
	add(t, "request_length", func(r *Request) ([]byte, bool) { return r.number(r.Length + r.Body.Received) })
	addCached(t, "request_id", requestID)
	add(t, "pipe", func(r *Request) ([]byte, bool) {
		if r.Pipelined {
			return textP, true
		}
		return textDot, true
	})
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
	textDot, textP, textColon, textQuestion = []byte("."), []byte("p"), []byte(":"), []byte("?")

	textHTTP10, textHTTP11, textHTTP20 = []byte("HTTP/1.0"), []byte("HTTP/1.1"), []byte("HTTP/2.0")
)

// known is a value that nothing has given yet as long as it is empty, as after
// a request line that was not understood.
func known(b []byte) ([]byte, bool) { return b, len(b) > 0 }

// serverProtocol is not known of a request without a version.
func serverProtocol(r *Request) ([]byte, bool) {
	switch r.Version {
	case HTTP10:
		return textHTTP10, true
	case HTTP11:
		return textHTTP11, true
	case HTTP20:
		return textHTTP20, true
	}
	return nil, false
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
	path := func(r *Request) ([]byte, bool) { return known(r.Path) }
	args := func(r *Request) ([]byte, bool) { return known(r.Args) }
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

// addBody adds what is known of the request's body.
func addBody(t *variable.Table) {
	add(t, "request_body", requestBody)
	add(t, "request_body_file", func(r *Request) ([]byte, bool) {
		if r.Body.File == nil {
			return nil, false
		}
		return r.arena.Keep(append(r.arena.Take(), r.Body.File.Name()...)), true
	})
	add(t, "content_type", func(r *Request) ([]byte, bool) { return r.Head.Get(FieldContentType) })
	add(t, "content_length", func(r *Request) ([]byte, bool) {
		if v, ok := r.Head.Get(FieldContentLength); ok {
			return v, true
		}
		if r.Body.Kept && r.Body.Framing == FramingChunked {
			return r.number(r.Body.Size)
		}
		return nil, false
	})
}

// requestBody is the body where all of it is in memory.
func requestBody(r *Request) ([]byte, bool) {
	switch {
	case r.Body.Kept:
		return r.Body.Memory, r.Body.File == nil && len(r.Body.Memory) > 0
	case r.Body.Source == nil || r.Body.Framing == FramingNone:
		return nil, false
	}
	return r.Body.Source.Whole()
}
