package variable

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// translation is a PCRE pattern in the words of one of our engines. Names are
// taken out of its groups, since the engines number named groups differently.
type translation struct {
	text   string
	groups int
	names  []groupName
	reason string // what the linear engine cannot do; empty: it can
}

type groupName struct {
	name  string
	index int
}

// translator rewrites a pattern from left to right.
type translator struct {
	src  string
	pos  int
	slow bool // write for the backtracking engine
	utf  bool // (*UTF8): escapes name characters, not bytes
	out  []byte
	translation

	open       []scope // groups not closed yet
	now        scope
	atom       int // where in out the last repeatable item begins; -1: none
	quantified bool
}

// scope is what a group keeps to itself: its flags, and where it begins.
type scope struct {
	start               int
	extended, multiline bool
}

// translate rewrites a PCRE pattern for the linear or the backtracking engine.
func translate(pattern string, slow bool) (*translation, error) {
	t := &translator{src: pattern, slow: slow, atom: -1}
	for verb := range strings.SplitSeq("(*UTF8) (*UTF) (*UCP)", " ") {
		if rest, ok := strings.CutPrefix(t.src, verb); ok {
			t.src, t.utf = rest, true
		}
	}
	for t.pos < len(t.src) {
		if err := t.step(); err != nil {
			return nil, err
		}
	}
	if len(t.open) > 0 {
		return nil, errors.New("missing closing parenthesis")
	}
	t.text = string(t.out)
	return &t.translation, nil
}

// step translates one item.
func (t *translator) step() error {
	c := t.src[t.pos]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.class()
	case '(':
		return t.group()
	case ')':
		return t.closeGroup()
	case '*', '+', '?', '{':
		return t.quantifier()
	case '|':
		t.pos++
		t.out = append(t.out, '|')
		t.atom = -1
		return nil
	case '$':
		t.pos++
		t.dollar()
		return nil
	}
	if t.now.extended && t.skipExtended() {
		return nil
	}
	n := 1
	if c >= utf8.RuneSelf && !t.slow {
		_, n = utf8.DecodeRuneInString(t.src[t.pos:])
	}
	t.emit(t.src[t.pos : t.pos+n])
	t.pos += n
	return nil
}

// emit writes a repeatable item.
func (t *translator) emit(s string) {
	t.atom, t.quantified = len(t.out), false
	t.out = append(t.out, s...)
}

// cannot notes what keeps the pattern from the linear engine.
func (t *translator) cannot(reason string) {
	if t.reason == "" {
		t.reason = reason
	}
}

// dollar writes the end of the subject, before which PCRE allows a newline.
func (t *translator) dollar() {
	if t.now.multiline {
		t.emit("$")
		return
	}
	t.endOrNewline()
}

func (t *translator) endOrNewline() {
	if t.slow {
		t.emit(`(?=\n?\z)`)
		return
	}
	t.emit(`(?:\n?\z)`)
}

// skipExtended passes over white space and comments of (?x).
func (t *translator) skipExtended() bool {
	switch t.src[t.pos] {
	case ' ', '\t', '\n', '\r', '\f', '\v':
		t.pos++
		return true
	case '#':
		end := strings.IndexByte(t.src[t.pos:], '\n')
		if end < 0 {
			t.pos = len(t.src)
		} else {
			t.pos += end + 1
		}
		return true
	}
	return false
}

// quantifier translates *, +, ?, {n,m} with what may follow them.
func (t *translator) quantifier() error {
	n := quantifierLength(t.src[t.pos:])
	if n == 0 { // a brace that counts nothing is itself
		t.emit(`\{`)
		t.pos++
		return nil
	}
	if t.atom < 0 {
		return errors.New("quantifier does not follow a repeatable item")
	}
	if t.quantified {
		t.wrap("(?:")
	}
	t.out = append(t.out, t.src[t.pos:t.pos+n]...)
	t.pos += n
	t.quantified = true
	switch {
	case strings.HasPrefix(t.src[t.pos:], "?"):
		t.pos++
		t.out = append(t.out, '?')
	case strings.HasPrefix(t.src[t.pos:], "+"):
		t.pos++
		t.cannot("possessive quantifier")
		t.wrap("(?>")
		t.quantified = false
	}
	return nil
}

// wrap puts the last item into a group.
func (t *translator) wrap(opening string) {
	item := string(t.out[t.atom:])
	t.out = append(t.out[:t.atom], opening...)
	t.out = append(t.out, item...)
	t.out = append(t.out, ')')
}

// quantifierLength tells how long the quantifier at the head of s is.
func quantifierLength(s string) int {
	if s[0] != '{' {
		return 1
	}
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return 0
	}
	low, high, _ := strings.Cut(s[1:end], ",")
	if low == "" || strings.Trim(low+high, "0123456789") != "" {
		return 0
	}
	return end + 1
}

// closeGroup ends the innermost group, which becomes a repeatable item.
func (t *translator) closeGroup() error {
	if len(t.open) == 0 {
		return errors.New("unmatched closing parenthesis")
	}
	t.pos++
	t.out = append(t.out, ')')
	start := t.now.start
	t.now = t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	t.atom, t.quantified = start, false
	return nil
}

// openGroup begins a group written as opening; skip is its length in the source.
func (t *translator) openGroup(opening string, skip int) {
	t.open = append(t.open, t.now)
	t.now.start = len(t.out)
	t.out = append(t.out, opening...)
	t.pos += skip
	t.atom = -1
}

func unsupported(what string) error { return fmt.Errorf("%s is not supported", what) }
