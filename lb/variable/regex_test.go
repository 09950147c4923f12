package variable

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
)

// source is a Source of tests.
type source struct {
	arena    Arena
	memos    [64]Memo
	subject  []byte
	pairs    []int
	failures int
}

func (s *source) Arena() *Arena       { return &s.arena }
func (s *source) Memo(slot int) *Memo { return &s.memos[slot] }

func (s *source) SetCaptures(subject []byte, pairs []int) {
	s.subject, s.pairs = subject, append(s.pairs[:0], pairs...)
}

func (s *source) MatchFailed(string, error) { s.failures++ }

func regex(t testing.TB, table *Table, pattern string, noCase bool) *Regex {
	t.Helper()
	x, err := CompileRegex(table, config.Regex{Pattern: pattern, NoCase: noCase})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// describe writes a match in the manner of testdata/regex.txt.
func describe(subject []byte, pairs []int) string {
	if pairs == nil {
		return "-"
	}
	var b strings.Builder
	b.WriteByte('+')
	for i := 2; i < len(pairs); i += 2 {
		if pairs[i] < 0 {
			b.WriteString(" [-]")
			continue
		}
		b.WriteString(" [")
		for _, c := range subject[pairs[i]:pairs[i+1]] {
			switch {
			case strings.IndexByte("\n\r\t\v", c) >= 0:
				b.WriteString(strings.Trim(strconv.QuoteRune(rune(c)), "'"))
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, `\x%02x`, c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte(']')
	}
	return b.String()
}

func TestRegexFindsWhatPCREFinds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/regex.txt")
	if err != nil {
		t.Fatal(err)
	}
	section, cases := "", 0
	var x *Regex
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section = name
			continue
		}
		if line == "" || strings.HasPrefix(line, "# ") || section == "" {
			continue
		}
		quoted, isSubject := strings.CutPrefix(line, "    ")
		if !isSubject {
			x = regex(t, nil, line, false)
			if reason, slow := x.Slow(); slow != (section == "backtracking") {
				t.Errorf("%s: backtracking %t (%s)", line, slow, reason)
			}
			continue
		}
		literal, err := strconv.QuotedPrefix(quoted)
		if err != nil {
			t.Fatal(line, err)
		}
		subject, err := strconv.Unquote(literal)
		if err != nil {
			t.Fatal(line, err)
		}
		want := quoted[len(literal)+1:]
		pairs, err := x.Find([]byte(subject))
		if got := describe([]byte(subject), pairs); got != want || err != nil {
			t.Errorf("%s with %s: got %s (%v), want %s", x, literal, got, err, want)
		}
		cases++
	}
	if cases < 100 {
		t.Errorf("only %d cases", cases)
	}
}

func TestRegexErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pattern, want string }{
		{"(a", "missing closing parenthesis"},
		{"a)", "unmatched closing parenthesis"},
		{"[a", "missing terminating ]"},
		{"[z-a]", "invalid character class range"},
		{"*a", "quantifier does not follow a repeatable item"},
		{"(+)", "quantifier does not follow a repeatable item"},
		{"a|*", "quantifier does not follow a repeatable item"},
		{`a\`, `\ at end of pattern`},
		{`[\`, `\ at end of pattern`},
		{`\y`, "unrecognized character follows"},
		{`[\y]`, "unrecognized character follows"},
		{`\x{110000}`, "too large"},
		{`\x{12`, `missing } after`},
		{`\x{zz}`, "too large"},
		{`(?<n>a)(?<n>b)`, "same name"},
		{`(?<>a)`, "invalid name"},
		{`(?<a`, "invalid name"},
		{`(?#`, "missing ) after"},
		{`(?i`, "missing closing parenthesis"},
		{`(?R)`, "recursive or unknown group (?R"},
		{`(?1)`, "recursive or unknown group (?1"},
		{`(?|a)`, "branch reset"},
		{`(*FAIL)`, "backtracking verb"},
		{`(?(<n>)a)`, "conditional"},
		{`\k<none>`, "group that does not exist"},
		{`\g{-3}`, "group that does not exist"},
		{`(?P=x)`, "group that does not exist"},
		{`(?P=x`, "missing closing parenthesis"},
		{`(?=a)\9`, "9"},
		{`a{3,2}`, "3,2"},
	} {
		_, err := CompileRegex(nil, config.Regex{Pattern: tt.pattern, Pos: config.Pos{File: "f", Line: 3}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasSuffix(err.Error(), " in f:3") {
			t.Errorf("%s: %v, want %q", tt.pattern, err, tt.want)
		}
	}
}

func TestRegexIgnoresCase(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`^/img/(.*)\.PNG$`, `^/img/(?!x)(.*)\.PNG$`} {
		s := &source{}
		if !regex(t, nil, pattern, true).Match(s, []byte("/IMG/a.png")) {
			t.Errorf("%s: no match", pattern)
		}
		if got := describe(s.subject, s.pairs); got != "+ [a]" {
			t.Errorf("%s: %s", pattern, got)
		}
	}
}

func TestRegexAssignsNamedGroups(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`^(?<a>\w)(\d)(?:(?<b>x)|y)`, `^(?<a>\w)(\d)(?:(?<b>x)|y)(?!z)`} {
		table := NewTable()
		x := regex(t, table, pattern, false)
		text, err := Compile(table, "$a|$b")
		if err != nil {
			t.Fatal(err)
		}
		s := &source{}
		for _, tt := range []struct {
			subject, want string
			match         bool
		}{
			{"q1x", "q|x", true},
			{"none", "q|x", false},
			{"r2y", "r|", true},
		} {
			if got := x.Match(s, []byte(tt.subject)); got != tt.match {
				t.Errorf("%s with %s: %t", pattern, tt.subject, got)
			}
			if got := string(text.Value(s)); got != tt.want {
				t.Errorf("%s with %s: %q, want %q", pattern, tt.subject, got, tt.want)
			}
		}
	}
	table := NewTable()
	table.Add(Variable{Name: "host", Get: func(Source) ([]byte, bool) { return nil, false }})
	if _, err := CompileRegex(table, config.Regex{Pattern: "(?<host>a)"}); err == nil {
		t.Error("a group took the name of a variable that cannot be set")
	}
}

func TestRegexWithoutGroupsTakesCapturesAway(t *testing.T) {
	t.Parallel()
	s := &source{}
	regex(t, nil, "(a)", false).Match(s, []byte("a"))
	regex(t, nil, "x", false).Match(s, []byte("a"))
	if len(s.pairs) != 4 {
		t.Errorf("no match left %v", s.pairs)
	}
	regex(t, nil, "a", false).Match(s, []byte("a"))
	if len(s.pairs) != 0 {
		t.Errorf("a match left %v", s.pairs)
	}
	if !regex(t, nil, "(a)", false).Match(nil, []byte("a")) {
		t.Error("no match without a source")
	}
}

func TestRegexGivesUpInTime(t *testing.T) {
	t.Parallel()
	table := NewTable()
	x := regex(t, table, `^(\w+\s?)*(?!x)$`, false)
	if slow := table.SlowRegexes(); len(slow) != 1 || slow[0] != x {
		t.Errorf("listed as slow: %v", slow)
	}
	s := &source{}
	start := time.Now()
	if x.Match(s, []byte(strings.Repeat("ab ", 2000)+"!")) {
		t.Error("matched")
	}
	if s.failures != 1 {
		t.Errorf("reported %d times", s.failures)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestGroupNames(t *testing.T) {
	t.Parallel()
	if got := GroupNames(`(?<a>x)(y)(?P<b_2>z)`); strings.Join(got, " ") != "a b_2" {
		t.Error(got)
	}
	if got := GroupNames(`(?<a>x`); got != nil {
		t.Error(got)
	}
}

func FuzzRegex(f *testing.F) {
	text, err := os.ReadFile("testdata/regex.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f.Add(strings.TrimSpace(line), "/a b/ab12.gif\n")
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		if len(pattern) > 100 || len(subject) > 100 {
			return
		}
		x, err := CompileRegex(nil, config.Regex{Pattern: pattern})
		if err != nil {
			return
		}
		pairs, err := x.Find([]byte(subject))
		if err != nil || pairs == nil {
			return
		}
		if len(pairs) != 2*(x.Groups()+1) {
			t.Fatalf("%q: %d groups, %d offsets", pattern, x.Groups(), len(pairs))
		}
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] > pairs[i+1] || pairs[i] < -1 || pairs[i+1] > len(subject) {
				t.Fatalf("%q with %q: %v", pattern, subject, pairs)
			}
		}
	})
}
