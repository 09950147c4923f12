package config

import (
	"strings"
)

// logLevels are the levels of error_log, from quiet to loud.
func logLevels() []string {
	return []string{"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}
}

func setErrorLog(s *scope, d *Directive) error {
	e := ErrorLog{Pos: d.Pos, Level: "error"}
	switch target := d.Args[0]; {
	case target == "stderr":
		e.Stderr = true
	case strings.HasPrefix(target, "memory:"):
		return d.Pos.Errorf(`"error_log" with "memory:" is not supported by weir: it has no shared memory a debugger could read`)
	case strings.HasPrefix(target, "syslog:"):
		sys, err := parseSyslog(d, target[len("syslog:"):])
		if err != nil {
			return err
		}
		e.Syslog = sys
	default:
		e.Path = s.prefixPath(target)
	}
	for i, level := range d.Args[1:] {
		switch {
		case i > 0:
			return d.Pos.Errorf(`duplicate log level "%s"`, level)
		case strings.HasPrefix(level, "debug_"):
			// nginx's debug levels of single subsystems; weir has one.
			level = "debug"
		case indexFold(logLevels(), level) < 0:
			return d.Pos.Errorf(`invalid log level "%s"`, level)
		}
		e.Level = level
	}
	list := &s.main.ErrorLogs
	if s.settings != nil {
		list = &s.settings.ErrorLogs
	}
	add(s, d.Name, list, e)
	return nil
}

func syslogFacilities() []string {
	return []string{"kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp",
		"ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
}

func syslogSeverities() []string {
	return []string{"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"}
}

// parseSyslog reads what follows "syslog:", a list of parameters.
func parseSyslog(d *Directive, text string) (*Syslog, error) {
	sys := &Syslog{}
	for _, p := range strings.Split(text, ",") {
		name, v, _ := strings.Cut(p, "=")
		var err error
		switch {
		case p == "nohostname":
			sys.NoHost = true
		case name == "server":
			err = sys.setServer(d, v)
		case name == "facility":
			err = sys.setWord(d, &sys.Facility, name, v, syslogFacilities())
		case name == "severity":
			err = sys.setWord(d, &sys.Severity, name, v, syslogSeverities())
		case name == "tag":
			err = sys.setTag(d, v)
		default:
			err = d.Pos.Errorf(`unknown syslog parameter "%s"`, p)
		}
		if err != nil {
			return nil, err
		}
	}
	if sys.Server == "" {
		return nil, d.Pos.Errorf("no syslog server specified")
	}
	for _, def := range []struct {
		at *string
		v  string
	}{{&sys.Facility, "local7"}, {&sys.Severity, "info"}, {&sys.Tag, "nginx"}} {
		if *def.at == "" {
			*def.at = def.v
		}
	}
	return sys, nil
}

func (sys *Syslog) setServer(d *Directive, v string) error {
	if sys.Server != "" {
		return d.Pos.Errorf(`duplicate syslog "server"`)
	}
	hp, bad := parseHostPort(v, 514, false)
	if bad != "" {
		return d.Pos.Errorf(`%s in syslog server "%s"`, bad, v)
	}
	sys.Server = hp.String()
	return nil
}

func (sys *Syslog) setWord(d *Directive, at *string, name, v string, allowed []string) error {
	if *at != "" {
		return d.Pos.Errorf(`duplicate syslog "%s"`, name)
	}
	i := indexFold(allowed, v)
	if i < 0 {
		return d.Pos.Errorf(`unknown syslog %s "%s"`, name, v)
	}
	*at = allowed[i]
	return nil
}

func (sys *Syslog) setTag(d *Directive, v string) error {
	switch {
	case sys.Tag != "":
		return d.Pos.Errorf(`duplicate syslog "tag"`)
	case v == "":
		return d.Pos.Errorf(`empty syslog "tag"`)
	case len(v) > 32:
		return d.Pos.Errorf(`syslog tag length exceeds 32`)
	case !isWord(v):
		return d.Pos.Errorf(`syslog "tag" only allows alphanumeric characters and underscore`)
	}
	sys.Tag = v
	return nil
}

// isWord reports whether s consists of letters, digits and underscores.
func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
			return false
		}
	}
	return s != ""
}

