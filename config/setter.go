package config

import (
	"slices"
	"strings"
	"time"
)

// fail gives the error nginx makes of a setter's complaint about d.
func fail(d *Directive, complaint string) error {
	return d.Pos.Errorf("\"%s\" directive %s", d.Name, complaint)
}

// onOff reads the single argument of a flag.
func onOff(d *Directive) (bool, error) {
	switch strings.ToLower(d.Args[0]) {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, d.Pos.Errorf(`invalid value "%s" in "%s" directive, it must be "on" or "off"`, d.Args[0], d.Name)
}

// hasVars reports whether s holds a variable.
func hasVars(s string) bool { return strings.IndexByte(s, '$') >= 0 }

// text gives argument i of d with its place.
func (d *Directive) text(i int) Text { return Text{Value: d.Args[i], Pos: d.Pos} }

// The setters below take where to write from a function of the scope, so that a
// row is one line.

func flag(at func(*scope) *bool) setter {
	return func(s *scope, d *Directive) error {
		v, err := onOff(d)
		if err == nil {
			*at(s) = v
		}
		return err
	}
}

func number(at func(*scope) *int) setter {
	return func(s *scope, d *Directive) error {
		n, ok := parseNumber(d.Args[0])
		if !ok {
			return fail(d, "invalid number")
		}
		*at(s) = n
		return nil
	}
}

// value makes a setter of a parser whose failure is an "invalid value".
func value[T any](parse func(string) (T, bool), at func(*scope) *T) setter {
	return func(s *scope, d *Directive) error {
		v, ok := parse(d.Args[0])
		if !ok {
			return fail(d, "invalid value")
		}
		*at(s) = v
		return nil
	}
}

func size(at func(*scope) *int64) setter   { return value(parseSize, at) }
func offset(at func(*scope) *int64) setter { return value(parseOffset, at) }

func msec(at func(*scope) *time.Duration) setter {
	return value(func(v string) (time.Duration, bool) { return parseTime(v, false) }, at)
}

func sec(at func(*scope) *time.Duration) setter {
	return value(func(v string) (time.Duration, bool) { return parseTime(v, true) }, at)
}

func str(at func(*scope) *string) setter {
	return func(s *scope, d *Directive) error {
		*at(s) = d.Args[0]
		return nil
	}
}

func text(at func(*scope) *Text) setter {
	return func(s *scope, d *Directive) error {
		*at(s) = d.text(0)
		return nil
	}
}

// sizeText is text that must be a size unless it holds variables.
func sizeText(at func(*scope) *Text) setter {
	return func(s *scope, d *Directive) error {
		if _, ok := parseSize(d.Args[0]); !ok && !hasVars(d.Args[0]) {
			return fail(d, "invalid value")
		}
		*at(s) = d.text(0)
		return nil
	}
}

// texts is a list directive whose arguments may hold variables.
func texts(at func(*scope) *[]Text) setter {
	return func(s *scope, d *Directive) error {
		list := make([]Text, len(d.Args))
		for i := range d.Args {
			list[i] = d.text(i)
		}
		add(s, d.Name, at(s), list...)
		return nil
	}
}

// words is a list directive whose arguments are plain words.
func words(at func(*scope) *[]string) setter {
	return func(s *scope, d *Directive) error {
		add(s, d.Name, at(s), d.Args...)
		return nil
	}
}

// confFile is the name of a certificate, key or the like, and the place to
// remember for errors in it.
func confFile(at func(*scope) (*string, *Pos)) setter {
	return func(s *scope, d *Directive) error {
		name, pos := at(s)
		*pos = d.Pos
		if *name = d.Args[0]; *name != "" {
			*name = s.confPath(d.Args[0])
		}
		return nil
	}
}

// confPath makes a name absolute that is relative to the main file.
func (b *builder) confPath(name string) string { return absolute(b.cfg.ConfPrefix, name) }

// prefixPath makes a name absolute that is relative to the prefix.
func (b *builder) prefixPath(name string) string { return absolute(b.cfg.Prefix, name) }

// confText is confFile for names that may hold variables.
func (s *scope) confText(d *Directive) Text {
	t := d.text(0)
	if t.Value != "" && !hasVars(t.Value) && !strings.HasPrefix(t.Value, "data:") {
		t.Value = s.confPath(t.Value)
	}
	return t
}

func buffers(at func(*scope) *Buffers) setter {
	return func(s *scope, d *Directive) error {
		n, ok := parseNumber(d.Args[0])
		bytes, ok2 := parseSize(d.Args[1])
		if !ok || !ok2 || n == 0 || bytes == 0 {
			return fail(d, "invalid value")
		}
		*at(s) = Buffers{Number: n, Size: bytes}
		return nil
	}
}

// tempPath reads a directory and the lengths of up to three levels of
// subdirectories below it.
func tempPath(at func(*scope) *TempPath) setter {
	return func(s *scope, d *Directive) error {
		t := TempPath{Pos: d.Pos, Path: s.prefixPath(d.Args[0])}
		for i, a := range d.Args[1:] {
			n, ok := parseNumber(a)
			if !ok || n == 0 {
				return fail(d, "invalid value")
			}
			t.Levels[i] = n
		}
		*at(s) = t
		return nil
	}
}

// word is one allowed argument and its meaning.
type word[T any] struct {
	name  string
	value T
}

func lookup[T any](list []word[T], name string) (T, bool) {
	for _, w := range list {
		if strings.EqualFold(w.name, name) {
			return w.value, true
		}
	}
	var zero T
	return zero, false
}

// exact is lookup for words whose case matters.
func exact[T any](list []word[T], name string) (T, bool) {
	v, ok := lookup(list, name)
	return v, ok && name == strings.ToLower(name)
}

func enum[T any](at func(*scope) *T, list ...word[T]) setter {
	return func(s *scope, d *Directive) error {
		v, ok := lookup(list, d.Args[0])
		if !ok {
			return d.Pos.Errorf(`invalid value "%s"`, d.Args[0])
		}
		*at(s) = v
		return nil
	}
}

// set reads a set of words, which may be spread over several directives; a word
// given twice is a warning.
func set[T ~uint16](at func(*scope) *T, list ...word[T]) setter {
	return func(s *scope, d *Directive) error {
		var got T
		if !s.first("list " + d.Name) {
			got = *at(s)
		}
		for _, a := range d.Args {
			v, ok := lookup(list, a)
			if !ok {
				return d.Pos.Errorf(`invalid value "%s"`, a)
			}
			if v != 0 && got&v == v {
				s.warn(d.Pos, `duplicate value "`+a+`"`, "")
			}
			got |= v
		}
		*at(s) = got
		return nil
	}
}

// oneOf is a list directive that allows only the given words.
func oneOf(at func(*scope) *[]string, list ...string) setter {
	return func(s *scope, d *Directive) error {
		got := make([]string, 0, len(d.Args))
		for _, a := range d.Args {
			i := indexFold(list, a)
			if i < 0 {
				return d.Pos.Errorf(`invalid value "%s"`, a)
			}
			if slices.Contains(got, list[i]) {
				s.warn(d.Pos, `duplicate value "`+a+`"`, "")
				continue
			}
			got = append(got, list[i])
		}
		add(s, d.Name, at(s), got...)
		return nil
	}
}

func indexFold(list []string, s string) int {
	for i, w := range list {
		if strings.EqualFold(w, s) {
			return i
		}
	}
	return -1
}

// The checks below are setters of directives without effect: they look at the
// form of the arguments only.

func isNumber(s *scope, d *Directive) error {
	var n int
	return number(func(*scope) *int { return &n })(s, d)
}

func isSize(s *scope, d *Directive) error {
	var n int64
	return size(func(*scope) *int64 { return &n })(s, d)
}

func isTime(s *scope, d *Directive) error {
	var t time.Duration
	return msec(func(*scope) *time.Duration { return &t })(s, d)
}

func isBuffers(s *scope, d *Directive) error {
	var b Buffers
	return buffers(func(*scope) *Buffers { return &b })(s, d)
}
