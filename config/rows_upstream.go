package config

import "time"

// upstreamRows are the directives of an upstream block of http, and those of http
// about all of them.
func upstreamRows() []row {
	up := func(name string, a args, set setter) row { return row{name: name, in: InUpstream, args: a, set: set} }
	method := func(name string, a args, set setter) row {
		return row{name: name, in: InUpstream, args: a, many: true, set: set}
	}
	return []row{
		{name: "server", in: InUpstream, args: argsMore1, many: true, set: setUpstreamServer},
		{name: "zone", in: InUpstream, args: args1 | args2, many: true, set: setZone},
		method("ip_hash", args0, setMethod(func(*Method, *Directive) error { return nil })),
		method("least_conn", args0, setMethod(func(*Method, *Directive) error { return nil })),
		method("hash", args1|args2, setMethod((*Method).hash)),
		method("random", args0|args1|args2, setMethod((*Method).random)),
		method("least_time", args1|args2, setMethod((*Method).leastTime)),
		up("keepalive", args1|args2, setKeepalive),
		up("keepalive_requests", args1, number(func(s *scope) *int { return &s.upstream.Keepalive.Requests })),
		up("keepalive_time", args1, msec(func(s *scope) *time.Duration { return &s.upstream.Keepalive.Time })),
		up("keepalive_timeout", args1, msec(func(s *scope) *time.Duration { return &s.upstream.Keepalive.Timeout })),
		up("resolver", argsMore1, setResolver(func(s *scope) **Resolver { return &s.upstream.Resolver })),
		up("resolver_timeout", args1, msec(func(s *scope) *time.Duration { return &s.upstream.ResolverTimeout })),
		{name: "sticky", in: InUpstream, args: argsMore2, set: setSticky},
		{name: "sticky_key", in: InHTTP, args: args1, many: true, set: setStickyKey},
		{name: "sticky_accept", in: InHTTP | InUpstream, args: args1, set: setStickyAccept},
		up("queue", args1|args2, setQueue),
		up("state", args1, setState),
		{name: "ntlm", in: InUpstream, state: Refused, why: "connections bound to a client's login are not kept apart"},
	}
}
