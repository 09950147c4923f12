package config

import (
	"fmt"
	"strings"
	"testing"
)

// lexAll gives the words of a text in brackets, with what ended each run.
func lexAll(text string) string {
	l := newLexer("f", []byte(text))
	var b strings.Builder
	for {
		words, end, err := l.next()
		if err != nil {
			fmt.Fprintf(&b, "error %v", err)
			return b.String()
		}
		for _, w := range words {
			fmt.Fprintf(&b, "[%s]", w)
		}
		b.WriteString([...]string{"; ", "{ ", "} ", "."}[end])
		if end == endFile {
			return b.String()
		}
	}
}

func TestLexer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{``, `.`},
		{"# only a comment", `.`},
		{"a b;", `[a][b]; .`},
		{"a\tb\r\nc;", `[a][b][c]; .`},
		{`a{b;}`, `[a]{ [b]; } .`},
		{`a "b c" 'd e';`, `[a][b c][d e]; .`},
		{`a "";`, `[a][]; .`},
		{`a b#c;`, `[a][b#c]; .`},
		{"a # b;\n c;", `[a][c]; .`},
		{`a b"c;`, `[a][b"c]; .`},
		{`a ${b}c;`, `[a][${b}c]; .`},
		{`a x${b}{c;}`, `[a][x${b}]{ [c]; } .`},
		{`a \.\d\\;`, `[a][\.\d\]; .`},
		{`a b\ c;`, `[a][b\ c]; .`},
		{`a b\;c;`, `[a][b\;c]; .`},
		{`a "\t\"\r\n\x";`, "[a][\t\"\r\n\\x]; ."},
		{`a 'it\'s';`, `[a][it's]; .`},
		{`if ("a") {}`, `[if][("a")]{ } .`},
		{`if ($a = "b") {}`, `[if][($a][=][b][)]{ } .`},
		{`a}b;`, `[a}b]; .`},
		{`a "b"{}`, `[a][b]{ } .`},
		{`a "b"c;`, `error unexpected "c" in f:1`},
		{`a "b"}`, `error unexpected "}" in f:1`},
		{`a }`, `error unexpected "}" in f:1`},
		{";", `error unexpected ";" in f:1`},
		{"\n\n{", `error unexpected "{" in f:3`},
		{"a\n\nb", `error unexpected end of file, expecting ";" or "}" in f:3`},
		{`a "b`, `error unexpected end of file, expecting ";" or "}" in f:1`},
		{`a "b"`, `error unexpected end of file, expecting ";" or "}" in f:1`},
		{`a \`, `error unexpected end of file, expecting ";" or "}" in f:1`},
		{"a\n" + strings.Repeat("b", 4096) + ";", `error too long parameter "bbbbbbbbbb..." started in f:2`},
		{"a '" + strings.Repeat("b\n", 2048), `error too long parameter, probably missing terminating "'" character in f:1`},
		{"a " + strings.Repeat("b", 4095) + ";", "[a][" + strings.Repeat("b", 4095) + "]; ."},
	} {
		if got := lexAll(c.in); got != c.want {
			t.Errorf("%.40q\nwant %s\ngot  %s", c.in, c.want, got)
		}
	}
}

// FuzzLoad feeds any text to the whole package: it must give a model or an
// *Error, and the same one each time.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"events{} http { server { listen 80; location / { proxy_pass http://a/; } } }",
		"http { map $a $b { default 1; ~*x 2; } geo $g { ranges; 1.1.1.1-2.2.2.2 a; } split_clients $a $c { 1% x; * y; } }",
		"http { upstream u { zone u 64k; server a:1 weight=2; hash $a consistent; } server { if ($a ~ b) { return 200 'x'; } } }",
		"include *.conf; include weir.conf; stream { } cluster { name a; }",
		"http { log_format a \"b\"; access_log c a buffer=1k; error_page 404 = @x; add_header a b always; }",
		"http { server { listen [::1]:80-90 ssl so_keepalive=1:2:3; server_name ~^a *.b c.*; expires @1h; } }",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err1 := loadText(text)
		second, err2 := loadText(text)
		if (err1 == nil) != (err2 == nil) || err1 != nil && err1.Error() != err2.Error() {
			t.Fatalf("two loads differ: %v and %v", err1, err2)
		}
		if err1 != nil {
			if _, ok := err1.(*Error); !ok {
				t.Fatalf("%T instead of *Error: %v", err1, err1)
			}
			return
		}
		if a, b := dumpModel(first), dumpModel(second); a != b {
			t.Fatalf("two models differ:\n%s\n%s", a, b)
		}
	})
}

// FuzzLexer checks that quoting any words makes them come out as they went in.
func FuzzLexer(f *testing.F) {
	f.Add("a", "b c")
	f.Add("it's", `"quoted" \t`)
	f.Add("", "{;}#\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 1000 || len(b) > 1000 {
			return
		}
		l := newLexer("f", []byte(quote(a, `"`)+" "+quote(b, `'`)+";"))
		words, end, err := l.next()
		if err != nil || end != endSemicolon || len(words) != 2 || words[0] != a || words[1] != b {
			t.Fatalf("%q, %q came out as %q, %v, %v", a, b, words, end, err)
		}
	})
}

func quote(s, q string) string {
	return q + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`).Replace(s) + q
}
