package config

import "time"

// settingsOf finds the settings of one kind of upstream, proxy_* or grpc_*.
type settingsOf func(s *scope) *ProxySettings

func proxySettings(s *scope) *ProxySettings { return &s.settings.ProxySettings }

// proxyRows are the proxy_* directives but for the cache.
func proxyRows() []row {
	p := proxySettings
	all := func(name string, a args, set setter) row { return row{name: name, in: inHTTPAll, args: a, set: set} }
	list := func(name string, a args, set setter) row {
		return row{name: name, in: inHTTPAll, args: a, many: true, set: set}
	}
	rows := []row{
		{name: "proxy_pass", in: InLocation | InLocationIf | InLimitExcept, args: args1, set: setProxyPass},
		all("proxy_http_version", args1, enum(func(s *scope) *HTTPVersion { return &p(s).HTTPVersion },
			word[HTTPVersion]{"1.0", HTTP10}, word[HTTPVersion]{"1.1", HTTP11}, word[HTTPVersion]{"2", HTTP20})),
		all("proxy_method", args1, text(func(s *scope) *Text { return &p(s).Method })),
		all("proxy_set_body", args1, text(func(s *scope) *Text { return &p(s).SetBody })),
		all("proxy_pass_request_headers", argsFlag, flag(func(s *scope) *bool { return &p(s).PassHeaders })),
		all("proxy_pass_request_body", argsFlag, flag(func(s *scope) *bool { return &p(s).PassBody })),
		all("proxy_pass_trailers", argsFlag, flag(func(s *scope) *bool { return &p(s).PassTrailers })),
		list("proxy_redirect", args1|args2, setProxyRedirect),
		list("proxy_cookie_domain", args1|args2, setCookieRewrite(func(s *scope) *[]CookieRewrite { return &p(s).CookieDomains })),
		list("proxy_cookie_path", args1|args2, setCookieRewrite(func(s *scope) *[]CookieRewrite { return &p(s).CookiePaths })),
		list("proxy_cookie_flags", argsMore1, setCookieFlags),
		all("proxy_buffering", argsFlag, flag(func(s *scope) *bool { return &p(s).Buffering })),
		all("proxy_request_buffering", argsFlag, flag(func(s *scope) *bool { return &p(s).RequestBuffering })),
		all("proxy_buffers", args2, buffers(func(s *scope) *Buffers { return &p(s).Buffers })),
		without(all("proxy_busy_buffers_size", args1, size(func(s *scope) *int64 { return &p(s).BusyBuffersSize })),
			Meaningless, "what has arrived is on its way to the client at once"),
		all("proxy_max_temp_file_size", args1, size(func(s *scope) *int64 { return &p(s).MaxTempFileSize })),
		without(all("proxy_temp_file_write_size", args1, size(func(s *scope) *int64 { return &p(s).TempFileWriteSize })),
			Meaningless, "a temporary file is written in the pieces that arrive"),
		all("proxy_temp_path", args1|args2|args3|args4, tempPath(func(s *scope) *TempPath { return &p(s).TempPath })),
		all("proxy_limit_rate", args1, sizeText(func(s *scope) *Text { return &p(s).LimitRate })),
		list("proxy_next_upstream", argsMore1, set(func(s *scope) *NextUpstream { return &p(s).NextUpstream },
			append(nextUpstreamWords(), word[NextUpstream]{"denied", NextDenied})...)),
		all("proxy_ignore_client_abort", argsFlag, flag(func(s *scope) *bool { return &p(s).IgnoreClientAbort })),
	}
	return join(rows, exchangeRows("proxy_", p), upstreamTLSRows("proxy_", p))
}

