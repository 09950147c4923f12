package config

import "time"

// proxyRows are the proxy_* directives but for the cache.
func proxyRows() []row {
	p := func(s *scope) *ProxySettings { return &s.settings.ProxySettings }
	all := func(name string, a args, set setter) row { return row{name: name, in: inHTTPAll, args: a, set: set} }
	list := func(name string, a args, set setter) row {
		return row{name: name, in: inHTTPAll, args: a, many: true, set: set}
	}
	rows := []row{
		{name: "proxy_pass", in: InLocation | InLocationIf | InLimitExcept, args: args1, set: setProxyPass},
		all("proxy_http_version", args1, setHTTPVersion),
		all("proxy_method", args1, text(func(s *scope) *Text { return &p(s).Method })),
		list("proxy_set_header", args2, func(s *scope, d *Directive) error {
			add(s, d.Name, &p(s).SetHeaders, SetHeader{Pos: d.Pos, Name: d.Args[0], Value: d.text(1)})
			return nil
		}),
		all("proxy_set_body", args1, text(func(s *scope) *Text { return &p(s).SetBody })),
		all("proxy_pass_request_headers", argsFlag, flag(func(s *scope) *bool { return &p(s).PassHeaders })),
		all("proxy_pass_request_body", argsFlag, flag(func(s *scope) *bool { return &p(s).PassBody })),
		all("proxy_pass_trailers", argsFlag, flag(func(s *scope) *bool { return &p(s).PassTrailers })),
		list("proxy_redirect", args1|args2, setProxyRedirect),
		list("proxy_cookie_domain", args1|args2, setCookieRewrite(func(s *scope) *[]CookieRewrite { return &p(s).CookieDomains })),
		list("proxy_cookie_path", args1|args2, setCookieRewrite(func(s *scope) *[]CookieRewrite { return &p(s).CookiePaths })),
		list("proxy_cookie_flags", argsMore1, setCookieFlags),
		list("proxy_hide_header", args1, words(func(s *scope) *[]string { return &p(s).HideHeaders })),
		list("proxy_pass_header", args1, words(func(s *scope) *[]string { return &p(s).PassFields })),
		list("proxy_ignore_headers", argsMore1, oneOf(func(s *scope) *[]string { return &p(s).IgnoreHeaders },
			"X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset",
			"Expires", "Cache-Control", "Set-Cookie", "Vary")),
		all("proxy_intercept_errors", argsFlag, flag(func(s *scope) *bool { return &p(s).InterceptErrors })),
		all("proxy_connect_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).ConnectTimeout })),
		all("proxy_send_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).SendTimeout })),
		all("proxy_read_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).ReadTimeout })),
		all("proxy_buffering", argsFlag, flag(func(s *scope) *bool { return &p(s).Buffering })),
		all("proxy_request_buffering", argsFlag, flag(func(s *scope) *bool { return &p(s).RequestBuffering })),
		all("proxy_buffer_size", args1, size(func(s *scope) *int64 { return &p(s).BufferSize })),
		all("proxy_buffers", args2, buffers(func(s *scope) *Buffers { return &p(s).Buffers })),
		without(all("proxy_busy_buffers_size", args1, size(func(s *scope) *int64 { return &p(s).BusyBuffersSize })),
			Meaningless, "what has arrived is on its way to the client at once"),
		all("proxy_max_temp_file_size", args1, size(func(s *scope) *int64 { return &p(s).MaxTempFileSize })),
		without(all("proxy_temp_file_write_size", args1, size(func(s *scope) *int64 { return &p(s).TempFileWriteSize })),
			Meaningless, "a temporary file is written in the pieces that arrive"),
		all("proxy_temp_path", args1|args2|args3|args4, tempPath(func(s *scope) *TempPath { return &p(s).TempPath })),
		all("proxy_limit_rate", args1, sizeText(func(s *scope) *Text { return &p(s).LimitRate })),
		list("proxy_next_upstream", argsMore1, set(func(s *scope) *NextUpstream { return &p(s).NextUpstream }, nextUpstreamWords()...)),
		all("proxy_next_upstream_tries", args1, number(func(s *scope) *int { return &p(s).NextUpstreamTries })),
		all("proxy_next_upstream_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).NextUpstreamTimeout })),
		all("proxy_ignore_client_abort", argsFlag, flag(func(s *scope) *bool { return &p(s).IgnoreClientAbort })),
		all("proxy_bind", args1|args2, setProxyBind),
		all("proxy_socket_keepalive", argsFlag, flag(func(s *scope) *bool { return &p(s).SocketKeepalive })),
	}
	return append(rows, proxyTLSRows()...)
}

// proxyTLSRows are the proxy_ssl_* directives.
func proxyTLSRows() []row {
	t := func(s *scope) *ProxyTLS { return &s.settings.ProxySettings.TLS }
	all := func(name string, a args, set setter) row { return row{name: name, in: inHTTPAll, args: a, set: set} }
	return []row{
		all("proxy_ssl_certificate", args1, func(s *scope, d *Directive) error {
			t(s).Certificate = s.confText(d)
			return nil
		}),
		all("proxy_ssl_certificate_key", args1, func(s *scope, d *Directive) error {
			t(s).CertificateKey = s.confText(d)
			return nil
		}),
		all("proxy_ssl_password_file", args1, confFile(func(s *scope) (*string, *Pos) { return &t(s).PasswordFile, &t(s).Pos.PasswordFile })),
		all("proxy_ssl_ciphers", args1, func(s *scope, d *Directive) error {
			t(s).Ciphers, t(s).Pos.Ciphers = d.Args[0], d.Pos
			return nil
		}),
		{name: "proxy_ssl_protocols", in: inHTTPAll, args: argsMore1, many: true,
			set: setProtocols(func(s *scope) (*[]string, *Pos) { return &t(s).Protocols, &t(s).Pos.Protocols })},
		all("proxy_ssl_name", args1, text(func(s *scope) *Text { return &t(s).Name })),
		all("proxy_ssl_server_name", argsFlag, flag(func(s *scope) *bool { return &t(s).ServerName })),
		all("proxy_ssl_session_reuse", argsFlag, flag(func(s *scope) *bool { return &t(s).SessionReuse })),
		all("proxy_ssl_trusted_certificate", args1, confFile(func(s *scope) (*string, *Pos) {
			return &t(s).TrustedCertificate, &t(s).Pos.TrustedCertificate
		})),
		all("proxy_ssl_crl", args1, confFile(func(s *scope) (*string, *Pos) { return &t(s).CRL, &t(s).Pos.CRL })),
		all("proxy_ssl_verify", argsFlag, func(s *scope, d *Directive) error {
			t(s).Pos.Verify = d.Pos
			return flag(func(s *scope) *bool { return &t(s).Verify })(s, d)
		}),
		all("proxy_ssl_verify_depth", args1, number(func(s *scope) *int { return &t(s).VerifyDepth })),
	}
}

func nextUpstreamWords() []word[NextUpstream] {
	return []word[NextUpstream]{
		{"error", NextError}, {"timeout", NextTimeout}, {"invalid_header", NextInvalidHeader}, {"denied", NextDenied},
		{"http_500", NextHTTP500}, {"http_502", NextHTTP502}, {"http_503", NextHTTP503}, {"http_504", NextHTTP504},
		{"http_403", NextHTTP403}, {"http_404", NextHTTP404}, {"http_429", NextHTTP429},
		{"non_idempotent", NextNonIdempotent}, {"off", 0},
	}
}
