package config

import (
	"strconv"
	"strings"
	"time"
)

// What health_check means without parameters.
const (
	defaultCheckInterval = 5 * time.Second
	defaultCheckURI      = "/"
)

// setHealthCheck reads a health_check line.
func setHealthCheck(s *scope, d *Directive) error {
	h := HealthCheck{Pos: d.Pos, Interval: defaultCheckInterval, Fails: 1, Passes: 1, URI: defaultCheckURI}
	seen := map[string]bool{}
	for _, p := range d.Args {
		name, _, _ := strings.Cut(p, "=")
		if seen[name] {
			return d.Pos.Errorf(`duplicate parameter "%s"`, p)
		}
		if seen[name] = true; !h.param(p) {
			return d.Pos.Errorf(`invalid parameter "%s"`, p)
		}
	}
	switch {
	case h.Persistent && !h.Mandatory:
		return d.Pos.Errorf(`"persistent" requires "mandatory"`)
	case h.GRPC && (seen["uri"] || seen["match"]):
		return d.Pos.Errorf(`"type=grpc" cannot be used with "uri" or "match"`)
	case !h.GRPC && (seen["grpc_service"] || seen["grpc_status"]):
		return d.Pos.Errorf(`"grpc_service" and "grpc_status" require "type=grpc"`)
	}
	s.location.HealthChecks = append(s.location.HealthChecks, h)
	return nil
}

// param reads one parameter.
func (h *HealthCheck) param(p string) (ok bool) {
	name, v, hasValue := strings.Cut(p, "=")
	if !hasValue {
		switch name {
		case "local":
			h.Local = true
		case "mandatory":
			h.Mandatory = true
		case "persistent":
			h.Persistent = true
		default:
			return false
		}
		return true
	}
	switch name {
	case "interval":
		h.Interval, ok = parseTime(v, false)
		return ok && h.Interval > 0
	case "jitter":
		h.Jitter, ok = parseTime(v, false)
	case "keepalive_time":
		h.KeepaliveTime, ok = parseTime(v, false)
	case "fails":
		h.Fails, ok = parseNumber(v)
		return ok && h.Fails > 0
	case "passes":
		h.Passes, ok = parseNumber(v)
		return ok && h.Passes > 0
	case "port":
		n, valid := parseNumber(v)
		h.Port, ok = uint16(n), valid && n > 0 && n <= 65535
	default:
		return h.question(name, v)
	}
	return ok
}

// question reads a parameter about what is asked.
func (h *HealthCheck) question(name, v string) (ok bool) {
	switch name {
	case "uri":
		h.URI, ok = v, strings.HasPrefix(v, "/") && !strings.ContainsFunc(v, func(c rune) bool { return c <= ' ' || c == 0x7f })
	case "match":
		h.MatchName, ok = v, v != ""
	case "type":
		h.GRPC, ok = v == "grpc", v == "grpc" || v == "http"
	case "grpc_service":
		h.GRPCService, ok = v, true
	case "grpc_status":
		h.GRPCStatus, ok = parseNumber(v)
	}
	return ok
}

// setMatch reads a match block.
func setMatch(s *scope, d *Directive) error {
	m := &Match{Pos: d.Pos, Name: d.Args[0]}
	if s.findMatch(m.Name) != nil {
		return d.Pos.Errorf(`duplicate match "%s"`, m.Name)
	}
	for _, line := range d.Block {
		if line.Open {
			return line.Pos.Errorf(`unexpected "{"`)
		}
		if err := m.line(line); err != nil {
			return err
		}
	}
	s.http.Matches = append(s.http.Matches, m)
	return nil
}

