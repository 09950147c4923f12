package config

// HTTP2 are the settings of HTTP/2 towards clients, as far as they are needed
// before a location is known.
type HTTP2 struct {
	On                bool  // http2
	MaxStreams        int   // http2_max_concurrent_streams
	RecvBufferSize    int64 // http2_recv_buffer_size
	BodyPrereadWindow int64 // http2_body_preread_size
}

const (
	maxHTTP2Chunk   = 1<<24 - 1 // the largest frame
	maxHTTP2Preread = 1<<31 - 1 // the largest window
	minHTTP2Recv    = 32        // as in nginx
)

// http2Rows are the directives of HTTP/2 towards clients.
func http2Rows() []row {
	return []row{
		{name: "http2", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.HTTP2.On })},
		{name: "http2_max_concurrent_streams", in: inHTTPServer, args: args1, set: number(func(s *scope) *int { return &s.shared.HTTP2.MaxStreams })},
		{name: "http2_recv_buffer_size", in: InHTTP, args: args1, set: setHTTP2Recv},
		{name: "http2_body_preread_size", in: inHTTPServer, args: args1, set: setHTTP2Preread},
		{name: "http2_chunk_size", in: inHTTPAll, args: args1, set: setHTTP2Chunk},
	}
}

func setHTTP2Recv(s *scope, d *Directive) error {
	n, ok := parseSize(d.Args[0])
	if !ok {
		return fail(d, "invalid value")
	}
	if n < minHTTP2Recv {
		return fail(d, "value is too small")
	}
	s.shared.HTTP2.RecvBufferSize = n
	return nil
}

func setHTTP2Preread(s *scope, d *Directive) error {
	n, ok := parseSize(d.Args[0])
	if !ok {
		return fail(d, "invalid value")
	}
	if n > maxHTTP2Preread {
		return fail(d, "value is too large")
	}
	s.shared.HTTP2.BodyPrereadWindow = n
	return nil
}

func setHTTP2Chunk(s *scope, d *Directive) error {
	n, ok := parseSize(d.Args[0])
	if !ok {
		return fail(d, "invalid value")
	}
	if n == 0 {
		return d.Pos.Errorf("the http2 chunk size cannot be zero")
	}
	s.settings.HTTP2ChunkSize = min(n, maxHTTP2Chunk)
	return nil
}
