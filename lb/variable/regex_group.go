package variable

import (
	"errors"
	"strconv"
	"strings"
)

// group translates what begins with an opening parenthesis.
func (t *translator) group() error {
	s := t.src[t.pos:]
	switch {
	case strings.HasPrefix(s, "(*"):
		return unsupported("a backtracking verb")
	case !strings.HasPrefix(s, "(?"):
		t.groups++
		t.openGroup("(", 1)
		return nil
	case strings.HasPrefix(s, "(?#"):
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return errors.New("missing ) after (?# comment")
		}
		t.pos += end + 1
		return nil
	}
	for _, g := range lookarounds {
		if strings.HasPrefix(s, g.opening) {
			t.cannot(g.reason)
			t.openGroup(g.opening, len(g.opening))
			return nil
		}
	}
	for _, g := range namedOpenings {
		if strings.HasPrefix(s, g.opening) {
			return t.namedGroup(len(g.opening), g.end)
		}
	}
	return t.specialGroup(s)
}

var lookarounds = [...]struct{ opening, reason string }{
	{"(?=", "look-ahead"}, {"(?!", "look-ahead"},
	{"(?<=", "look-behind"}, {"(?<!", "look-behind"},
	{"(?>", "atomic group"},
}

var namedOpenings = [...]struct{ opening, end string }{
	{"(?P<", ">"}, {"(?<", ">"}, {"(?'", "'"},
}

// namedGroup opens a capturing group whose name begins behind skip bytes.
func (t *translator) namedGroup(skip int, end string) error {
	name, _, ok := strings.Cut(t.src[t.pos+skip:], end)
	if !ok || name == "" || nameLength(name) != len(name) {
		return errors.New("invalid name of a group")
	}
	for _, g := range t.names {
		if g.name == name {
			return errors.New("two named groups have the same name")
		}
	}
	t.groups++
	t.names = append(t.names, groupName{name, t.groups})
	t.openGroup("(", skip+len(name)+len(end))
	return nil
}

// specialGroup translates conditions, references and flags.
func (t *translator) specialGroup(s string) error {
	switch {
	case strings.HasPrefix(s, "(?:"):
		t.openGroup("(?:", 3)
		return nil
	case strings.HasPrefix(s, "(?("):
		end := strings.IndexByte(s, ')')
		if end < 0 || strings.Trim(s[3:end], "0123456789") != "" {
			return unsupported("this kind of conditional group")
		}
		t.cannot("conditional group")
		t.openGroup(s[:end+1], end+1)
		return nil
	case strings.HasPrefix(s, "(?P="):
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return errors.New("missing closing parenthesis")
		}
		return t.reference(s[4:end], end+1)
	case strings.HasPrefix(s, "(?|"):
		return unsupported("a branch reset group")
	}
	return t.flags(s)
}

// flags translates (?imsx-imsx) and (?imsx-imsx:…). Flags that we handle
// ourselves, or that change nothing, are left out.
func (t *translator) flags(s string) error {
	on, keep, next := true, []byte("(?"), t.now
	for i := 2; i < len(s); i++ {
		switch c := s[i]; c {
		case '-':
			on = false
			keep = append(keep, c)
		case 'i', 's':
			keep = append(keep, c)
		case 'm':
			next.multiline = on
			keep = append(keep, c)
		case 'U':
			if t.slow {
				return unsupported("the flag U together with what needs backtracking")
			}
			keep = append(keep, c)
		case 'x':
			next.extended = on
		case 'J':
		case ')', ':':
			t.applyFlags(strings.TrimSuffix(string(keep), "-"), next, i+1, c == ':')
			return nil
		default:
			return unsupported("a recursive or unknown group (?" + string(c))
		}
	}
	return errors.New("missing closing parenthesis")
}

// applyFlags writes a group of flags of which skip bytes stand in the source.
func (t *translator) applyFlags(written string, next scope, skip int, group bool) {
	if group {
		t.openGroup(written+":", skip)
		next.start = t.now.start
		t.now = next
		return
	}
	t.pos += skip
	if written != "(?" {
		t.out = append(append(t.out, written...), ')')
	}
	t.now = next
	t.atom = -1
}

// reference translates a back-reference by number, relative number or name,
// for which skip bytes stand in the source.
func (t *translator) reference(to string, skip int) error {
	n, err := strconv.Atoi(to)
	switch {
	case err == nil && n < 0:
		n += t.groups + 1
	case err != nil:
		n = 0
		for _, g := range t.names {
			if g.name == to {
				n = g.index
			}
		}
	}
	if n <= 0 {
		return errors.New("reference to a group that does not exist")
	}
	t.cannot("back-reference")
	t.emit(`\k<` + strconv.Itoa(n) + `>`)
	t.pos += skip
	return nil
}
