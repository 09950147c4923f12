package node

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/lb/upstream"
)

// This file turns what an operator wants of a server, in the words of a server
// line, into the change that the nodes agree on.

// edited is an upstream that is to be changed, as this node sees it.
type edited struct {
	conf  *config.Upstream
	edits consensus.Edits
}

// edit returns an upstream to be changed. One without a zone is what its file
// says.
func edit(conf *config.Upstream, s *consensus.State) (*edited, error) {
	if conf.Zone == "" {
		return nil, fmt.Errorf("upstream %q has no zone, so its servers are those of the configuration", conf.Name)
	}
	e := &edited{conf: conf}
	e.edits, _ = s.Upstream(conf.Name)
	return e, nil
}

// serverExistsError says that a server is there that was to be added.
type serverExistsError struct{ upstream, server string }

// Error names both.
func (e *serverExistsError) Error() string {
	return fmt.Sprintf("upstream %q has server %q already", e.upstream, e.server)
}

// noServerError says that there is no server of a name.
type noServerError struct{ upstream, server string }

// Error names both.
func (e *noServerError) Error() string {
	return fmt.Sprintf("upstream %q has no server %q", e.upstream, e.server)
}

// writtenServer translates a server line.
func writtenServer(u *config.UpstreamServer) consensus.Server {
	return consensus.Server{
		Name: u.Address, Service: u.Service, Resolve: u.Resolve, Weight: u.Weight, MaxConns: u.MaxConns, MaxFails: u.MaxFails,
		FailTimeout: u.FailTimeout, SlowStart: u.SlowStart, Route: u.Route, Backup: u.Backup, Down: u.Down, Drain: u.Drain,
	}
}

// serverLine translates a server back into a line, for config.AppendServer.
func serverLine(s *consensus.Server) *config.UpstreamServer {
	return &config.UpstreamServer{
		Address: s.Name, Service: s.Service, Resolve: s.Resolve, Weight: s.Weight, MaxConns: s.MaxConns, MaxFails: s.MaxFails,
		FailTimeout: s.FailTimeout, SlowStart: s.SlowStart, Route: s.Route, Backup: s.Backup, Down: s.Down, Drain: s.Drain,
	}
}

// serverID is the id of a server in an upstream, the same as the balancer's.
func serverID(name string, s *consensus.Server) consensus.ServerID {
	line := upstream.Server{Name: s.Name, Route: s.Route, Question: upstream.Question{Service: s.Service}}
	return consensus.ServerID(line.LineID(name))
}

// add returns the change that adds a server.
func (e *edited) add(words []string) (consensus.Change, error) {
	line, err := e.conf.ParseServer(words)
	if err != nil {
		return nil, err
	}
	if line.IsName() && !discovery.IsHostName(line.Host) {
		return nil, fmt.Errorf("%q is not the name of a host", line.Host)
	}
	if line.IsName() && e.conf.Resolver == nil {
		return nil, fmt.Errorf("no resolver defined to resolve %s in upstream %q", line.Host, e.conf.Name)
	}
	s := writtenServer(&line)
	at := consensus.Target{Upstream: e.conf.Name, ID: serverID(e.conf.Name, &s)}
	if e.has(at.ID, s.Name) {
		return nil, &serverExistsError{e.conf.Name, s.Name}
	}
	return e.owned(&consensus.AddServer{Target: at, Server: s}), nil
}

// has reports whether there is a server of an id that has a name: as in its line,
// or its route. It does not look at all those that were added.
func (e *edited) has(id consensus.ServerID, name string) bool {
	if added, ok := e.added(id); ok && (added.Name == name || added.Route == name) {
		return true
	}
	for i := range e.written() {
		s := writtenServer(&e.conf.Servers[i])
		if _, removed := e.edits.Removed.Get(id); !removed && (s.Name == name || s.Route == name) && serverID(e.conf.Name, &s) == id {
			return true
		}
	}
	return false
}

// owned lets the first server of an upstream whose state file is empty say, too,
// that no such file has anything to say from now on. One that is not empty is
// yet to be taken over.
func (e *edited) owned(c consensus.Change) consensus.Change {
	if e.conf.State == "" || e.edits.Seeded || len(e.conf.Servers) > 0 {
		return c
	}
	return &consensus.Batch{c, &consensus.MarkSeeded{Upstream: e.conf.Name}}
}

// set returns the change of parameters of a server.
func (e *edited) set(name string, words []string) (consensus.Change, error) {
	given, err := e.conf.ParseEdit(words)
	if err != nil {
		return nil, err
	}
	at, err := e.one(name)
	if err != nil {
		return nil, err
	}
	c := &consensus.EditServer{Target: at, Edit: agreedEdit(&given)}
	if added, ok := e.added(at.ID); ok && given.Given["route"] {
		added.Route = given.Server.Route
		c.NewID = serverID(e.conf.Name, &added)
	}
	return c, nil
}

