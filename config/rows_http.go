package config

import (
	"slices"
	"strings"
	"time"
)

// httpRows are the directives of http and server that are not inherited into
// locations, and the blocks.
func httpRows() []row {
	return []row{
		{name: "server", in: InHTTP, args: args0 | argsBlock, many: true, set: setServer},
		{name: "upstream", in: InHTTP, args: args1 | argsBlock, many: true, set: setUpstream},
		{name: "map", in: InHTTP, args: args2 | argsBlock, many: true, set: setMap},
		{name: "geo", in: InHTTP, args: args1 | args2 | argsBlock, many: true, set: setGeo},
		{name: "split_clients", in: InHTTP, args: args2 | argsBlock, many: true, set: setSplitClients},
		{name: "log_format", in: InHTTP, args: argsMore2, many: true, set: setLogFormat},
		{name: "listen", in: InServer, args: argsMore1, many: true, set: setListen},
		{name: "server_name", in: InServer, args: argsMore1, many: true, set: setServerName},
		{name: "location", in: InServer | InLocation, args: args1 | args2 | argsBlock, many: true, set: setLocation},

		{name: "client_header_timeout", in: inHTTPServer, args: args1, set: msec(func(s *scope) *time.Duration { return &s.shared.ClientHeaderTimeout })},
		{name: "client_header_buffer_size", in: inHTTPServer, args: args1, set: size(func(s *scope) *int64 { return &s.shared.ClientHeaderBufferSize }),
			state: Meaningless, why: "the buffer of a head grows by itself, as far as large_client_header_buffers allows"},
		{name: "large_client_header_buffers", in: inHTTPServer, args: args2, set: buffers(func(s *scope) *Buffers { return &s.shared.LargeHeaderBuffers })},
		{name: "max_headers", in: inHTTPServer, args: args1, set: number(func(s *scope) *int { return &s.shared.MaxHeaders })},
		{name: "ignore_invalid_headers", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.IgnoreInvalidHeaders })},
		{name: "underscores_in_headers", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.UnderscoresInHeaders })},
		{name: "merge_slashes", in: inHTTPServer, args: argsFlag, set: flag(func(s *scope) *bool { return &s.shared.MergeSlashes })},
	}
}

// setServer builds a server once the http block's own settings are complete.
func setServer(s *scope, d *Directive) error {
	s.after = append(s.after, func() error {
		srv := &Server{Pos: d.Pos, Settings: s.http.Settings, ServerSettings: s.http.ServerSettings}
		c := s.child(d, InServer)
		c.server, c.settings, c.shared = srv, &srv.Settings, &srv.ServerSettings
		c.after = append(c.after, func() error { return c.complete(&s.http.Settings) })
		if err := c.walk(d.Block); err != nil {
			return err
		}
		if len(srv.Listens) == 0 {
			srv.Listens = []Listen{defaultListen(s.opts.DefaultPort)}
		}
		if len(srv.Names) == 0 {
			srv.Names = []ServerName{{}}
		}
		s.http.Servers = append(s.http.Servers, srv)
		return nil
	})
	return nil
}

// setServerName reads the names of a server in their five forms.
func setServerName(s *scope, d *Directive) error {
	for _, a := range d.Args {
		if a != "" && (a[0] == '*' && (len(a) < 3 || a[1] != '.') || a == ".") {
			return d.Pos.Errorf(`server name "%s" is invalid`, a)
		}
		if a == "~" {
			return d.Pos.Errorf(`empty regex in server name "%s"`, a)
		}
		if strings.Contains(a, "/") && !strings.HasPrefix(a, "~") {
			s.warn(d.Pos, `server name "`+a+`" has suspicious symbols`, "")
		}
		n := parseServerName(a, s.opts.Hostname)
		n.Pos = d.Pos
		s.server.Names = append(s.server.Names, n)
	}
	return nil
}

func parseServerName(a, hostname string) ServerName {
	switch name := strings.ToLower(a); {
	case strings.HasPrefix(a, "~"):
		return ServerName{Kind: NameRegex, Name: a[1:]}
	case name == "$hostname":
		return ServerName{Name: hostname}
	case strings.HasPrefix(name, "."):
		return ServerName{Kind: NameDot, Name: name}
	case strings.HasPrefix(name, "*."):
		return ServerName{Kind: NameLeading, Name: name}
	case strings.HasSuffix(name, ".*"):
		return ServerName{Kind: NameTrailing, Name: name}
	default:
		return ServerName{Name: name}
	}
}

// valid reports whether a name has an asterisk only where its kind says.
func (n *ServerName) valid() bool {
	if n.Kind == NameRegex {
		return n.Name != ""
	}
	name := n.Name
	switch n.Kind {
	case NameLeading:
		name = name[len("*."):]
	case NameTrailing:
		name = name[:len(name)-len(".*")]
	case NameDot:
		name = name[len("."):]
	}
	return !strings.ContainsAny(name, "*\x00") && !strings.Contains(name, "..") && (name != "" || n.Kind == NameExact)
}

