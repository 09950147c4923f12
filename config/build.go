package config

import (
	"strings"
)

// builder walks the tree of directives and fills the model.
type builder struct {
	opts *Options
	cfg  *Config
	rows map[string][]*row
}

// scope is one block while it is walked. The targets that its directives write
// to are inherited pointers or those of the block itself.
type scope struct {
	*builder
	in     Context
	block  *Directive // nil for main
	parent *scope     // nil for main
	seen   map[string]bool
	after  []func() error // child blocks, built when the block's own settings are complete
	quiet  bool           // inside a block that is not in force: no notes

	main     *Main
	http     *HTTP
	settings *Settings
	shared   *ServerSettings
	server   *Server
	location *Location
	upstream *Upstream
	cluster  *Cluster
}

// child gives the scope of the block d inside s.
func (s *scope) child(d *Directive, in Context) *scope {
	c := *s
	c.in, c.block, c.parent, c.seen, c.after = in, d, s, map[string]bool{}, nil
	return &c
}

// first reports whether key has not been asked about in this block before.
func (s *scope) first(key string) bool {
	if s.seen[key] {
		return false
	}
	s.seen[key] = true
	return true
}

// add appends to a list directive's list. The inherited list is dropped, not
// changed, at the first appearance in a block.
func add[T any](s *scope, key string, list *[]T, v ...T) {
	if s.first("list " + key) {
		*list = nil
	}
	*list = append(*list, v...)
}

// walk applies the directives of a block: first those whose value child blocks
// inherit, then the child blocks.
func (s *scope) walk(list []*Directive) error {
	for _, d := range list {
		r, err := findRow(s.rows, d, s.in)
		if err != nil {
			return err
		}
		if err := s.checkRow(r, d); err != nil {
			return err
		}
		if r.set == nil {
			continue
		}
		if err := r.set(s, d); err != nil {
			return err
		}
	}
	for _, build := range s.after {
		if err := build(); err != nil {
			return err
		}
	}
	return nil
}

// checkRow applies what the row alone decides: whether the directive is refused,
// duplicate, or to be noted as without effect.
func (s *scope) checkRow(r *row, d *Directive) error {
	off := len(d.Args) == 1 && strings.EqualFold(d.Args[0], "off")
	if r.state == Refused && !(off && r.offOK) {
		return d.Pos.Errorf("\"%s\" directive is not supported by weir: %s", d.Name, r.why)
	}
	if !s.first(d.Name) && !r.many {
		return fail(d, "is duplicate")
	}
	if r.args&argsFlag != 0 {
		if _, err := onOff(d); err != nil {
			return err
		}
	}
	switch {
	case s.quiet || off:
	case r.state == Coming:
		s.note(d, d.Name, Coming, "")
	case r.state == Meaningless:
		s.note(d, d.Name, Meaningless, r.why)
	case r.differs != "":
		s.note(d, d.Name, Supported, r.differs)
	}
	return nil
}

// note records that what, a directive or a parameter of one, has no effect, or
// another one than in nginx.
func (s *scope) note(d *Directive, what string, state State, why string) {
	if s.quiet {
		return
	}
	msg := "\"" + what + "\" "
	switch state {
	case Supported:
		msg += "differs from nginx: " + why
	case Meaningless:
		msg += "has no effect: " + why
	default:
		msg += "is not in force yet in this version of weir"
	}
	s.cfg.Notes = append(s.cfg.Notes, Note{Pos: d.Pos, Directive: what, State: state, Msg: msg})
}

// warn records a warning at d.
func (s *scope) warn(at Pos, msg, hint string) {
	s.cfg.Warnings = append(s.cfg.Warnings, Warning{Pos: at, Msg: msg, Hint: hint})
}

// swallow checks the words of a block that is not in force, so that a mistake
// in it shows today and not with the next version.
func swallow(in Context) setter {
	return func(s *scope, d *Directive) error {
		c := s.child(d, in)
		c.quiet = true
		return c.walk(d.Block)
	}
}

// free refuses nested blocks in a block whose lines are no directives.
func free(_ *scope, d *Directive) error {
	for _, line := range d.Block {
		if line.Open {
			return line.Pos.Errorf(`unexpected "{"`)
		}
	}
	return nil
}

// rowIndex gives the rows by name.
func rowIndex() map[string][]*row {
	index := map[string][]*row{}
	for _, table := range [][]row{
		mainRows(), httpRows(), http2Rows(), requestRows(), contentRows(), tlsRows(), proxyRows(), cacheRows(), grpcRows(), upstreamRows(), healthRows(),
		streamRows(), clusterRows(), otherRows(),
	} {
		for i := range table {
			r := &table[i]
			index[r.name] = append(index[r.name], r)
		}
	}
	return index
}
