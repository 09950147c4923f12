package config

import (
	"strings"
	"time"
)

// contentRows are the directives that say what becomes of a request: files,
// redirects, access, headers.
func contentRows() []row {
	return []row{
		{name: "root", in: inHTTPAllIf, args: args1, set: setRoot},
		{name: "alias", in: InLocation, args: args1, set: setAlias},
		{name: "index", in: inHTTPAll, args: argsMore1, many: true, set: setIndex},
		{name: "default_type", in: inHTTPAll, args: args1, set: str(func(s *scope) *string { return &s.settings.DefaultType })},
		{name: "types", in: inHTTPAll, args: args0 | argsBlock, many: true, set: setTypes},
		{name: "try_files", in: InServer | InLocation, args: argsMore2, set: setTryFiles},
		{name: "internal", in: InLocation, args: args0, set: func(s *scope, _ *Directive) error {
			s.location.Internal = true
			return nil
		}},
		{name: "stub_status", in: InLocation, args: args0 | args1, set: func(s *scope, _ *Directive) error {
			s.location.Proxy, s.location.StubStatus, s.location.Pending = nil, true, ""
			return nil
		}},
		{name: "stub_status", in: InServer, state: Refused, why: "outside of a location it would answer every request of the server"},
		{name: "error_page", in: inHTTPAllIf, args: argsMore2, many: true, set: setErrorPage},
		{name: "recursive_error_pages", in: inHTTPAll, args: argsFlag, set: flag(func(s *scope) *bool { return &s.settings.RecursiveErrorPages })},
		{name: "limit_except", in: InLocation, args: argsMore1 | argsBlock, set: setLimitExcept},

		{name: "allow", in: inHTTPAll | InLimitExcept, args: args1, many: true, set: setAccess},
		{name: "deny", in: inHTTPAll | InLimitExcept, args: args1, many: true, set: setAccess},
		{name: "satisfy", in: inHTTPAll, args: args1, set: enum(func(s *scope) *bool { return &s.settings.SatisfyAny },
			word[bool]{"all", false}, word[bool]{"any", true})},
		{name: "set_real_ip_from", in: inHTTPAll, args: args1, many: true, set: setRealIPFrom},
		{name: "real_ip_header", in: inHTTPAll, args: args1, set: str(func(s *scope) *string { return &s.settings.RealIP.Header })},
		{name: "real_ip_recursive", in: inHTTPAll, args: argsFlag, set: flag(func(s *scope) *bool { return &s.settings.RealIP.Recursive })},

		{name: "add_header", in: inHTTPAllIf, args: args2 | args3, many: true, set: setAddHeader(func(s *scope) *[]AddHeader { return &s.settings.AddHeaders })},
		{name: "add_trailer", in: inHTTPAllIf, args: args2 | args3, many: true, set: setAddHeader(func(s *scope) *[]AddHeader { return &s.settings.AddTrailers })},
		{name: "add_header_inherit", in: inHTTPAllIf, args: args1, set: setListInherit(func(s *scope) *ListInherit { return &s.settings.AddHeaderInherit })},
		{name: "add_trailer_inherit", in: inHTTPAllIf, args: args1, set: setListInherit(func(s *scope) *ListInherit { return &s.settings.AddTrailerInherit })},
		{name: "expires", in: inHTTPAllIf, args: args1 | args2, set: setExpires},

		{name: "return", in: inRewrite, args: args1 | args2, many: true, set: setReturn},
		{name: "rewrite", in: inRewrite, args: args2 | args3, many: true, set: setRewrite},
		{name: "set", in: inRewrite, args: args2, many: true, set: setSet},
		{name: "break", in: inRewrite, args: args0, many: true, set: setBreak},
		{name: "if", in: InServer | InLocation, args: argsMore1 | argsBlock, many: true, set: setIf},
	}
}

func setRoot(s *scope, d *Directive) error {
	if s.seen["alias"] {
		return fail(d, `is duplicate, "alias" directive was specified earlier`)
	}
	s.settings.Root = Root{Path: s.pathText(d)}
	return nil
}

func setAlias(s *scope, d *Directive) error {
	if s.seen["root"] {
		return fail(d, `is duplicate, "root" directive was specified earlier`)
	}
	if s.location.Kind == MatchNamed {
		return d.Pos.Errorf(`the "alias" directive cannot be used inside the named location`)
	}
	r := Root{Path: s.pathText(d), Alias: true}
	if s.location.isPath() {
		r.Prefix = s.location.Pattern
	}
	s.settings.Root = r
	return nil
}

// pathText gives the argument as a file name that may begin with a variable. A
// final slash matters to an alias, so it is kept.
func (s *scope) pathText(d *Directive) Text {
	t := d.text(0)
	if !strings.HasPrefix(t.Value, "/") && !strings.HasPrefix(t.Value, "$") {
		t.Value = s.cfg.Prefix + t.Value
	}
	return t
}

// setIndex reads file names; only the last may be absolute.
func setIndex(s *scope, d *Directive) error {
	for i, a := range d.Args {
		if a == "" {
			return d.Pos.Errorf(`index "%s" in "index" directive is invalid`, a)
		}
		if strings.HasPrefix(a, "/") && i < len(d.Args)-1 {
			s.warn(d.Pos, "only the last index in \"index\" directive should be absolute", "")
		}
		add(s, d.Name, &s.settings.Index, d.text(i))
	}
	return nil
}

