package config

// Names of directives of modules that weir does not have, where there are many.
const (
	httpScriptNames = "js_access js_body_filter js_content js_context_reuse js_engine js_fetch_buffer_size js_fetch_ciphers " +
		"js_fetch_keepalive js_fetch_keepalive_requests js_fetch_keepalive_time js_fetch_keepalive_timeout " +
		"js_fetch_max_response_buffer_size js_fetch_protocols js_fetch_proxy js_fetch_timeout " +
		"js_fetch_trusted_certificate js_fetch_verify js_fetch_verify_depth js_header_filter js_import " +
		"js_include js_load_http_native_module js_load_stream_native_module js_path js_periodic js_preload_object js_set " +
		"js_shared_dict_zone js_var"
	tunnelNames = "tunnel_allow_upstream tunnel_bind tunnel_bind_dynamic tunnel_buffer_size tunnel_connect_timeout " +
		"tunnel_next_upstream tunnel_next_upstream_timeout tunnel_next_upstream_tries tunnel_pass " +
		"tunnel_read_timeout tunnel_send_lowat tunnel_send_timeout tunnel_socket_keepalive " +
		"tunnel_socket_rcvbuf tunnel_socket_sndbuf"
	memcachedNames = "memcached_allow_upstream memcached_bind memcached_bind_dynamic memcached_buffer_size " +
		"memcached_connect_timeout memcached_gzip_flag memcached_next_upstream " +
		"memcached_next_upstream_timeout memcached_next_upstream_tries memcached_pass memcached_read_timeout " +
		"memcached_send_timeout memcached_socket_keepalive"
	fastcgiNames = "fastcgi_allow_upstream fastcgi_bind fastcgi_bind_dynamic fastcgi_buffer_size fastcgi_buffering " +
		"fastcgi_buffers fastcgi_busy_buffers_size fastcgi_cache fastcgi_cache_background_update " +
		"fastcgi_cache_bypass fastcgi_cache_key fastcgi_cache_lock fastcgi_cache_lock_age " +
		"fastcgi_cache_lock_timeout fastcgi_cache_max_range_offset fastcgi_cache_methods " +
		"fastcgi_cache_min_uses fastcgi_cache_purge fastcgi_cache_revalidate fastcgi_cache_use_stale " +
		"fastcgi_cache_valid fastcgi_catch_stderr fastcgi_connect_timeout fastcgi_force_ranges " +
		"fastcgi_hide_header fastcgi_ignore_client_abort fastcgi_ignore_headers fastcgi_index " +
		"fastcgi_intercept_errors fastcgi_keep_conn fastcgi_limit_rate fastcgi_max_temp_file_size " +
		"fastcgi_next_upstream fastcgi_next_upstream_timeout fastcgi_next_upstream_tries fastcgi_no_cache " +
		"fastcgi_param fastcgi_pass fastcgi_pass_header fastcgi_pass_request_body " +
		"fastcgi_pass_request_headers fastcgi_read_timeout fastcgi_request_buffering fastcgi_request_dynamic " +
		"fastcgi_send_lowat fastcgi_send_timeout fastcgi_socket_keepalive fastcgi_socket_rcvbuf " +
		"fastcgi_socket_sndbuf fastcgi_split_path_info fastcgi_store fastcgi_store_access " +
		"fastcgi_temp_file_write_size fastcgi_temp_path"
	uwsgiNames = "uwsgi_allow_upstream uwsgi_bind uwsgi_bind_dynamic uwsgi_buffer_size uwsgi_buffering uwsgi_buffers " +
		"uwsgi_busy_buffers_size uwsgi_cache uwsgi_cache_background_update uwsgi_cache_bypass uwsgi_cache_key " +
		"uwsgi_cache_lock uwsgi_cache_lock_age uwsgi_cache_lock_timeout uwsgi_cache_max_range_offset " +
		"uwsgi_cache_methods uwsgi_cache_min_uses uwsgi_cache_purge uwsgi_cache_revalidate " +
		"uwsgi_cache_use_stale uwsgi_cache_valid uwsgi_connect_timeout uwsgi_force_ranges uwsgi_hide_header " +
		"uwsgi_ignore_client_abort uwsgi_ignore_headers uwsgi_intercept_errors uwsgi_limit_rate " +
		"uwsgi_max_temp_file_size uwsgi_modifier1 uwsgi_modifier2 uwsgi_next_upstream " +
		"uwsgi_next_upstream_timeout uwsgi_next_upstream_tries uwsgi_no_cache uwsgi_param uwsgi_pass " +
		"uwsgi_pass_header uwsgi_pass_request_body uwsgi_pass_request_headers uwsgi_read_timeout " +
		"uwsgi_request_buffering uwsgi_request_dynamic uwsgi_send_timeout uwsgi_socket_keepalive " +
		"uwsgi_socket_rcvbuf uwsgi_socket_sndbuf uwsgi_ssl_certificate uwsgi_ssl_certificate_cache " +
		"uwsgi_ssl_certificate_key uwsgi_ssl_ciphers uwsgi_ssl_conf_command uwsgi_ssl_crl uwsgi_ssl_key_log " +
		"uwsgi_ssl_name uwsgi_ssl_password_file uwsgi_ssl_protocols uwsgi_ssl_server_name " +
		"uwsgi_ssl_session_reuse uwsgi_ssl_trusted_certificate uwsgi_ssl_verify uwsgi_ssl_verify_depth " +
		"uwsgi_store uwsgi_store_access uwsgi_temp_file_write_size uwsgi_temp_path"
	scgiNames = "scgi_allow_upstream scgi_bind scgi_bind_dynamic scgi_buffer_size scgi_buffering scgi_buffers " +
		"scgi_busy_buffers_size scgi_cache scgi_cache_background_update scgi_cache_bypass scgi_cache_key " +
		"scgi_cache_lock scgi_cache_lock_age scgi_cache_lock_timeout scgi_cache_max_range_offset " +
		"scgi_cache_methods scgi_cache_min_uses scgi_cache_purge scgi_cache_revalidate scgi_cache_use_stale " +
		"scgi_cache_valid scgi_connect_timeout scgi_force_ranges scgi_hide_header scgi_ignore_client_abort " +
		"scgi_ignore_headers scgi_intercept_errors scgi_limit_rate scgi_max_temp_file_size scgi_next_upstream " +
		"scgi_next_upstream_timeout scgi_next_upstream_tries scgi_no_cache scgi_param scgi_pass " +
		"scgi_pass_header scgi_pass_request_body scgi_pass_request_headers scgi_read_timeout " +
		"scgi_request_buffering scgi_request_dynamic scgi_send_timeout scgi_socket_keepalive " +
		"scgi_socket_rcvbuf scgi_socket_sndbuf scgi_store scgi_store_access scgi_temp_file_write_size " +
		"scgi_temp_path"
	streamScriptNames = "js_access js_context_reuse js_engine js_fetch_buffer_size js_fetch_ciphers js_fetch_keepalive " +
		"js_fetch_keepalive_requests js_fetch_keepalive_time js_fetch_keepalive_timeout " +
		"js_fetch_max_response_buffer_size js_fetch_protocols js_fetch_proxy js_fetch_timeout " +
		"js_fetch_trusted_certificate js_fetch_verify js_fetch_verify_depth js_filter js_import js_include " +
		"js_path js_periodic js_preload_object js_preread js_set js_shared_dict_zone js_var"
)
