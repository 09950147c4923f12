package config

import "time"

// mainRows are the directives of the main context and of events.
func mainRows() []row {
	return []row{
		{name: "user", in: InMain, args: args1 | args2, set: setUser},
		{name: "worker_processes", in: InMain, args: args1, set: setWorkers,
			why: "weir is one process; the number is that of the CPUs it uses at a time, and auto is the default"},
		{name: "worker_rlimit_nofile", in: InMain, args: args1, set: setNofile},
		{name: "worker_shutdown_timeout", in: InMain, args: args1, set: msec(func(s *scope) *time.Duration { return &s.main.WorkerShutdown })},
		{name: "pid", in: InMain, args: args1, set: func(s *scope, d *Directive) error {
			s.main.PID = s.prefixPath(d.Args[0])
			return nil
		}},
		{name: "daemon", in: InMain, args: argsFlag, set: flag(func(s *scope) *bool { return &s.main.Daemon }),
			why: "off unless written: weir stays in the foreground"},
		{name: "env", in: InMain, args: args1, many: true, set: setEnv},
		{name: "error_log", in: InMain | inHTTPAll, args: argsMore1, many: true, set: setErrorLog},
		{name: "error_log", in: inStreamAll, args: argsMore1, many: true, state: Coming},
		{name: "events", in: InMain, args: args0 | argsBlock, set: func(s *scope, d *Directive) error {
			return s.child(d, InEvents).walk(d.Block)
		}},
		{name: "http", in: InMain, args: args0 | argsBlock, set: setHTTP},
	}
}

func setUser(s *scope, d *Directive) error {
	s.main.User, s.main.Group, s.main.UserPos = d.Args[0], d.Args[0], d.Pos
	if len(d.Args) == 2 {
		s.main.Group = d.Args[1]
	}
	return nil
}

func setWorkers(s *scope, d *Directive) error {
	if d.Args[0] == "auto" {
		s.main.WorkerProcesses = 0
		return nil
	}
	n, ok := parseNumber(d.Args[0])
	if !ok || n == 0 {
		return fail(d, "invalid value")
	}
	s.main.WorkerProcesses = n
	return nil
}

func setNofile(s *scope, d *Directive) error {
	n, ok := parseNumber(d.Args[0])
	if !ok {
		return fail(d, "invalid number")
	}
	s.main.WorkerRlimitNofile = int64(n)
	return nil
}

func setEnv(s *scope, d *Directive) error {
	e := Env{Name: d.Args[0]}
	for i := range e.Name {
		if e.Name[i] == '=' {
			e.Name, e.Value, e.Set = e.Name[:i], e.Name[i+1:], true
			break
		}
	}
	s.main.Env = append(s.main.Env, e)
	return nil
}

// setHTTP walks the http block. Its default settings are nginx's, but for the
// logs, which the main context may already have set.
func setHTTP(s *scope, d *Directive) error {
	h := &HTTP{Pos: d.Pos, Settings: defaultSettings(s.opts), ServerSettings: defaultServerSettings()}
	h.LogFormats = []*LogFormat{combinedFormat()}
	c := s.child(d, InHTTP)
	c.http, c.settings, c.shared = h, &h.Settings, &h.ServerSettings
	s.after = append(s.after, func() error {
		h.ErrorLogs = s.main.ErrorLogs
		s.cfg.HTTP = h
		return c.walk(d.Block)
	})
	return nil
}
