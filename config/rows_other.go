package config

import "strings"

// rowsOf gives one row like r for each name of a list separated by spaces.
func rowsOf(r row, names string) []row {
	list := make([]row, 0, 8)
	for _, n := range strings.Fields(names) {
		r.name = n
		list = append(list, r)
	}
	return list
}

func join(lists ...[]row) []row {
	var all []row
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// otherRows are the directives of http that have no effect here, are not in
// force yet, or are refused.
func otherRows() []row {
	return join(meaninglessRows(), comingRows(), refusedRows(), refusedModuleRows())
}

// meaninglessRows are directives whose subject weir does not have.
func meaninglessRows() []row {
	no := func(in Context, a args, why string, set setter, names string) []row {
		return rowsOf(row{in: in, args: a, state: Meaningless, why: why, set: set}, names)
	}
	const (
		oneProcess = "weir is one process without workers"
		loop       = "Go's scheduler and network poller do this"
		files      = "how files are read and sent is not tuned by hand in weir"
		hashes     = "tables size themselves"
		pools      = "memory is not taken from pools of a fixed size"
		ocsp       = "weir does not staple OCSP responses; clients that check revocation do so themselves"
		browsers   = "for browsers long gone"
	)
	many := no(InMain, args1, "weir has no loadable modules", nil, "load_module")
	many = append(many, no(InMain, argsMore2, "blocking file operations need no thread pool", nil, "thread_pool")...)
	for i := range many {
		many[i].many = true
	}
	return join(many,
		no(InMain, argsFlag, oneProcess, nil, "master_process"),
		no(InMain, args1, oneProcess, nil, "lock_file"),
		no(InMain, args1, oneProcess+"; the system's scheduler places its threads", nil, "worker_priority"),
		no(InMain, argsMore1, oneProcess+"; the system's scheduler places its threads", nil, "worker_cpu_affinity"),
		no(InMain, args1, "core files are the affair of the service manager", nil, "worker_rlimit_core working_directory debug_points"),
		no(InMain, argsFlag, "regular expressions are compiled at load in any case", nil, "pcre_jit"),
		no(InMain, args1, "times are read when they are needed", isTime, "timer_resolution"),
		no(InMain, argsFlag, "certificates are shared over reloads in any case", nil, "ssl_object_cache_inheritable"),
		no(InMain, args1, "profiles are not written by a library", nil, "google_perftools_profiles"),
		no(InMain, argsFlag, "weir has no HTTP/3", nil, "quic_bpf"),
		no(InEvents, args1, "connections are bounded by the file descriptors the process may open", isNumber, "worker_connections"),
		no(InEvents, args1, loop, nil, "use debug_connection"),
		no(InEvents, args1, loop, isNumber, "worker_aio_requests"),
		no(InEvents, args1, loop, isTime, "accept_mutex_delay stall_threshold"),
		no(InEvents, argsFlag, loop, nil, "accept_mutex multi_accept"),

		no(inHTTPAllIf, argsFlag, files, nil, "sendfile"),
		no(inHTTPAll, argsFlag, files, nil, "aio_write"),
		no(inHTTPAll, args1, files, nil, "aio directio"),
		no(inHTTPAll, args1, files, isSize, "directio_alignment sendfile_max_chunk read_ahead subrequest_output_buffer_size"),
		no(inHTTPAll, args2, files, isBuffers, "output_buffers"),
		no(inHTTPAll, args1|args2, files, nil, "open_file_cache"),
		no(inHTTPAll, args1, files, nil, "open_file_cache_valid open_file_cache_min_uses"),
		no(inHTTPAll, argsFlag, files, nil, "open_file_cache_errors"),
		no(inHTTPAll, args1|args2|args3|args4, "log files stay open until they are reopened", nil, "open_log_file_cache"),
		no(inHTTPAll, argsFlag, "replies leave in as few segments as they fit in, without delay", nil, "tcp_nopush tcp_nodelay"),
		no(inHTTPAll, args1, "replies leave in as few segments as they fit in, without delay", isSize, "postpone_output send_lowat"),
		no(InHTTP, args1, hashes, isNumber, "server_names_hash_bucket_size server_names_hash_max_size "+
			"variables_hash_bucket_size variables_hash_max_size map_hash_bucket_size map_hash_max_size"),
		no(inHTTPAll, args1, hashes, isNumber, "types_hash_bucket_size types_hash_max_size proxy_headers_hash_bucket_size proxy_headers_hash_max_size"),
		no(InServer|InLocation, args1, hashes, isNumber, "referer_hash_bucket_size referer_hash_max_size"),
		no(inHTTPServer, args1, pools, isSize, "connection_pool_size request_pool_size"),
		no(inHTTPAll, argsFlag, browsers, nil, "msie_padding msie_refresh"),
		no(inRewrite|InHTTP, argsFlag, "steps of the rewrite phase are not logged", nil, "rewrite_log"),
		no(inRewrite|InHTTP, argsFlag, "an empty variable is not worth a line in the log", nil, "uninitialized_variable_warn"),
		no(inHTTPAll, args1, "buffers towards upstreams are the system's", isSize, "proxy_send_lowat proxy_socket_rcvbuf proxy_socket_sndbuf"),
		no(inHTTPAll, args1|args2|args3, "certificates with variables in their names are kept by name until the file changes", nil,
			"proxy_ssl_certificate_cache"),
		no(inHTTPServer, args1|args2|args3, "certificates with variables in their names are kept by name until the file changes", nil,
			"ssl_certificate_cache"),
		no(inHTTPServer, args1, "TLS records are sized by the connection's state", isSize, "ssl_buffer_size"),
		no(inHTTPServer, argsFlag, "Go's TLS does not compress certificates", nil, "ssl_certificate_compression"),
		no(inHTTPServer, args1, "Go's TLS has no ciphers with finite-field Diffie-Hellman", nil, "ssl_dhparam"),
		no(inHTTPServer, argsFlag, "Go's TLS takes no early data; clients then send it after the handshake", nil, "ssl_early_data"),
		no(inHTTPServer, argsFlag, ocsp, nil, "ssl_stapling ssl_stapling_verify"),
		no(inHTTPServer, args1, ocsp, nil, "ssl_stapling_file ssl_stapling_responder ssl_ocsp_responder ssl_ocsp_cache"),
		no(inHTTPServer, args1, "removed from nginx; server push and its limits are gone", nil,
			"http2_idle_timeout http2_max_concurrent_pushes http2_max_field_size http2_max_header_size http2_max_requests http2_recv_timeout"),
		no(inHTTPAll, args1, "removed from nginx; server push is gone", nil, "http2_push_preload"),
		rowsOf(row{in: inHTTPAll, args: args1, state: Meaningless, many: true, why: "removed from nginx; server push is gone"}, "http2_push"),
	)
}

// comingRows are directives that later versions will honour. None of them keeps
// anyone out, so that going on without them opens no door.
func comingRows() []row {
	soon := func(in Context, a args, names string) []row {
		return rowsOf(row{in: in, args: a, state: Coming}, names)
	}
	many := func(in Context, a args, names string) []row {
		return rowsOf(row{in: in, args: a, state: Coming, many: true}, names)
	}
	squeeze := func(in Context, a args, why, names string) []row {
		return rowsOf(row{in: in, args: a, state: Coming, many: a == argsMore1, why: why}, names)
	}
	const plain = "until then weir compresses nothing; what upstreams compress passes"
	const packed = "until then what upstreams compress passes as it is"
	return join(

		soon(InServer|InLocation|InLocationIf, args1, "status_zone"),
		rowsOf(row{in: InLocation, args: args0 | args1, state: Coming, set: pending}, "api"),
		rowsOf(row{in: InHTTP, args: args3, state: Coming, many: true, why: "pairs are kept through the API, which comes with them"}, "keyval"),
		rowsOf(row{in: InHTTP, args: argsMore1, state: Coming, many: true, why: "pairs are kept through the API, which comes with them"}, "keyval_zone"),

		many(InHTTP, argsMore2, "limit_req_zone limit_conn_zone"),
		many(inHTTPAll, argsMore1, "limit_req"),
		many(inHTTPAll, args2, "limit_conn"),
		soon(inHTTPAll, args1, "limit_req_log_level limit_req_status limit_conn_log_level limit_conn_status"),
		soon(inHTTPAll, argsFlag, "limit_req_dry_run limit_conn_dry_run"),

		squeeze(inHTTPAllIf, argsFlag, plain, "gzip"),
		squeeze(inHTTPAll, argsFlag, plain, "gzip_vary"),
		squeeze(inHTTPAll, args1, plain, "gzip_comp_level gzip_http_version gzip_min_length"),
		squeeze(inHTTPAll, args2, plain, "gzip_buffers"),
		squeeze(inHTTPAll, argsMore1, plain, "gzip_disable gzip_proxied gzip_types"),
		squeeze(inHTTPAll, args1, "until then files are sent as they are", "gzip_static"),
		squeeze(inHTTPAll, argsFlag, packed, "gunzip"),
		squeeze(inHTTPAll, args2, packed, "gunzip_buffers"),
	)
}

// pending keeps files from being served where a content handler is missing.
func pending(s *scope, d *Directive) error {
	s.location.Proxy, s.location.StubStatus, s.location.Pending = nil, false, d.Name
	return nil
}
