package config

func grpcSettings(s *scope) *ProxySettings { return &s.settings.GRPCSettings }

// grpcRows are the grpc_* directives.
func grpcRows() []row {
	const buffers = "buffers towards upstreams are the system's"
	rows := []row{
		{name: "grpc_pass", in: InLocation | InLocationIf, args: args1, set: setGRPCPass},
		{name: "grpc_next_upstream", in: inHTTPAll, args: argsMore1, many: true,
			set: set(func(s *scope) *NextUpstream { return &grpcSettings(s).NextUpstream }, nextUpstreamWords()...)},
		{name: "grpc_socket_rcvbuf", in: inHTTPAll, args: args1, state: Meaningless, why: buffers, set: isSize},
		{name: "grpc_socket_sndbuf", in: inHTTPAll, args: args1, state: Meaningless, why: buffers, set: isSize},
		{name: "grpc_ssl_certificate_cache", in: inHTTPAll, args: args1 | args2 | args3, state: Meaningless,
			why: "certificates with variables in their names are kept by name until the file changes"},
	}
	return join(rows, exchangeRows("grpc_", grpcSettings), upstreamTLSRows("grpc_", grpcSettings))
}
