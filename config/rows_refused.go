package config

// refusedRows are directives of the modules that weir otherwise has. Ignoring
// them could open a door or change replies in silence.
func refusedRows() []row {
	no := func(in Context, why, names string) []row {
		return rowsOf(row{in: in, args: argsAny, state: Refused, why: why, many: true}, names)
	}
	unless := func(in Context, why, names string) []row {
		return rowsOf(row{in: in, args: argsAny, state: Refused, why: why, many: true, offOK: true}, names)
	}
	const (
		login    = "clients are not asked for a login, and passing them on without one would open a door"
		symlinks = "symbolic links are followed, and serving what they point to would open a door"
		openssl  = "it speaks to OpenSSL, which weir does not use"
		dynamic  = "which upstreams are allowed is not checked per request"
		http3    = "there is no HTTP/3"
	)
	return join(
		unless(inHTTPAll|InLimitExcept, login, "auth_basic auth_jwt auth_oidc"),
		no(inHTTPAll|InLimitExcept, login, "auth_basic_user_file auth_jwt_key_file auth_jwt_key_request auth_jwt_type auth_jwt_require auth_require"),
		unless(inHTTPAll, login, "auth_request"),
		no(inHTTPAll, login, "auth_request_set auth_jwt_key_cache auth_jwt_leeway auth_delay"),
		no(InHTTP, login, "auth_jwt_claim_set auth_jwt_header_set oidc_provider"),
		unless(inHTTPAll, symlinks, "disable_symlinks"),
		unless(inHTTPAll, "files of bodies have no names that an application could read", "client_body_in_file_only"),
		no(inHTTPAll, "log lines have no tags", "error_log_tag"),
		no(inHTTPServer, "a port speaks TLS if its listen directive says ssl", "ssl"),
		no(inHTTPServer, openssl, "ssl_conf_command"),
		no(inHTTPAll, openssl, "proxy_ssl_conf_command grpc_ssl_conf_command"),
		no(InMain, openssl, "ssl_engine"),
		no(inHTTPServer, "keys of sessions are never written to files", "ssl_key_log"),
		no(inHTTPAll, "keys of sessions are never written to files", "proxy_ssl_key_log grpc_ssl_key_log"),
		no(inHTTPServer, "names are not encrypted in the handshake", "ssl_ech_file"),
		unless(inHTTPServer, "client certificates are checked against ssl_crl only", "ssl_ocsp"),
		no(inHTTPAll, dynamic, "proxy_allow_upstream proxy_bind_dynamic proxy_request_dynamic grpc_allow_upstream grpc_bind_dynamic grpc_request_dynamic"),
		unless(inHTTPServer, http3, "http3 http3_hq quic_gso quic_retry"),
		no(inHTTPServer, http3, "http3_max_concurrent_streams http3_stream_buffer_size quic_active_connection_id_limit quic_host_key"),
		no(InHTTP, "limit_conn_zone has replaced it", "limit_zone"),
		no(InHTTP, "map covers it", "num_map"),
	)
}