// exchangeRows are the directives that all kinds of upstreams have, by the
// prefix of their names.
func exchangeRows(prefix string, p settingsOf) []row {
	all := func(name string, a args, set setter) row {
		return row{name: prefix + name, in: inHTTPAll, args: a, set: set}
	}
	list := func(name string, a args, set setter) row {
		return row{name: prefix + name, in: inHTTPAll, args: a, many: true, set: set}
	}
	return []row{
		list("set_header", args2, func(s *scope, d *Directive) error {
			add(s, d.Name, &p(s).SetHeaders, SetHeader{Pos: d.Pos, Name: d.Args[0], Value: d.text(1)})
			return nil
		}),
		list("hide_header", args1, words(func(s *scope) *[]string { return &p(s).HideHeaders })),
		list("pass_header", args1, words(func(s *scope) *[]string { return &p(s).PassFields })),
		list("ignore_headers", argsMore1, oneOf(func(s *scope) *[]string { return &p(s).IgnoreHeaders },
			"X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset",
			"Expires", "Cache-Control", "Set-Cookie", "Vary")),
		all("intercept_errors", argsFlag, flag(func(s *scope) *bool { return &p(s).InterceptErrors })),
		all("connect_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).ConnectTimeout })),
		all("send_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).SendTimeout })),
		all("read_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).ReadTimeout })),
		all("buffer_size", args1, size(func(s *scope) *int64 { return &p(s).BufferSize })),
		all("next_upstream_tries", args1, number(func(s *scope) *int { return &p(s).NextUpstreamTries })),
		all("next_upstream_timeout", args1, msec(func(s *scope) *time.Duration { return &p(s).NextUpstreamTimeout })),
		all("bind", args1|args2, setBind(p)),
		all("socket_keepalive", argsFlag, flag(func(s *scope) *bool { return &p(s).SocketKeepalive })),
	}
}

// upstreamTLSRows are the …ssl_* directives of TLS towards upstreams.
func upstreamTLSRows(prefix string, p settingsOf) []row {
	t := func(s *scope) *ProxyTLS { return &p(s).TLS }
	all := func(name string, a args, set setter) row {
		return row{name: prefix + name, in: inHTTPAll, args: a, set: set}
	}
	return []row{
		all("ssl_certificate", args1, func(s *scope, d *Directive) error {
			t(s).Certificate = s.confText(d)
			return nil
		}),
		all("ssl_certificate_key", args1, func(s *scope, d *Directive) error {
			t(s).CertificateKey = s.confText(d)
			return nil
		}),
		all("ssl_password_file", args1, confFile(func(s *scope) (*string, *Pos) { return &t(s).PasswordFile, &t(s).Pos.PasswordFile })),
		all("ssl_ciphers", args1, func(s *scope, d *Directive) error {
			t(s).Ciphers, t(s).Pos.Ciphers = d.Args[0], d.Pos
			return nil
		}),
		{name: prefix + "ssl_protocols", in: inHTTPAll, args: argsMore1, many: true,
			set: setProtocols(func(s *scope) (*[]string, *Pos) { return &t(s).Protocols, &t(s).Pos.Protocols })},
		all("ssl_name", args1, text(func(s *scope) *Text { return &t(s).Name })),
		all("ssl_server_name", argsFlag, flag(func(s *scope) *bool { return &t(s).ServerName })),
		all("ssl_session_reuse", argsFlag, flag(func(s *scope) *bool { return &t(s).SessionReuse })),
		all("ssl_trusted_certificate", args1, confFile(func(s *scope) (*string, *Pos) {
			return &t(s).TrustedCertificate, &t(s).Pos.TrustedCertificate
		})),
		all("ssl_crl", args1, confFile(func(s *scope) (*string, *Pos) { return &t(s).CRL, &t(s).Pos.CRL })),
		all("ssl_verify", argsFlag, func(s *scope, d *Directive) error {
			t(s).Pos.Verify = d.Pos
			return flag(func(s *scope) *bool { return &t(s).Verify })(s, d)
		}),
		all("ssl_verify_depth", args1, number(func(s *scope) *int { return &t(s).VerifyDepth })),
	}
}

// nextUpstreamWords are the conditions that all kinds of upstreams know.
func nextUpstreamWords() []word[NextUpstream] {
	return []word[NextUpstream]{
		{"error", NextError}, {"timeout", NextTimeout}, {"invalid_header", NextInvalidHeader},
		{"http_500", NextHTTP500}, {"http_502", NextHTTP502}, {"http_503", NextHTTP503}, {"http_504", NextHTTP504},
		{"http_403", NextHTTP403}, {"http_404", NextHTTP404}, {"http_429", NextHTTP429},
		{"non_idempotent", NextNonIdempotent}, {"off", 0},
	}
}
