package config

import (
	"strings"
	"time"
)

// setSticky reads how the clients of an upstream are tied to its servers.
func setSticky(s *scope, d *Directive) error {
	t := Sticky{Pos: d.Pos}
	var err error
	switch d.Args[0] {
	case "cookie":
		t.Kind = StickyCookieKind
		err = t.Cookie.read(d)
	case "route":
		t.Kind = StickyRouteKind
		for i, a := range d.Args[1:] {
			if !strings.HasPrefix(a, "$") {
				return d.Pos.Errorf(`invalid variable name "%s"`, a)
			}
			t.Lookup = append(t.Lookup, d.text(1+i))
		}
	case "learn":
		t.Kind = StickyLearnKind
		err = t.learn(s, d)
	default:
		return d.Pos.Errorf(`unknown parameter "%s"`, d.Args[0])
	}
	s.upstream.Sticky = t
	return err
}

// read reads the words of sticky cookie.
func (c *StickyCookie) read(d *Directive) error {
	if c.Name = d.Args[1]; c.Name == "" {
		return fail(d, "empty cookie name")
	}
	seen := map[string]bool{}
	for _, word := range d.Args[2:] {
		name, value, valued := strings.Cut(word, "=")
		if known := c.takes(name, valued); !known {
			return d.Pos.Errorf(`unknown parameter "%s"`, word)
		}
		if seen[name] {
			return fail(d, `parameter "`+name+`" is duplicate`)
		}
		seen[name] = true
		if complaint := c.set(d, name, value); complaint != "" {
			return fail(d, complaint)
		}
	}
	return nil
}

func (*StickyCookie) takes(name string, valued bool) bool {
	switch name {
	case "domain", "path", "expires", "samesite":
		return valued
	case "httponly", "secure":
		return !valued
	}
	return false
}

// set sets one parameter; it returns what is wrong with it.
func (c *StickyCookie) set(d *Directive, name, value string) string {
	text := Text{Value: value, Pos: d.Pos}
	switch name {
	case "domain":
		c.Domain = text
	case "path":
		c.Path = value
	case "expires":
		return c.setExpires(value)
	case "samesite":
		if !hasVars(value) && !isSameSite(value) {
			return `invalid "samesite" parameter value`
		}
		c.SameSite = text
	case "httponly":
		c.HTTPOnly = true
	case "secure":
		c.Secure = true
	}
	if value == "" && (name == "domain" || name == "path") {
		return `no value for "` + name + `"`
	}
	return ""
}

func (c *StickyCookie) setExpires(value string) string {
	c.Lasts = true
	if value == "max" {
		c.Forever = true
		return ""
	}
	var ok bool
	if c.Expires, ok = parseTime(value, true); !ok {
		return `invalid "expires" parameter value`
	}
	return ""
}

func isSameSite(value string) bool {
	switch strings.ToLower(value) {
	case "strict", "lax", "none":
		return true
	}
	return false
}

// learn reads the words of sticky learn.
func (t *Sticky) learn(s *scope, d *Directive) error {
	l := &t.Learn
	for _, word := range d.Args[1:] {
		name, value, _ := strings.Cut(word, "=")
		var complaint string
		switch {
		case name == "zone":
			complaint = l.setZone(value)
		case name == "timeout":
			complaint = l.setTimeout(value)
		case (name == "create" || name == "lookup") && !strings.HasPrefix(value, "$"):
			complaint = `missing variable in the "` + name + `" parameter`
		case name == "create":
			l.Create = append(l.Create, Text{Value: value, Pos: d.Pos})
		case name == "lookup":
			t.Lookup = append(t.Lookup, Text{Value: value, Pos: d.Pos})
		case word == "header":
			l.AfterHeader = true
		case word == "sync":
			l.Sync = true
		default:
			return d.Pos.Errorf(`unknown parameter "%s"`, word)
		}
		if complaint != "" {
			return fail(d, complaint)
		}
	}
	switch {
	case t.Lookup == nil:
		return fail(d, `"lookup" parameter is not specified`)
	case l.Create == nil:
		return fail(d, `"create" parameter is not specified`)
	case l.Zone == "":
		return fail(d, `"zone" parameter is not specified`)
	case l.Timeout == 0:
		l.Timeout = 10 * time.Minute
	}
	for _, u := range s.http.Upstreams {
		if u.Sticky.Learn.Zone == l.Zone {
			return d.Pos.Errorf(`sticky zone "%s" is already used in upstream "%s"`, l.Zone, u.Name)
		}
	}
	return nil
}

func (l *StickyLearn) setZone(value string) string {
	name, size, sized := strings.Cut(value, ":")
	n, ok := parseSize(size)
	switch {
	case l.Zone != "":
		return "duplicate zone"
	case !sized:
		return "zone size is not specified"
	case name == "":
		return "zone name is not specified"
	case !ok:
		return "invalid zone size"
	case n < 8*pageSize:
		return "zone is too small"
	}
	l.Zone, l.Size = name, n
	return ""
}

func (l *StickyLearn) setTimeout(value string) string {
	if l.Timeout != 0 {
		return "duplicate timeout"
	}
	var ok bool
	if l.Timeout, ok = parseTime(value, false); !ok || l.Timeout == 0 {
		return "invalid timeout"
	}
	return ""
}

// setStickyKey reads the name of a file that holds a sticky key.
func setStickyKey(s *scope, d *Directive) error {
	if d.Args[0] == "" {
		return fail(d, "invalid value")
	}
	s.http.StickyKeys = append(s.http.StickyKeys, StickyKey{Pos: d.Pos, File: s.confPath(d.Args[0])})
	return nil
}

// setStickyAccept reads whose ids are followed besides weir's own.
func setStickyAccept(s *scope, d *Directive) error {
	mode, ok := exact([]word[FlagMode]{{"nginx", FlagOn}, {"off", FlagOff}}, d.Args[0])
	if !ok {
		return fail(d, "invalid value")
	}
	if s.upstream != nil {
		s.upstream.StickyAcceptNginx = mode
	} else {
		s.http.StickyAcceptNginx = mode
	}
	return nil
}
