package variable

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	spaces   = `\t\n\v\f\r ` // PCRE counts the vertical tab among them, Go does not
	vertical = `\n\v\f\r`
	blanks   = `\t `
)

// escapes are the escapes outside of classes that are written in other words;
// the empty ones match nothing and change nothing that weir looks at.
var escapes = map[byte]string{
	's': `[` + spaces + `]`, 'S': `[^` + spaces + `]`,
	'h': `[` + blanks + `]`, 'H': `[^` + blanks + `]`,
	'v': `[` + vertical + `]`, 'V': `[^` + vertical + `]`,
	'R': `(?:\r\n|[` + vertical + `])`, 'N': `[^\n]`,
	'd': `\d`, 'D': `\D`, 'w': `\w`, 'W': `\W`,
	'b': `\b`, 'B': `\B`, 'A': `\A`, 'z': `\z`,
	'K': ``, 'E': ``,
}

// escape translates a backslash outside of a class.
func (t *translator) escape() error {
	s := t.src[t.pos:]
	if len(s) < 2 {
		return errors.New(`\ at end of pattern`)
	}
	c := s[1]
	if text, ok := escapes[c]; ok {
		if text != "" {
			t.emit(text)
		}
		t.pos += 2
		return nil
	}
	switch c {
	case 'Z':
		t.endOrNewline()
		t.pos += 2
		return nil
	case 'G':
		t.cannot(`\G`)
		t.emit(`\G`)
		t.pos += 2
		return nil
	case 'Q':
		t.quoted(s[2:])
		return nil
	case 'p', 'P':
		n := propertyLength(s)
		t.emit(s[:n])
		t.pos += n
		return nil
	}
	if to, n := referenceAt(s, t.groups); n > 0 {
		return t.reference(to, n)
	}
	text, n, err := t.charEscape(s)
	if err != nil {
		return err
	}
	t.emit(text)
	t.pos += n
	return nil
}

// quoted translates the rest of \Q…\E.
func (t *translator) quoted(s string) {
	text, _, ended := strings.Cut(s, `\E`)
	t.pos += 2 + len(text)
	if ended {
		t.pos += 2
	}
	for i := 0; i < len(text); i++ {
		if c := text[i]; isWord(c) || c >= utf8.RuneSelf {
			t.emit(text[i : i+1])
		} else {
			t.emit(`\` + text[i:i+1])
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// propertyLength is the length of \pL or \p{Greek} at the head of s.
func propertyLength(s string) int {
	if len(s) > 2 && s[2] == '{' {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return end + 1
		}
	}
	return min(3, len(s))
}

// referenceAt finds a back-reference at the head of s; n is 0 if there is
// none. From 10 on a number is a reference only if there are that many groups.
func referenceAt(s string, groups int) (to string, n int) {
	if s[1] == 'k' || s[1] == 'g' {
		if len(s) < 3 {
			return "", 0
		}
		for _, pair := range [...]string{"{}", "<>", "''"} {
			if s[2] != pair[0] {
				continue
			}
			if end := strings.IndexByte(s[3:], pair[1]); end >= 0 {
				return s[3 : 3+end], 3 + end + 1
			}
		}
		if s[1] == 'k' {
			return "", 0
		}
		digits := countDigits(strings.TrimPrefix(s[2:], "-"))
		end := len(s) - len(strings.TrimPrefix(s[2:], "-")) + digits
		return s[2:end], end
	}
	digits := countDigits(s[1:])
	if digits == 0 || s[1] == '0' {
		return "", 0
	}
	if v, err := strconv.Atoi(s[1 : 1+digits]); err == nil && (v < 10 || v <= groups) {
		return s[1 : 1+digits], 1 + digits
	}
	return "", 0
}

func countDigits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// charEscape translates an escape that stands for one character; n is its
// length in the source.
func (t *translator) charEscape(s string) (text string, n int, err error) {
	c := s[1]
	switch {
	case strings.IndexByte("nrtfa", c) >= 0:
		return s[:2], 2, nil
	case c == 'e':
		return `\x1b`, 2, nil
	case c == 'c' && len(s) > 2:
		return t.charCode(uint64(upper(s[2])^0x40), 3)
	case c == 'x':
		return t.hexEscape(s)
	case '0' <= c && c <= '7':
		n := 1
		for n < len(s) && n < 4 && '0' <= s[n] && s[n] <= '7' {
			n++
		}
		v, _ := strconv.ParseUint(s[1:n], 8, 16)
		return t.charCode(v, n)
	case c == '_' || c >= utf8.RuneSelf:
		return s[1:2], 2, nil
	case isWord(c):
		return "", 0, fmt.Errorf(`unrecognized character follows \ in %q`, s)
	}
	return s[:2], 2, nil
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 0x20
	}
	return c
}

// hexEscape translates \xhh and \x{hhh}.
func (t *translator) hexEscape(s string) (text string, n int, err error) {
	digits, n := "", 2
	if strings.HasPrefix(s[2:], "{") {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", 0, errors.New(`missing } after \x{`)
		}
		digits, n = s[3:end], end+1
	} else {
		for n < len(s) && n < 4 && strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0 {
			n++
		}
		digits = s[2:n]
	}
	if digits == "" {
		digits = "0"
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || v > utf8.MaxRune || v > 0xff && !t.utf {
		return "", 0, fmt.Errorf(`character code point value in \x{} is too large in %q`, s)
	}
	return t.charCode(v, n)
}

// charCode writes a character by its code. A byte above 0x7f is a character
// only to the engine that works bytewise.
func (t *translator) charCode(v uint64, n int) (string, int, error) {
	if v >= utf8.RuneSelf && !t.utf {
		t.cannot("byte above 0x7f")
	}
	if t.slow {
		return fmt.Sprintf(`\u%04x`, v), n, nil
	}
	return fmt.Sprintf(`\x{%x}`, v), n, nil
}
