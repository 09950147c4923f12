package config

import "time"

// pageSize is what nginx takes for sizes that it derives from the memory page.
const pageSize = 4096

// defaultSettings gives nginx's settings of an http block in which nothing is
// written.
func defaultSettings(o *Options) Settings {
	return Settings{
		Root:        Root{Path: Text{Value: absolute(o.Prefix, "html")}},
		Index:       []Text{{Value: "index.html"}},
		DefaultType: "text/plain",
		Types:       map[string]string{"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"},
		RealIP:      RealIP{Header: "X-Real-IP"},

		ClientMaxBodySize:    1 << 20,
		ClientBodyBufferSize: 4 * pageSize,
		ClientBodyTimeout:    time.Minute,
		ClientBodyTempPath:   TempPath{Path: absolute(o.StateDir, "client_body_temp")},

		HTTP2ChunkSize:   8 << 10,
		SendTimeout:      time.Minute,
		KeepaliveTimeout: 75 * time.Second,
		KeepaliveTime:    time.Hour,
		// nginx had 100 until 1.19.10.
		KeepaliveRequests: 1000,
		KeepaliveDisable:  []string{"msie6"},
		LingeringClose:    LingeringOn,
		LingeringTime:     30 * time.Second,
		LingeringTimeout:  5 * time.Second,

		ServerTokens:            Text{Value: "on"},
		PortInRedirect:          true,
		AbsoluteRedirect:        true,
		ETag:                    true,
		IfModifiedSince:         ModifiedSinceExact,
		MaxRanges:               -1,
		ChunkedTransferEncoding: true,
		LogNotFound:             true,
		AccessLogs:              []AccessLog{{Path: Text{Value: o.AccessLog}, Format: "combined"}},
		ResolverTimeout:         30 * time.Second,
		ProxySettings:           defaultProxySettings(o),
		GRPCSettings:            defaultGRPCSettings(o),
	}
}

func defaultProxySettings(o *Options) ProxySettings {
	return ProxySettings{
		HTTPVersion:      HTTP11,
		PassHeaders:      true,
		PassBody:         true,
		ConnectTimeout:   time.Minute,
		SendTimeout:      time.Minute,
		ReadTimeout:      time.Minute,
		Buffering:        true,
		RequestBuffering: true,
		BufferSize:       pageSize,
		Buffers:          Buffers{Number: 8, Size: pageSize},
		MaxTempFileSize:  1 << 30,
		TempPath:         TempPath{Path: absolute(o.StateDir, "proxy_temp"), Levels: [3]int{1, 2, 0}},
		NextUpstream:     NextError | NextTimeout,
		Cache:            defaultCacheSettings(),
		TLS: ProxyTLS{
			Ciphers:      "DEFAULT",
			Protocols:    []string{"TLSv1.2", "TLSv1.3"},
			SessionReuse: true,
			VerifyDepth:  1,
		},
	}
}

// defaultGRPCSettings are those of nginx, and what cannot be set but is always
// so with gRPC: nothing waits for the whole of a body.
func defaultGRPCSettings(o *Options) ProxySettings {
	p := defaultProxySettings(o)
	p.HTTPVersion = HTTP20
	p.Buffering, p.RequestBuffering = false, false
	p.PassTrailers, p.RedirectOff = true, true
	return p
}

func defaultServerSettings() ServerSettings {
	return ServerSettings{
		HTTP2:                  HTTP2{MaxStreams: 128, RecvBufferSize: 256 << 10, BodyPrereadWindow: 64 << 10},
		ClientHeaderTimeout:    time.Minute,
		ClientHeaderBufferSize: 1 << 10,
		LargeHeaderBuffers:     Buffers{Number: 4, Size: 8 << 10},
		MaxHeaders:             1000,
		IgnoreInvalidHeaders:   true,
		MergeSlashes:           true,
		TLS: TLS{
			Protocols:      []string{"TLSv1.2", "TLSv1.3"},
			Ciphers:        "HIGH:!aNULL:!MD5",
			ECDHCurve:      "auto",
			SessionTimeout: 5 * time.Minute,
			SessionTickets: true,
			VerifyDepth:    1,
		},
	}
}

// combinedFormat is the log format that needs no definition.
func combinedFormat() *LogFormat {
	return &LogFormat{Name: "combined", Format: Text{Value: `$remote_addr - $remote_user [$time_local] ` +
		`"$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`}}
}

// DefaultFailTimeout is how long failures of an upstream server count, and how
// long it is left alone after too many.
const DefaultFailTimeout = 10 * time.Second

// DefaultKeepalive are the limits of idle upstream connections where nothing is
// written.
func DefaultKeepalive() Keepalive {
	// On by default since nginx 1.29.7; off before.
	return Keepalive{Connections: 32, Local: true, Requests: 1000, Time: time.Hour, Timeout: time.Minute}
}
