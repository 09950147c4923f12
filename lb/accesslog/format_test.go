package accesslog

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/variable"
)

func compile(t testing.TB, escape config.Escape, text string) *Format {
	t.Helper()
	f, err := Compile(table(), &config.LogFormat{Name: "f", Escape: escape, Format: config.Text{Value: text}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFormat(t *testing.T) {
	t.Parallel()
	const odd = "a\"b\\c\x01\x7f\xc3\xa9\td\x08\x0c\x1f/" // with what nginx 1.22 made of it
	tests := []struct {
		name   string
		escape config.Escape
		text   string
		a      string
		want   string
	}{
		{"plain", config.EscapeDefault, `[$a] "$a"`, `x`, `[x] "x"`},
		{"literal is not escaped", config.EscapeDefault, "\"\\\x01", ``, "\"\\\x01"},
		{"default", config.EscapeDefault, `[$a][$b]`, odd, `[a\x22b\x5Cc\x01\x7F\xC3\xA9\x09d\x08\x0C\x1F/][-]`},
		{"json", config.EscapeJSON, `[$a][$b]`, odd, "[a\\\"b\\\\c\\u0001\x7f\xc3\xa9\\td\\b\\f\\u001F/][]"},
		{"json line ends", config.EscapeJSON, `[$a]`, "\r\n", `[\r\n]`},
		{"none", config.EscapeNone, `[$a][$b]`, odd, "[" + odd + "][]"},
		{"empty is not missing", config.EscapeDefault, `[$a]`, ``, `[]`},
		{"braces", config.EscapeDefault, `${a}b`, `x`, `xb`},
	}
	for _, test := range tests {
		f := compile(t, test.escape, test.text)
		if got := string(f.Append([]byte("before"), with(map[string]string{"a": test.a}))); got != "before"+test.want+"\n" {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCombined(t *testing.T) {
	t.Parallel()
	f, err := Compile(table(), combined())
	if err != nil {
		t.Fatal(err)
	}
	got := string(f.Append(nil, with(map[string]string{
		"remote_addr": "127.0.0.1", "time_local": "23/Nov/2026:00:33:38 +0000", "request": "GET / HTTP/1.0",
		"status": "403", "body_bytes_sent": "153",
	})))
	const want = `127.0.0.1 - - [23/Nov/2026:00:33:38 +0000] "GET / HTTP/1.0" 403 153 "-" "-"` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnknownVariable(t *testing.T) {
	t.Parallel()
	_, err := Compile(table(), &config.LogFormat{
		Format: config.Text{Value: "$nothing", Pos: config.Pos{File: "weir.conf", Line: 3}},
	})
	if err == nil || err.Error() != `unknown "nothing" variable in weir.conf:3` {
		t.Errorf("got %v", err)
	}
}

// TestEveryByteInEveryPlace tells the escape by words from one by bytes.
func TestEveryByteInEveryPlace(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for place := range 17 {
			value := []byte("abcdefghijklmnopq")
			value[place] = byte(c)
			want := string(value)
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				want = fmt.Sprintf("%s\\x%02X%s", value[:place], c, value[place+1:])
			}
			if got := string(appendDefault(nil, value, true)); got != want {
				t.Errorf("%q: got %s, want %s", value, got, want)
			}
		}
	}
}

func FuzzEscapes(f *testing.F) {
	f.Add("a\"\\\x00\n\x7f\xff")
	f.Fuzz(func(t *testing.T, value string) {
		line := string(appendDefault(nil, []byte(value), true))
		for _, c := range []byte(line) {
			if c < ' ' || c > '~' || c == '"' {
				t.Fatalf("%q became %q, which has %q", value, line, c)
			}
		}
		text := string(appendJSON([]byte{'"'}, []byte(value), true)) + `"`
		var back string
		if err := json.Unmarshal([]byte(text), &back); err != nil {
			t.Fatalf("%q became %q: %v", value, text, err)
		}
		if want := strings.ToValidUTF8(value, ""); strings.ToValidUTF8(value, "\ufffd") == value && back != want {
			t.Fatalf("%q came back as %q", value, back)
		}
	})
}

func BenchmarkCombined(b *testing.B) {
	values := map[string][]byte{
		"remote_addr": []byte("192.0.2.17"), "time_local": []byte("23/Nov/2026:00:33:38 +0000"),
		"request": []byte("GET /static/app.js?v=3 HTTP/1.1"), "status": []byte("200"), "body_bytes_sent": []byte("1024"),
		"http_user_agent": []byte("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
	}
	t := variable.NewTable()
	for _, name := range []string{"remote_addr", "remote_user", "time_local", "request", "status", "body_bytes_sent",
		"http_referer", "http_user_agent"} {
		v, ok := values[name]
		t.Add(variable.Variable{Name: name, Get: func(variable.Source) ([]byte, bool) { return v, ok }})
	}
	f, err := Compile(t, combined())
	if err != nil {
		b.Fatal(err)
	}
	var line []byte
	s := with(nil)
	b.ReportAllocs()
	for b.Loop() {
		line = f.Append(line[:0], s)
	}
}