// remove returns the change that takes a server out.
func (e *edited) remove(name string) (consensus.Change, error) {
	at, err := e.one(name)
	if err != nil {
		return nil, err
	}
	return &consensus.RemoveServer{Target: at}, nil
}

// order returns an operator's order about a server, or about one of the
// addresses that a name stands for.
func (e *edited) order(name string, kind consensus.OrderKind, why string) (consensus.Change, error) {
	at, err := e.one(name)
	if err != nil {
		line, bad := e.conf.ParseServer([]string{name})
		if _, fixed := line.Fixed(); bad != nil || !fixed || !e.follows() {
			return nil, err
		}
		at = consensus.Target{Upstream: e.conf.Name, ID: consensus.ServerID(upstream.NewServerID(e.conf.Name, name))}
	}
	return &consensus.GiveOrder{Target: at, Kind: kind, Why: why}, nil
}

// agreedEdit translates a change of parameters.
func agreedEdit(e *config.ServerEdit) (out consensus.Edit) {
	s := e.Server
	take(e, "weight", &out.Weight, &s.Weight)
	take(e, "max_conns", &out.MaxConns, &s.MaxConns)
	take(e, "max_fails", &out.MaxFails, &s.MaxFails)
	take(e, "fail_timeout", &out.FailTimeout, &s.FailTimeout)
	take(e, "slow_start", &out.SlowStart, &s.SlowStart)
	take(e, "route", &out.Route, &s.Route)
	take(e, "backup", &out.Backup, &s.Backup)
	take(e, "down", &out.Down, &s.Down)
	take(e, "drain", &out.Drain, &s.Drain)
	return out
}

// take takes over a parameter that is given.
func take[T any](e *config.ServerEdit, name string, at **T, v *T) {
	if e.Given[name] {
		*at = v
	}
}

// one returns the server of a name.
func (e *edited) one(name string) (consensus.Target, error) {
	found := e.find(name)
	switch len(found) {
	case 0:
		return consensus.Target{}, &noServerError{e.conf.Name, name}
	case 1:
		return found[0], nil
	}
	return consensus.Target{}, fmt.Errorf("upstream %q has %d servers %q: name one by its route", e.conf.Name, len(found), name)
}

// find returns the servers of a name: as in their lines, or their route. Where
// there is none, the port that servers have without one may be said or left out.
func (e *edited) find(name string) []consensus.Target {
	list := e.matching(func(s *consensus.Server) bool { return s.Name == name || s.Route == name })
	if len(list) > 0 {
		return list
	}
	bare, said := strings.CutSuffix(name, ":80")
	with := name + ":80"
	return e.matching(func(s *consensus.Server) bool { return said && s.Name == bare || s.Name == with })
}

// matching returns the servers for which is says so, each once.
func (e *edited) matching(is func(*consensus.Server) bool) (list []consensus.Target) {
	e.each(func(s *consensus.Server, written bool) {
		if !is(s) {
			return
		}
		t := consensus.Target{Upstream: e.conf.Name, ID: serverID(e.conf.Name, s), Written: written}
		if !slices.ContainsFunc(list, func(o consensus.Target) bool { return o.ID == t.ID }) {
			list = append(list, t)
		}
	})
	return list
}

// each calls f with all servers: those of lines that were not removed, then
// those that were added.
func (e *edited) each(f func(s *consensus.Server, written bool)) {
	removed := map[consensus.ServerID]bool{}
	e.edits.Removed.Each(func(id consensus.ServerID, _ consensus.Removal) { removed[id] = true })
	for i := range e.written() {
		if s := writtenServer(&e.conf.Servers[i]); len(removed) == 0 || !removed[serverID(e.conf.Name, &s)] {
			f(&s, true)
		}
	}
	for _, a := range e.edits.Added.All() {
		f(&a.Server, false)
	}
}

// names returns what the servers are called, each name once.
func (e *edited) names() (list []string) {
	said := map[string]bool{}
	e.each(func(s *consensus.Server, _ bool) {
		if !said[s.Name] {
			said[s.Name], list = true, append(list, s.Name)
		}
	})
	return list
}

// written are the lines of the configuration that count.
func (e *edited) written() []config.UpstreamServer {
	if e.conf.State != "" && e.edits.Seeded {
		return nil
	}
	return e.conf.Servers
}

// added returns a server that was added.
func (e *edited) added(id consensus.ServerID) (consensus.Server, bool) {
	a, ok := e.edits.Added.Get(id)
	return a.Server, ok
}

// follows reports whether a server of the upstream is a name that is followed.
func (e *edited) follows() (is bool) {
	is = slices.ContainsFunc(e.written(), func(s config.UpstreamServer) bool { return s.Resolve })
	for _, a := range e.edits.Added.All() {
		line, err := e.conf.ParseServer([]string{a.Server.Name})
		is = is || err == nil && line.IsName()
	}
	return is
}
