package variable

import (
	"fmt"
	"strings"

	"github.com/weir-lb/weir/config"
)

// Text is a compiled text: literal parts and variables in their order. The
// zero Text and a nil *Text are the empty text. A Text is immutable and safe
// for concurrent use with different sources.
type Text struct {
	raw     string
	literal []byte // all of it, where there is no variable
	parts   []part
}

type part struct {
	literal []byte
	get     Getter // nil: literal
}

// Names is where a text's variables are looked up: a Table, or what stands
// before one.
type Names interface {
	Lookup(name string) (*Variable, error)
}

// Compile resolves the variables of a text, written `$name` or `${name}`. The
// error is nginx's: `unknown "x" variable`, `invalid variable name in "…"`.
func Compile(t Names, raw string) (*Text, error) {
	x := &Text{raw: raw}
	rest := raw
	for rest != "" {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			x.parts = append(x.parts, part{literal: []byte(rest)})
			break
		}
		if i > 0 {
			x.parts = append(x.parts, part{literal: []byte(rest[:i])})
		}
		name, after, err := cutName(rest[i+1:])
		if err != nil {
			return nil, err
		}
		v, err := t.Lookup(name)
		if err != nil {
			return nil, err
		}
		x.parts = append(x.parts, part{get: v.Get})
		rest = after
	}
	if len(x.parts) == 1 && x.parts[0].get == nil {
		x.literal = x.parts[0].literal
		x.parts = nil
	}
	return x, nil
}

// CompileConfig is Compile for a text of the configuration; its error tells
// the place.
func CompileConfig(t Names, x config.Text) (*Text, error) {
	text, err := Compile(t, x.Value)
	if err != nil {
		return nil, x.Pos.Errorf("%v", err)
	}
	return text, nil
}

// cutName splits the variable's name off a text that followed a dollar sign.
func cutName(s string) (name, rest string, err error) {
	if strings.HasPrefix(s, "{") {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", "", fmt.Errorf("the closing bracket in %q variable is missing", s[1:])
		}
		name, rest = s[1:end], s[end+1:]
	} else {
		n := nameLength(s)
		name, rest = s[:n], s[n:]
	}
	if name == "" || nameLength(name) != len(name) {
		return "", "", fmt.Errorf("invalid variable name in %q", "$"+s)
	}
	return name, rest, nil
}

// nameLength tells how much of s is a variable's name. A digit at its head
// stands alone: $1, $2 are captures, so that "$10" is $1 and a zero.
func nameLength(s string) int {
	if s != "" && s[0] >= '1' && s[0] <= '9' {
		return 1
	}
	n := 0
	for n < len(s) && (s[n] == '_' || '0' <= s[n] && s[n] <= '9' || 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z') {
		n++
	}
	return n
}

// String returns the text as it was written.
func (x *Text) String() string {
	if x == nil {
		return ""
	}
	return x.raw
}

// Static tells whether the text has no variable, and what it is then.
func (x *Text) Static() ([]byte, bool) {
	if x == nil {
		return nil, true
	}
	return x.literal, len(x.parts) == 0
}

// Append writes the text's value behind dst, which must not be memory taken
// from the source's arena.
func (x *Text) Append(dst []byte, s Source) []byte {
	if x == nil {
		return dst
	}
	if len(x.parts) == 0 {
		return append(dst, x.literal...)
	}
	for i := range x.parts {
		p := &x.parts[i]
		if p.get == nil {
			dst = append(dst, p.literal...)
			continue
		}
		v, _ := p.get(s)
		dst = append(dst, v...)
	}
	return dst
}

// Escape writes a variable's value behind dst in another spelling; found is
// false where the variable has no value.
type Escape func(dst, value []byte, found bool) []byte

// AppendEscaped is Append with every variable's value written by escape;
// literal parts stay as they are.
func (x *Text) AppendEscaped(dst []byte, s Source, escape Escape) []byte {
	if x == nil {
		return dst
	}
	if len(x.parts) == 0 {
		return append(dst, x.literal...)
	}
	for i := range x.parts {
		p := &x.parts[i]
		if p.get == nil {
			dst = append(dst, p.literal...)
			continue
		}
		v, found := p.get(s)
		dst = escape(dst, v, found)
	}
	return dst
}

// Value returns the text's value as a view that lives as long as the source.
func (x *Text) Value(s Source) []byte {
	if x == nil {
		return nil
	}
	switch len(x.parts) {
	case 0:
		return x.literal
	case 1:
		v, _ := x.parts[0].get(s)
		return v
	}
	// Two passes: all values first, since getters write into the same arena.
	var few [16][]byte
	values, total := few[:0], 0
	for i := range x.parts {
		v := x.parts[i].literal
		if get := x.parts[i].get; get != nil {
			v, _ = get(s)
		}
		values = append(values, v)
		total += len(v)
	}
	out := s.Arena().Bytes(total)
	at := 0
	for _, v := range values {
		at += copy(out[at:], v)
	}
	return out
}

// True applies the rule by which conditions are judged everywhere: empty and
// exactly "0" are false.
func True(value []byte) bool {
	return len(value) > 1 || len(value) == 1 && value[0] != '0'
}
