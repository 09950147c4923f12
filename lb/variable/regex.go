package variable

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"

	"github.com/weir-lb/weir/config"
)

// matchLimit bounds one match on the backtracking engine, whose time may grow
// exponentially with its subject.
const matchLimit = 100 * time.Millisecond

// Capturer is a Source that remembers what the groups of its last match held.
type Capturer interface {
	// SetCaptures takes the groups of a match as pairs of offsets into
	// subject, the whole match first; pairs is void after the call. An
	// expression without groups passes none.
	SetCaptures(subject []byte, pairs []int)
	// MatchFailed tells of a match that was given up; it counts as no match.
	MatchFailed(pattern string, err error)
}

// Regex is a compiled regular expression in PCRE's syntax. It is immutable and
// safe for concurrent use.
type Regex struct {
	conf   config.Regex
	linear *regexp.Regexp
	slow   *backtracker // nil where the linear engine can do it
	reason string
	groups int
	named  []namedGroup
}

type namedGroup struct {
	index int
	set   Setter
}

// CompileRegex compiles an expression of the configuration. Its named groups
// become variables of the table, assigned at each match; t may be nil where
// names are of no interest.
func CompileRegex(t *Table, conf config.Regex) (*Regex, error) {
	tr, err := translate(conf.Pattern, false)
	if err != nil {
		return nil, conf.Pos.Errorf("invalid regular expression %q: %v", conf.Pattern, err)
	}
	x := &Regex{conf: conf, reason: tr.reason, groups: tr.groups}
	if err := x.compile(tr); err != nil {
		return nil, conf.Pos.Errorf("invalid regular expression %q: %v", conf.Pattern, err)
	}
	if t == nil {
		return x, nil
	}
	if x.slow != nil {
		t.slow = append(t.slow, x)
	}
	for _, g := range tr.names {
		v, err := t.AddAssigned(g.name)
		if err != nil {
			return nil, conf.Pos.Errorf("%v", err)
		}
		x.named = append(x.named, namedGroup{g.index, v.Set})
	}
	return x, nil
}

// compile takes the linear engine where it can express the pattern, else the
// backtracking one.
func (x *Regex) compile(tr *translation) error {
	var linearErr error
	if tr.reason == "" {
		src := tr.text
		if x.conf.NoCase {
			src = "(?i)" + src
		}
		if x.linear, linearErr = regexp.Compile(src); linearErr == nil {
			return nil
		}
		x.reason = strings.TrimPrefix(linearErr.Error(), "error parsing regexp: ")
	}
	slow, err := translate(x.conf.Pattern, true)
	if err != nil {
		return err
	}
	x.slow, err = newBacktracker(slow.text, x.conf.NoCase)
	switch {
	case err == nil:
		return nil
	case linearErr != nil:
		return linearErr
	}
	return err
}

// GroupNames lists the named groups of a pattern, for those who must declare
// variables before they compile. A pattern that is not well-formed has none.
func GroupNames(pattern string) []string {
	tr, err := translate(pattern, false)
	if err != nil {
		return nil
	}
	names := make([]string, len(tr.names))
	for i, g := range tr.names {
		names[i] = g.name
	}
	return names
}

// String returns the pattern as it was written.
func (x *Regex) String() string { return x.conf.Pattern }

// Groups is the number of capturing groups.
func (x *Regex) Groups() int { return x.groups }

// Slow tells whether the pattern runs on the backtracking engine, under a time
// limit, and what in it the linear engine cannot do.
func (x *Regex) Slow() (reason string, slow bool) { return x.reason, x.slow != nil }

// Pos is the place of the expression's directive.
func (x *Regex) Pos() config.Pos { return x.conf.Pos }

// Match tells whether the expression matches somewhere in the subject, which
// must live and stay unchanged as long as the source. A match sets the
// source's captures and the variables of named groups; s may be nil. Without
// groups nothing is allocated.
func (x *Regex) Match(s Source, subject []byte) bool {
	c, _ := s.(Capturer)
	if x.slow == nil && x.groups == 0 {
		if !x.linear.Match(subject) {
			return false
		}
		if c != nil {
			c.SetCaptures(subject, nil)
		}
		return true
	}
	pairs, err := x.Find(subject)
	if err != nil && c != nil {
		c.MatchFailed(x.conf.Pattern, err)
	}
	if pairs == nil {
		return false
	}
	if c != nil {
		c.SetCaptures(subject, pairs)
	}
	if s != nil {
		x.assign(s, subject, pairs)
	}
	return true
}

// Find returns the first match and its groups as pairs of offsets, -1 where a
// group took no part; nil without a match. Unlike PCRE's, the match as a whole
// takes in the newline that `$` allows at the end, and what stands before \K.
// An error tells of a match that was given up.
func (x *Regex) Find(subject []byte) ([]int, error) {
	if x.slow != nil {
		return x.slow.find(subject)
	}
	return x.linear.FindSubmatchIndex(subject), nil
}

// assign gives the named groups their values; one that took no part is empty.
func (x *Regex) assign(s Source, subject []byte, pairs []int) {
	for _, g := range x.named {
		from, to := pairs[2*g.index], pairs[2*g.index+1]
		if from < 0 {
			from, to = 0, 0
		}
		g.set(s, subject[from:to:to])
	}
}

// backtracker is the engine for what a linear one cannot express. It works on
// runes; each byte of pattern and subject stands for one, so that offsets are
// those of the bytes and matching is bytewise as in PCRE.
type backtracker struct {
	engine *regexp2.Regexp
	runes  sync.Pool
}

func newBacktracker(pattern string, noCase bool) (*backtracker, error) {
	options := regexp2.RegexOptions(regexp2.RE2)
	if noCase {
		options |= regexp2.IgnoreCase
	}
	engine, err := regexp2.Compile(string(bytesAsRunes(nil, []byte(pattern))), options)
	if err != nil {
		return nil, err
	}
	engine.MatchTimeout = matchLimit
	return &backtracker{engine: engine}, nil
}

func bytesAsRunes(dst []rune, b []byte) []rune {
	for _, c := range b {
		dst = append(dst, rune(c))
	}
	return dst
}

func (b *backtracker) find(subject []byte) ([]int, error) {
	buf, _ := b.runes.Get().(*[]rune)
	if buf == nil {
		buf = new([]rune)
	}
	defer b.runes.Put(buf)
	*buf = bytesAsRunes((*buf)[:0], subject)
	m, err := b.engine.FindRunesMatch(*buf)
	if err != nil || m == nil {
		return nil, err
	}
	pairs := make([]int, 0, 2*m.GroupCount())
	for _, g := range m.Groups() {
		if len(g.Captures) == 0 {
			pairs = append(pairs, -1, -1)
			continue
		}
		pairs = append(pairs, g.Index, g.Index+g.Length)
	}
	return pairs, nil
}
