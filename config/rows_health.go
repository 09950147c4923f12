package config

// healthRows are the directives about checking the servers of upstreams.
func healthRows() []row {
	return []row{
		{name: "health_check", in: InLocation, args: argsAny, many: true, set: setHealthCheck},
		{name: "match", in: InHTTP, args: args1 | argsBlock, many: true, set: setMatch},
	}
}
