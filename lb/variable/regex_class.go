package variable

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// class translates a character class.
func (t *translator) class() error {
	start := len(t.out)
	t.out = append(t.out, '[')
	t.pos++
	if t.peek('^') {
		t.out = append(t.out, '^')
		t.pos++
	}
	for first := true; ; first = false {
		if t.pos >= len(t.src) {
			return errors.New("missing terminating ] for character class")
		}
		if t.src[t.pos] == ']' && !first {
			t.pos++
			t.out = append(t.out, ']')
			t.atom, t.quantified = start, false
			return nil
		}
		if err := t.classRange(); err != nil {
			return err
		}
	}
}

func (t *translator) peek(c byte) bool { return t.pos < len(t.src) && t.src[t.pos] == c }

// classRange translates one member of a class, or a range of them. A hyphen
// beside a set such as \d stands for itself.
func (t *translator) classRange() error {
	low, single, err := t.classItem()
	if err != nil {
		return err
	}
	t.out = append(t.out, low...)
	if !t.peek('-') || t.pos+1 >= len(t.src) || t.src[t.pos+1] == ']' {
		return nil
	}
	t.pos++
	if !single {
		t.out = append(t.out, `\-`...)
		return nil
	}
	high, single, err := t.classItem()
	if err != nil {
		return err
	}
	if single {
		t.out = append(t.out, '-')
	} else {
		t.out = append(t.out, `\-`...)
	}
	t.out = append(t.out, high...)
	return nil
}

// classSets are the sets of characters inside of a class.
var classSets = map[byte]string{
	'd': `\d`, 'D': `\D`, 'w': `\w`, 'W': `\W`, 's': spaces, 'S': `\S`, 'h': blanks, 'v': vertical,
}

// classItem reads one member of a class; single tells a character from a set.
func (t *translator) classItem() (text string, single bool, err error) {
	s := t.src[t.pos:]
	switch c := s[0]; {
	case strings.HasPrefix(s, "[:"):
		if end := strings.Index(s, ":]"); end > 0 {
			t.pos += end + 2
			return s[:end+2], false, nil
		}
	case c == '\\':
		return t.classEscape(s)
	case c >= utf8.RuneSelf && !t.slow:
		_, n := utf8.DecodeRuneInString(s)
		t.pos += n
		return s[:n], true, nil
	}
	t.pos++
	if c := s[0]; isWord(c) || c >= utf8.RuneSelf {
		return s[:1], true, nil
	}
	return `\` + s[:1], true, nil
}

// classEscape reads a backslash inside of a class.
func (t *translator) classEscape(s string) (text string, single bool, err error) {
	if len(s) < 2 {
		return "", false, errors.New(`\ at end of pattern`)
	}
	c := s[1]
	if set, ok := classSets[c]; ok {
		t.pos += 2
		return set, false, nil
	}
	switch c {
	case 'b':
		t.pos += 2
		return `\x08`, true, nil
	case 'p', 'P':
		n := propertyLength(s)
		t.pos += n
		return s[:n], false, nil
	}
	text, n, err := t.charEscape(s)
	t.pos += n
	return text, true, err
}