func (b *builder) findMatch(name string) *Match {
	for _, m := range b.cfg.HTTP.Matches {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// line reads one test.
func (m *Match) line(d *Directive) error {
	switch d.Name {
	case "status":
		if m.Status != nil {
			return fail(d, "is duplicate")
		}
		return m.status(d)
	case "header":
		return m.header(d)
	case "body":
		if m.Body != nil {
			return fail(d, "is duplicate")
		}
		return m.body(d)
	case "require":
		return m.require(d)
	}
	return d.Pos.Errorf(`unknown directive "%s"`, d.Name)
}

func (m *Match) status(d *Directive) error {
	m.Status = &MatchStatus{}
	list := d.Args
	if len(list) > 0 && list[0] == "!" {
		m.Status.Not, list = true, list[1:]
	}
	if len(list) == 0 {
		return wrongCount(d)
	}
	for _, word := range list {
		first, last, isRange := strings.Cut(word, "-")
		if !isRange {
			last = first
		}
		r := StatusRange{statusCode(first), statusCode(last)}
		if r.First == 0 || r.Last < r.First {
			return d.Pos.Errorf(`invalid status "%s"`, word)
		}
		m.Status.Ranges = append(m.Status.Ranges, r)
	}
	return nil
}

// statusCode is 0 for what is none.
func statusCode(word string) int {
	n, err := strconv.ParseUint(word, 10, 16)
	if err != nil || n < 100 || n > 999 {
		return 0
	}
	return int(n)
}

func (m *Match) header(d *Directive) error {
	h := MatchHeader{Pos: d.Pos}
	switch a := d.Args; {
	case len(a) == 1:
		h.Name = a[0]
	case len(a) == 2 && a[0] == "!":
		h.Name, h.Op = a[1], MatchAbsent
	case len(a) == 3:
		h.Name = a[0]
		op, ok := exact([]word[MatchOp]{{"=", MatchEqual}, {"!=", MatchNotEqual}, {"~", MatchLike}, {"!~", MatchNotLike}}, a[1])
		if !ok {
			return d.Pos.Errorf(`invalid parameter "%s"`, a[1])
		}
		if h.Op = op; op == MatchLike || op == MatchNotLike {
			h.Regex = &Regex{Pattern: a[2], Pos: d.Pos}
		} else {
			h.Value = a[2]
		}
	default:
		return wrongCount(d)
	}
	if h.Name == "" || h.Name == "!" {
		return d.Pos.Errorf(`invalid header name "%s"`, h.Name)
	}
	m.Headers = append(m.Headers, h)
	return nil
}

func (m *Match) body(d *Directive) error {
	if len(d.Args) != 2 {
		return wrongCount(d)
	}
	if op := d.Args[0]; op != "~" && op != "!~" {
		return d.Pos.Errorf(`invalid parameter "%s"`, op)
	}
	m.Body = &MatchBody{Not: d.Args[0] == "!~", Regex: Regex{Pattern: d.Args[1], Pos: d.Pos}}
	return nil
}

func (m *Match) require(d *Directive) error {
	if len(d.Args) == 0 {
		return wrongCount(d)
	}
	for i, a := range d.Args {
		if _, err := variableName(d, a); err != nil {
			return err
		}
		m.Require = append(m.Require, d.text(i))
	}
	return nil
}

func wrongCount(d *Directive) error {
	return d.Pos.Errorf(`invalid number of arguments in "%s" directive`, d.Name)
}

// checkHealth applies what health_check asks of what is around it.
func (b *builder) checkHealth() error {
	for _, l := range b.locations() {
		for i := range l.HealthChecks {
			if err := b.checkHealthOf(l, &l.HealthChecks[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) checkHealthOf(l *Location, h *HealthCheck) error {
	if h.MatchName != "" {
		if h.Match = b.findMatch(h.MatchName); h.Match == nil {
			return h.Pos.Errorf(`unknown match "%s"`, h.MatchName)
		}
	}
	p := l.Proxy
	if p == nil || p.Vars {
		return h.Pos.Errorf(`"health_check" requires "proxy_pass" or "grpc_pass" without variables in the same location`)
	}
	if h.GRPC && l.Exchanges().HTTPVersion != HTTP20 {
		return h.Pos.Errorf(`"type=grpc" requires "grpc_pass"`)
	}
	u := b.findUpstream(p.Host)
	if u == nil {
		return h.Pos.Errorf(`"health_check" requires an upstream block, "%s" is none`, p.HostHeader)
	}
	if u.Zone == "" {
		return h.Pos.Errorf(`health checks require upstream "%s" to be in shared memory`, u.Name)
	}
	u.CheckFirst = u.CheckFirst || h.Mandatory
	return nil
}
