package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// setState reads the servers that were written into a state file by changes at
// run time. A file that is not there yet holds none.
func setState(s *scope, d *Directive) error {
	u := s.upstream
	u.State = absolute(s.cfg.Prefix, d.Args[0])
	u.StatePos = d.Pos
	for _, other := range s.http.Upstreams {
		if other.State == u.State {
			return d.Pos.Errorf(`state file "%s" is used by upstream "%s" already`, u.State, other.Name)
		}
	}
	p := &parser{opts: s.opts, base: s.cfg.ConfPrefix}
	list, err := p.parseFile(u.State, d.Pos, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.cfg.Files = append(s.cfg.Files, p.files...)
	c := s.child(d, InUpstream)
	for _, line := range list {
		if line.Name != "server" {
			return fail(line, "is not allowed in a state file")
		}
	}
	return c.walk(list)
}

// checkState applies what a state file asks of the block it belongs to.
func (u *Upstream) checkState() error {
	switch {
	case u.State == "":
		return nil
	case u.Zone == "":
		return u.StatePos.Errorf(`state file requires upstream "%s" to be in shared memory`, u.Name)
	}
	for i := range u.Servers {
		if p := u.Servers[i].Pos; p.File != u.State {
			return p.Errorf(`"server" directive is not allowed in upstream "%s", whose servers are in a state file`, u.Name)
		}
	}
	return nil
}

// AppendServer appends a server line as a state file has it: with what is not
// as it would be without being written.
func AppendServer(b []byte, s *UpstreamServer) []byte {
	b = append(b, "server "+quoted(s.Address)...)
	number := func(name string, v, unwritten int) {
		if v != unwritten {
			b = append(b, " "+name+"="+strconv.Itoa(v)...)
		}
	}
	period := func(name string, v, unwritten time.Duration) {
		if v != unwritten {
			b = append(b, fmt.Sprintf(" %s=%ds", name, int64(v/time.Second))...)
		}
	}
	word := func(name, v string) {
		if v != "" {
			b = append(b, " "+quoted(name+"="+v)...)
		}
	}
	flag := func(name string, v bool) {
		if v {
			b = append(b, " "+name...)
		}
	}
	word("service", s.Service)
	flag("resolve", s.Resolve)
	number("weight", s.Weight, 1)
	number("max_conns", s.MaxConns, 0)
	number("max_fails", s.MaxFails, 1)
	period("fail_timeout", s.FailTimeout, DefaultFailTimeout)
	period("slow_start", s.SlowStart, 0)
	word("route", s.Route)
	flag("backup", s.Backup)
	flag("down", s.Down)
	flag("drain", s.Drain)
	return append(b, ";\n"...)
}

// quoted writes a word so that it is read again as it is.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\r\n;{}\"'\\#$") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