// setTypes reads a types block: each line is a media type and its extensions.
func setTypes(s *scope, d *Directive) error {
	if s.first("list types") {
		s.settings.Types = map[string]string{}
	}
	for _, line := range d.Block {
		if line.Open {
			return line.Pos.Errorf(`unexpected "{"`)
		}
		for _, ext := range line.Args {
			ext = strings.ToLower(ext)
			if old, ok := s.settings.Types[ext]; ok {
				s.warn(line.Pos, `duplicate extension "`+ext+`", content type: "`+line.Name+`", previous content type: "`+old+`"`, "")
			}
			s.settings.Types[ext] = line.Name
		}
	}
	return nil
}

func setTryFiles(s *scope, d *Directive) error {
	t := &TryFiles{Pos: d.Pos}
	for i := range d.Args[:len(d.Args)-1] {
		t.Files = append(t.Files, d.text(i))
	}
	t.Last = d.text(len(d.Args) - 1)
	if code, ok := strings.CutPrefix(t.Last.Value, "="); ok {
		n, ok := parseNumber(code)
		if !ok || n > 999 {
			return d.Pos.Errorf(`invalid code "=%s"`, code)
		}
		t.Code, t.Last = n, Text{}
	}
	if s.location != nil {
		s.location.TryFiles = t
	} else {
		s.server.TryFiles = t
	}
	return nil
}

// setErrorPage reads "code... [=[response]] page" into one entry a code.
func setErrorPage(s *scope, d *Directive) error {
	last := len(d.Args) - 1
	codes, response := d.Args[:last], 0
	if eq, ok := strings.CutPrefix(d.Args[last-1], "="); ok {
		codes, response = d.Args[:last-1], -1
		if len(codes) == 0 {
			return d.Pos.Errorf(`invalid value "%s"`, d.Args[0])
		}
		if eq != "" {
			if response, ok = parseNumber(eq); !ok {
				return d.Pos.Errorf(`invalid value "=%s"`, eq)
			}
		}
	}
	for _, c := range codes {
		code, ok := parseNumber(c)
		if !ok || code == 499 {
			return d.Pos.Errorf(`invalid value "%s"`, c)
		}
		if code < 300 || code > 599 {
			return d.Pos.Errorf(`value "%s" must be between 300 and 599`, c)
		}
		e := ErrorPage{Pos: d.Pos, Code: code, Response: response, Page: d.text(last)}
		if response == 0 && code >= 494 && code <= 497 {
			// nginx's own codes for bad requests: clients get to see 400.
			e.Response = 400
		}
		add(s, d.Name, &s.settings.ErrorPages, e)
	}
	return nil
}

func setAddHeader(at func(*scope) *[]AddHeader) setter {
	return func(s *scope, d *Directive) error {
		h := AddHeader{Pos: d.Pos, Name: d.Args[0], Value: d.text(1)}
		if len(d.Args) == 3 {
			if d.Args[2] != "always" {
				return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[2])
			}
			h.Always = true
		}
		add(s, d.Name, at(s), h)
		return nil
	}
}

func setListInherit(at func(*scope) *ListInherit) setter {
	return enum(at, word[ListInherit]{"on", InheritOn}, word[ListInherit]{"off", InheritOff}, word[ListInherit]{"merge", InheritMerge})
}

// setExpires reads "[modified] time", "@time", "epoch", "max", "off" or text
// with variables that gives one of these.
func setExpires(s *scope, d *Directive) error {
	v := d.Args[len(d.Args)-1]
	modified := len(d.Args) == 2
	if modified && d.Args[0] != "modified" {
		return fail(d, "invalid value")
	}
	if hasVars(v) {
		s.settings.Expires = Expires{Kind: ExpiresText, Value: d.text(len(d.Args) - 1), Modified: modified}
		return nil
	}
	e, ok := ParseExpires(v, modified)
	if !ok {
		return fail(d, "invalid value")
	}
	if e.Kind == ExpiresDaily && e.Time >= day {
		return fail(d, "daily time value must be less than 24 hours")
	}
	s.settings.Expires = e
	return nil
}

// ParseExpires reads the value of expires as it stands in the file or as text
// with variables gives it; modified says that the time counts from the last
// modification.
func ParseExpires(v string, modified bool) (Expires, bool) {
	if !modified {
		if kind, ok := lookup([]word[ExpiresKind]{{"epoch", ExpiresEpoch}, {"max", ExpiresMax}, {"off", ExpiresOff}}, v); ok {
			return Expires{Kind: kind}, true
		}
	}
	e := Expires{Kind: ExpiresAccess}
	sign := time.Duration(1)
	switch {
	case modified:
		e.Kind = ExpiresModified
	case strings.HasPrefix(v, "@"):
		e.Kind, v = ExpiresDaily, v[1:]
	}
	if rest, ok := strings.CutPrefix(v, "-"); ok && e.Kind != ExpiresDaily {
		v, sign = rest, -1
	} else if rest, ok := strings.CutPrefix(v, "+"); ok {
		v = rest
	}
	t, ok := parseTime(v, true)
	e.Time = sign * t
	return e, ok
}
