package config

// streamRows are the directives of stream. The block as a whole is not in force
// yet; its words are checked all the same.
func streamRows() []row {
	soon := func(in Context, a args, names string) []row {
		return rowsOf(row{in: in, args: a, state: Coming}, names)
	}
	many := func(in Context, a args, names string) []row {
		return rowsOf(row{in: in, args: a, state: Coming, many: true}, names)
	}
	block := func(in Context, a args, names string, set setter) []row {
		return rowsOf(row{in: in, args: a | argsBlock, state: Coming, many: true, set: set}, names)
	}
	return join(
		block(InMain, args0, "stream", swallow(InStream)),
		block(InStream, args0, "server", swallow(InStreamServer)),
		block(InStream, args1, "upstream", swallow(InStreamUpstream)),
		block(InStream, args2, "map split_clients", free),
		block(InStream, args1|args2, "geo", free),
		block(InStream, args1, "match", free),
		many(InStream, argsMore2, "log_format"),
		many(InStream, args3, "keyval"),
		many(InStream, argsMore1, "keyval_zone"),
		many(InStream, argsMore2, "limit_conn_zone"),
		soon(InStream, args1, "server_names_hash_bucket_size server_names_hash_max_size variables_hash_bucket_size "+
			"variables_hash_max_size map_hash_bucket_size map_hash_max_size"),

		many(InStreamServer, argsMore1, "listen server_name"),
		soon(InStreamServer, args1, "proxy_pass return pass status_zone"),
		many(InStreamServer, args2, "set"),
		many(InStreamServer, argsAny, "health_check"),
		soon(InStreamServer, args0, "zone_sync"),
		many(InStreamServer, args1|args2, "zone_sync_server"),

		many(inStreamAll, args1, "allow deny set_real_ip_from"),
		many(inStreamAll, args2, "limit_conn"),
		many(inStreamAll, argsMore1, "access_log"),
		soon(inStreamAll, argsMore1, "resolver open_log_file_cache"),
		soon(inStreamAll, args1, "preread_buffer_size preread_timeout proxy_protocol_timeout resolver_timeout "+
			"limit_conn_log_level health_check_timeout proxy_buffer_size proxy_connect_timeout proxy_download_rate "+
			"proxy_upload_rate proxy_next_upstream_timeout proxy_next_upstream_tries proxy_protocol proxy_requests "+
			"proxy_responses proxy_socket_rcvbuf proxy_socket_sndbuf proxy_timeout"),
		soon(inStreamAll, args1|args2, "proxy_bind"),
		soon(inStreamAll, argsFlag, "tcp_nodelay limit_conn_dry_run proxy_half_close proxy_next_upstream "+
			"proxy_session_drop proxy_socket_keepalive proxy_ssl ssl_preread"),
		streamTLSRows(),
		zoneSyncRows(),
		streamUpstreamRows(),
		streamRefusedRows(),
	)
}

func streamTLSRows() []row {
	soon := func(a args, names string) []row { return rowsOf(row{in: inStreamAll, args: a, state: Coming}, names) }
	many := func(a args, names string) []row {
		return rowsOf(row{in: inStreamAll, args: a, state: Coming, many: true}, names)
	}
	return join(
		many(args1, "ssl_certificate ssl_certificate_key ssl_session_ticket_key"),
		many(argsMore1, "ssl_alpn ssl_protocols proxy_ssl_alpn proxy_ssl_protocols"),
		soon(args1|args2|args3, "ssl_certificate_cache proxy_ssl_certificate_cache"),
		soon(args1|args2, "ssl_session_cache"),
		soon(args1, "ssl_ciphers ssl_client_certificate ssl_crl ssl_dhparam ssl_ecdh_curve ssl_handshake_timeout "+
			"ssl_password_file ssl_session_timeout ssl_trusted_certificate ssl_verify_client ssl_verify_depth "+
			"ssl_ocsp_cache ssl_ocsp_responder ssl_stapling_file ssl_stapling_responder "+
			"proxy_ssl_certificate proxy_ssl_certificate_key proxy_ssl_ciphers proxy_ssl_crl proxy_ssl_name "+
			"proxy_ssl_password_file proxy_ssl_trusted_certificate proxy_ssl_verify_depth"),
		soon(argsFlag, "ssl_certificate_compression ssl_prefer_server_ciphers ssl_reject_handshake ssl_session_tickets "+
			"ssl_stapling ssl_stapling_verify proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_verify"),
	)
}

func zoneSyncRows() []row {
	soon := func(a args, names string) []row { return rowsOf(row{in: inStreamAll, args: a, state: Coming}, names) }
	return join(
		soon(args2, "zone_sync_buffers"),
		soon(argsMore1, "zone_sync_ssl_protocols"),
		soon(args1, "zone_sync_connect_retry_interval zone_sync_connect_timeout zone_sync_interval zone_sync_recv_buffer_size "+
			"zone_sync_timeout zone_sync_ssl_certificate zone_sync_ssl_certificate_key zone_sync_ssl_ciphers zone_sync_ssl_crl "+
			"zone_sync_ssl_name zone_sync_ssl_password_file zone_sync_ssl_trusted_certificate zone_sync_ssl_verify_depth"),
		soon(argsFlag, "zone_sync_ssl zone_sync_ssl_server_name zone_sync_ssl_verify"),
	)
}

func streamUpstreamRows() []row {
	soon := func(a args, names string) []row {
		return rowsOf(row{in: InStreamUpstream, args: a, state: Coming}, names)
	}
	return join(
		rowsOf(row{in: InStreamUpstream, args: argsMore1, state: Coming, many: true}, "server"),
		soon(args1|args2, "zone hash least_time"),
		soon(args0, "least_conn"),
		soon(args0|args1|args2, "random"),
		soon(argsMore1, "resolver"),
		soon(args1, "state resolver_timeout"),
	)
}

func streamRefusedRows() []row {
	no := func(in Context, why, names string) []row {
		return rowsOf(row{in: in, args: argsAny, state: Refused, why: why, many: true}, names)
	}
	const openssl = "it speaks to OpenSSL, which weir does not use"
	return join(
		no(inStreamAll, openssl, "ssl_conf_command proxy_ssl_conf_command zone_sync_ssl_conf_command"),
		no(inStreamAll, "keys of sessions are never written to files", "ssl_key_log proxy_ssl_key_log"),
		no(inStreamAll, "names are not encrypted in the handshake", "ssl_ech_file"),
		rowsOf(row{in: inStreamAll, args: argsAny, state: Refused, many: true, offOK: true,
			why: "client certificates are checked against ssl_crl only"}, "ssl_ocsp"),
		no(inStreamAll, "which upstreams are allowed is not checked per session", "proxy_bind_dynamic"),
		no(inStreamAll, "MQTT is relayed as it is", "mqtt mqtt_buffers mqtt_preread mqtt_rewrite_buffer_size mqtt_set_connect"),
		no(InStream, "there is no GeoIP database; geo and map remain", "geoip_country geoip_city geoip_org"),
		no(InStream, "map covers it", "num_map"),
		no(inStreamAll, "configuration does not run programs", streamScriptNames),
	)
}