func setLogFormat(s *scope, d *Directive) error {
	f := &LogFormat{Pos: d.Pos, Name: d.Args[0]}
	for _, old := range s.http.LogFormats {
		if old.Name == f.Name {
			return d.Pos.Errorf(`duplicate "log_format" name "%s"`, f.Name)
		}
	}
	parts := d.Args[1:]
	if kind, ok := strings.CutPrefix(parts[0], "escape="); ok {
		f.Escape, ok = lookup([]word[Escape]{{"default", EscapeDefault}, {"json", EscapeJSON}, {"none", EscapeNone}}, kind)
		if !ok {
			return d.Pos.Errorf(`unknown log format escaping "%s"`, kind)
		}
		parts = parts[1:]
	}
	f.Format = Text{Value: strings.Join(parts, ""), Pos: d.Pos}
	s.http.LogFormats = append(s.http.LogFormats, f)
	return nil
}

func setAccessLog(s *scope, d *Directive) error {
	const off = "access_log off"
	list := &s.settings.AccessLogs
	if d.Args[0] == "off" {
		if len(d.Args) > 1 {
			return d.Pos.Errorf(`invalid parameter "%s"`, d.Args[1])
		}
		add[AccessLog](s, d.Name, list)
		s.seen[off] = true
		*list = nil
		return nil
	}
	a := AccessLog{Pos: d.Pos, Format: "combined"}
	if target, ok := strings.CutPrefix(d.Args[0], "syslog:"); ok {
		sys, err := parseSyslog(d, target)
		if err != nil {
			return err
		}
		a.Syslog = sys
	} else {
		a.Path = d.text(0)
		if !strings.HasPrefix(a.Path.Value, "$") {
			a.Path.Value = s.prefixPath(a.Path.Value)
		}
	}
	if len(d.Args) > 1 {
		if err := a.params(s, d); err != nil {
			return err
		}
	}
	if s.seen[off] {
		return nil
	}
	add(s, d.Name, list, a)
	return nil
}

// params reads the format of an access_log and what follows it.
func (a *AccessLog) params(s *scope, d *Directive) error {
	a.Format = d.Args[1]
	if !s.http.hasFormat(a.Format) {
		return d.Pos.Errorf(`unknown log format "%s"`, a.Format)
	}
	for _, p := range d.Args[2:] {
		name, v, _ := strings.Cut(p, "=")
		ok := true
		switch {
		case name == "buffer":
			if a.Buffer, ok = parseSize(v); !ok || a.Buffer == 0 {
				return d.Pos.Errorf(`invalid buffer size "%s"`, v)
			}
		case name == "flush":
			if a.Flush, ok = parseTime(v, false); !ok || a.Flush == 0 {
				return d.Pos.Errorf(`invalid flush time "%s"`, v)
			}
		case p == "gzip":
			a.Gzip = 1
		case name == "gzip":
			if a.Gzip, ok = parseNumber(v); !ok || a.Gzip < 1 || a.Gzip > 9 {
				return d.Pos.Errorf(`invalid compression level "%s"`, v)
			}
		case name == "if" && v != "":
			a.If = Text{Value: v, Pos: d.Pos}
		default:
			return d.Pos.Errorf(`invalid parameter "%s"`, p)
		}
	}
	return a.complete(d)
}

// complete checks what the parameters of an access_log ask of each other.
func (a *AccessLog) complete(d *Directive) error {
	if a.Flush > 0 && a.Buffer == 0 && a.Gzip == 0 {
		return d.Pos.Errorf(`no buffer is defined for access_log "%s"`, d.Args[0])
	}
	if a.Gzip > 0 && a.Buffer == 0 {
		a.Buffer = 64 << 10
	}
	if a.Buffer == 0 {
		return nil
	}
	if a.Syslog != nil {
		return d.Pos.Errorf(`logs to syslog cannot be buffered`)
	}
	if hasVars(d.Args[0]) {
		return d.Pos.Errorf(`buffered logs cannot have variables in name`)
	}
	return nil
}

func (h *HTTP) hasFormat(name string) bool {
	for _, f := range h.LogFormats {
		if f.Name == name {
			return true
		}
	}
	return false
}