// refusedModuleRows are the directives of nginx's modules that weir does not
// have at all.
func refusedModuleRows() []row {
	no := func(in Context, why, names string) []row {
		return rowsOf(row{in: in, args: argsAny, state: Refused, why: why, many: true}, names)
	}
	unless := func(in Context, why, names string) []row {
		return rowsOf(row{in: in, args: argsAny, state: Refused, why: why, many: true, offOK: true}, names)
	}
	const (
		rewriting = "replies are passed on as they are"
		listing   = "directories are not listed"
		media     = "media files are served as they are"
		code      = "configuration does not run programs"
		mail      = "it is no mail proxy"
		tracking  = "clients are not given tracking cookies"
		signed    = "signed links are not checked, and serving them unchecked would open a door"
	)
	return join(
		no(inHTTPAll, rewriting, "add_before_body add_after_body addition_types sub_filter sub_filter_last_modified "+
			"sub_filter_once sub_filter_types ssi_last_modified ssi_min_file_chunk ssi_silent_errors ssi_types ssi_value_length "+
			"xml_entities xml_external_entities xslt_last_modified xslt_param xslt_string_param xslt_types charset_types"),
		no(InLocation, rewriting, "xslt_stylesheet"),
		no(InHTTP, rewriting, "charset_map"),
		unless(inHTTPAllIf, rewriting, "ssi charset override_charset source_charset"),
		unless(inHTTPAll, listing, "autoindex"),
		no(inHTTPAll, listing, "autoindex_exact_size autoindex_format autoindex_localtime"),
		unless(InLocation, listing, "random_index"),
		no(InLocation, media, "empty_gif f4f flv hls mp4"),
		no(inHTTPAll, media, "f4f_buffer_size hls_buffers hls_forward_args hls_fragment hls_mp4_buffer_size hls_mp4_max_buffer_size "+
			"mp4_buffer_size mp4_max_buffer_size mp4_limit_rate mp4_limit_rate_after mp4_start_key_frame "+
			"image_filter_buffer image_filter_interlace image_filter_jpeg_quality image_filter_sharpen "+
			"image_filter_transparency image_filter_webp_quality"),
		unless(InLocation, media, "image_filter"),
		no(inHTTPAll, "files are only read", "create_full_put_path dav_access min_delete_depth"),
		unless(inHTTPAll, "files are only read", "dav_methods"),
		no(inHTTPAll, "browsers are not told apart", "ancient_browser ancient_browser_value modern_browser modern_browser_value"),
		no(InHTTP, "there is no GeoIP database; geo and map remain", "geoip_country geoip_city geoip_org geoip_proxy geoip_proxy_recursive"),
		no(InServer|InLocation, "error_page and rewrite remain", "internal_redirect"),
		no(InLocation|InLimitExcept, code, "perl"),
		no(InHTTP, code, "perl_modules perl_require perl_set"),
		no(InMain|inHTTPAll|InLocationIf|InLimitExcept, code, httpScriptNames),
		unless(inHTTPAll, "requests are not copied", "mirror"),
		no(inHTTPAll, "requests are not copied", "mirror_request_body"),
		no(InServer|InLocation, "links from elsewhere are not told apart, and letting them pass would open a door", "valid_referers"),
		no(inHTTPAll, signed, "secure_link secure_link_md5"),
		no(InLocation, signed, "secure_link_secret"),
		unless(inHTTPAll, "sessions are not logged", "session_log"),
		no(InHTTP, "sessions are not logged", "session_log_format session_log_zone"),
		no(InLocation, "api has replaced it", "status upstream_conf"),
		no(inHTTPAll, "api has replaced it", "status_format"),
		unless(inHTTPAll, tracking, "userid"),
		no(inHTTPAll, tracking, "userid_domain userid_expires userid_flags userid_mark userid_name userid_p3p userid_path userid_service"),
		no(InHTTP|InServer|InLocation|InLocationIf, "it is no forward proxy", tunnelNames),
		no(InHTTP|InServer, "certificates are not fetched by weir itself", "acme_issuer acme_shared_zone acme_certificate"),
		no(InHTTP, "traces are not exported", "otel_exporter otel_service_name otel_resource_attr"),
		unless(inHTTPAll, "traces are not exported", "otel_trace"),
		no(inHTTPAll, "traces are not exported", "otel_trace_context otel_span_name otel_span_attr"),
		no(inHTTPAll|InLocationIf, "it speaks HTTP to upstreams, not the protocol of memcached", memcachedNames),
		no(inHTTPAll|InLocationIf, "it speaks HTTP to upstreams, not FastCGI", fastcgiNames),
		no(inHTTPAll|InLocationIf, "it speaks HTTP to upstreams, not uwsgi", uwsgiNames),
		no(inHTTPAll|InLocationIf, "it speaks HTTP to upstreams, not SCGI", scgiNames),
		no(InHTTP, "it speaks HTTP to upstreams, not FastCGI, uwsgi or SCGI", "fastcgi_cache_path uwsgi_cache_path scgi_cache_path"),
		no(InMain, mail, "mail"),
		no(InMain, "there is no licence to report", "mgmt"),
	)
}
