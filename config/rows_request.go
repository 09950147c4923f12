package config

import (
	"strings"
	"time"
)

// requestRows are the inherited settings of how requests are read and replies
// are sent.
func requestRows() []row {
	set := func(name string, in Context, a args, set setter) row {
		return row{name: name, in: in, args: a, set: set}
	}
	list := func(name string, set setter) row {
		return row{name: name, in: inHTTPAll, args: argsMore1, many: true, set: set}
	}
	return []row{
		set("client_max_body_size", inHTTPAll, args1, offset(func(s *scope) *int64 { return &s.settings.ClientMaxBodySize })),
		set("client_body_buffer_size", inHTTPAll, args1, size(func(s *scope) *int64 { return &s.settings.ClientBodyBufferSize })),
		set("client_body_timeout", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.ClientBodyTimeout })),
		set("client_body_temp_path", inHTTPAll, args1|args2|args3|args4, tempPath(func(s *scope) *TempPath { return &s.settings.ClientBodyTempPath })),
		without(set("client_body_in_single_buffer", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.ClientBodyInSingleBuffer })),
			Meaningless, "a body that is kept in memory is one piece anyway"),

		set("send_timeout", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.SendTimeout })),
		set("keepalive_timeout", inHTTPAll, args1|args2, setKeepaliveTimeout),
		without(set("keepalive_min_timeout", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.KeepaliveMinTimeout })),
			Meaningless, "a reload closes no idle connection that a client could be about to use"),
		set("keepalive_time", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.KeepaliveTime })),
		set("keepalive_requests", inHTTPAll, args1, number(func(s *scope) *int { return &s.settings.KeepaliveRequests })),
		list("keepalive_disable", oneOf(func(s *scope) *[]string { return &s.settings.KeepaliveDisable }, "none", "msie6", "safari")),
		set("lingering_close", inHTTPAll, args1, enum(func(s *scope) *Lingering { return &s.settings.LingeringClose },
			word[Lingering]{"off", LingeringOff}, word[Lingering]{"on", LingeringOn}, word[Lingering]{"always", LingeringAlways})),
		set("lingering_time", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.LingeringTime })),
		set("lingering_timeout", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.LingeringTimeout })),
		set("reset_timedout_connection", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.ResetTimedoutConnection })),

		set("server_tokens", inHTTPAll, args1, text(func(s *scope) *Text { return &s.settings.ServerTokens })),
		set("server_name_in_redirect", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.ServerNameInRedirect })),
		set("port_in_redirect", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.PortInRedirect })),
		set("absolute_redirect", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.AbsoluteRedirect })),
		set("etag", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.ETag })),
		set("if_modified_since", inHTTPAll, args1, enum(func(s *scope) *ModifiedSince { return &s.settings.IfModifiedSince },
			word[ModifiedSince]{"off", ModifiedSinceOff}, word[ModifiedSince]{"exact", ModifiedSinceExact}, word[ModifiedSince]{"before", ModifiedSinceBefore})),
		set("max_ranges", inHTTPAll, args1, number(func(s *scope) *int { return &s.settings.MaxRanges })),
		set("chunked_transfer_encoding", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.ChunkedTransferEncoding })),
		set("limit_rate", inHTTPAllIf, args1, sizeText(func(s *scope) *Text { return &s.settings.LimitRate })),
		set("limit_rate_after", inHTTPAllIf, args1, sizeText(func(s *scope) *Text { return &s.settings.LimitRateAfter })),
		list("early_hints", texts(func(s *scope) *[]Text { return &s.settings.EarlyHints })),

		set("log_not_found", inHTTPAll, argsFlag, flag(func(s *scope) *bool { return &s.settings.LogNotFound })),
		{name: "log_subrequest", in: inHTTPAll, args: argsFlag, state: Meaningless, why: "there are no subrequests that could be logged"},
		{name: "access_log", in: inHTTPAllIf | InLimitExcept, args: argsMore1, many: true, set: setAccessLog},
		set("resolver", inHTTPAll, argsMore1, setResolver(func(s *scope) **Resolver { return &s.settings.Resolver })),
		set("resolver_timeout", inHTTPAll, args1, msec(func(s *scope) *time.Duration { return &s.settings.ResolverTimeout })),
	}
}

// without marks a row as not in force, and says why.
func without(r row, state State, why string) row {
	r.state, r.why = state, why
	return r
}

func setKeepaliveTimeout(s *scope, d *Directive) error {
	t, ok := parseTime(d.Args[0], false)
	if !ok {
		return fail(d, "invalid value")
	}
	s.settings.KeepaliveTimeout, s.settings.KeepaliveHeader = t, 0
	if len(d.Args) == 2 {
		if s.settings.KeepaliveHeader, ok = parseTime(d.Args[1], true); !ok {
			return fail(d, "invalid value")
		}
	}
	return nil
}

// setResolver reads a resolver directive into where at says.
func setResolver(at func(*scope) **Resolver) setter {
	return func(s *scope, d *Directive) error {
		r := &Resolver{Pos: d.Pos}
		for _, a := range d.Args {
			if err := r.argument(d, a); err != nil {
				return err
			}
		}
		if len(r.Servers) == 0 {
			return d.Pos.Errorf("no name servers defined")
		}
		if r.NoIPv4 && r.NoIPv6 {
			return d.Pos.Errorf(`"ipv4" and "ipv6" cannot both be "off"`)
		}
		*at(s) = r
		return nil
	}
}

func (r *Resolver) argument(d *Directive, a string) error {
	name, v, isParam := strings.Cut(a, "=")
	if !isParam {
		hp, bad := parseHostPort(a, 53, false)
		if bad != "" {
			return d.Pos.Errorf(`%s in resolver "%s"`, bad, a)
		}
		r.Servers = append(r.Servers, hp.String())
		return nil
	}
	ok := true
	switch name {
	case "valid":
		r.Valid, ok = parseTime(v, true)
	case "ipv4":
		r.NoIPv4, ok = v == "off", v == "on" || v == "off"
	case "ipv6":
		r.NoIPv6, ok = v == "off", v == "on" || v == "off"
	case "status_zone":
		r.StatusZone, ok = v, v != ""
	case "nxdomain": // weir's own
		r.KeepNotFound, ok = v == "keep", v == "keep" || v == "remove"
	default:
		ok = false
	}
	if !ok {
		return d.Pos.Errorf(`invalid parameter: %s`, a)
	}
	return nil
}