// setLocation builds a location once the enclosing block's own settings are
// complete.
func setLocation(s *scope, d *Directive) error {
	s.after = append(s.after, func() error {
		loc, err := newLocation(s, d)
		if err != nil {
			return err
		}
		list := &s.server.Locations
		if s.location != nil {
			list = &s.location.Locations
		}
		if slices.ContainsFunc(*list, loc.duplicates) {
			return d.Pos.Errorf(`duplicate location "%s"`, loc.Pattern)
		}
		*list = append(*list, loc)
		return buildLocation(s, d, loc, InLocation)
	})
	return nil
}

// buildLocation walks the block of a location, or of an if or limit_except.
func buildLocation(s *scope, d *Directive, loc *Location, in Context) error {
	loc.Settings = *s.settings
	if s.location != nil {
		loc.Internal = s.location.Internal
	}
	c := s.child(d, in)
	c.location, c.settings = loc, &loc.Settings
	// Child blocks copy the settings, so these must be complete before them.
	c.after = append(c.after, func() error { return c.complete(s.settings) })
	return c.walk(d.Block)
}

// complete applies the rules that need all of a block's own settings.
func (s *scope) complete(outer *Settings) error {
	own := s.settings
	own.AddHeaders = inheritList(own.AddHeaderInherit, s.seen["list add_header"], outer.AddHeaders, own.AddHeaders)
	own.AddTrailers = inheritList(own.AddTrailerInherit, s.seen["list add_trailer"], outer.AddTrailers, own.AddTrailers)
	return own.ProxySettings.checkSizes(s.block.Pos)
}

func inheritList(rule ListInherit, declared bool, outer, own []AddHeader) []AddHeader {
	switch {
	case rule == InheritMerge && declared:
		return slices.Concat(outer, own)
	case rule == InheritOff && !declared:
		return nil
	}
	return own
}

// newLocation reads the words of a location and checks its place.
func newLocation(s *scope, d *Directive) (*Location, error) {
	loc := &Location{Pos: d.Pos}
	pattern := d.Args[len(d.Args)-1]
	if len(d.Args) == 2 {
		kind, ok := lookup([]word[MatchKind]{{"=", MatchExact}, {"^~", MatchNoRegex}, {"~", MatchRegex}, {"~*", MatchRegexNoCase}}, d.Args[0])
		if !ok {
			return nil, d.Pos.Errorf(`invalid location modifier "%s"`, d.Args[0])
		}
		loc.Kind, loc.Pattern = kind, pattern
	} else {
		loc.Kind, loc.Pattern = MatchPrefix, pattern
		for _, m := range []word[MatchKind]{{"=", MatchExact}, {"^~", MatchNoRegex}, {"~*", MatchRegexNoCase}, {"~", MatchRegex}} {
			if rest, ok := strings.CutPrefix(pattern, m.name); ok {
				loc.Kind, loc.Pattern = m.value, rest
				break
			}
		}
		if strings.HasPrefix(loc.Pattern, "@") && loc.Kind == MatchPrefix {
			loc.Kind = MatchNamed
		}
	}
	return loc, loc.checkPlace(s.location)
}

// checkPlace refuses a location that could never match inside outer.
func (l *Location) checkPlace(outer *Location) error {
	if outer == nil {
		return nil
	}
	switch {
	case outer.Kind == MatchExact:
		return l.Pos.Errorf(`location "%s" cannot be inside the exact location "%s"`, l.Pattern, outer.Pattern)
	case outer.Kind == MatchNamed:
		return l.Pos.Errorf(`location "%s" cannot be inside the named location "%s"`, l.Pattern, outer.Pattern)
	case l.Kind == MatchNamed:
		return l.Pos.Errorf(`named location "%s" can be on the server level only`, l.Pattern)
	case !l.isRegex() && !strings.HasPrefix(l.Pattern, outer.Pattern):
		return l.Pos.Errorf(`location "%s" is outside location "%s"`, l.Pattern, outer.Pattern)
	}
	return nil
}

func (l *Location) isRegex() bool { return l.Kind == MatchRegex || l.Kind == MatchRegexNoCase }

// isPath reports whether the pattern is a path that requests are compared with.
func (l *Location) isPath() bool {
	return l.Kind == MatchPrefix || l.Kind == MatchExact || l.Kind == MatchNoRegex
}

// duplicates reports whether l and o match the same requests in the same way.
func (l *Location) duplicates(o *Location) bool {
	return l.isPath() && o.isPath() && l.Pattern == o.Pattern && (l.Kind == MatchExact) == (o.Kind == MatchExact)
}
