package route_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/variable"
)

// locations compiles a list whose payload is each location's pattern.
func locations(t testing.TB, list []*config.Location) *route.Locations[string] {
	t.Helper()
	l, err := route.CompileLocations(variable.NewTable(), list, func(c *config.Location) string { return c.Pattern })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLongestPrefix(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	word := func(n int) string {
		b := make([]byte, random.IntN(n))
		for i := range b {
			b[i] = "/-0a"[random.IntN(4)]
		}
		return "/" + string(b)
	}
	for range 300 {
		var list []*config.Location
		seen := map[string]bool{}
		for range 1 + random.IntN(30) {
			l := &config.Location{Pattern: word(7)}
			if random.IntN(4) == 0 {
				l.Kind = config.MatchExact
			}
			if key := fmt.Sprint(l.Kind, l.Pattern); !seen[key] {
				seen[key] = true
				list = append(list, l)
			}
		}
		l := locations(t, list)
		for range 50 {
			path := word(9)
			want := ""
			for _, c := range list {
				if c.Kind == config.MatchPrefix && strings.HasPrefix(path, c.Pattern) && len(c.Pattern) > len(want) {
					want = c.Pattern
				}
				if c.Kind == config.MatchExact && path == c.Pattern {
					want = path
					break
				}
			}
			if hit := l.Find([]byte(path), nil); hit.Value != want || hit.Found != (want != "") {
				t.Fatalf("%s: %q, want %q", path, hit.Value, want)
			}
		}
	}
}

func TestNamedLocations(t *testing.T) {
	t.Parallel()
	l := locations(t, []*config.Location{
		{Kind: config.MatchNamed, Pattern: "@a"}, {Pattern: "/"}, {Kind: config.MatchNamed, Pattern: "@b"},
	})
	for _, name := range []string{"@a", "@b"} {
		if got, found := l.Named([]byte(name)); !found || got != name {
			t.Errorf("%s: %s %t", name, got, found)
		}
	}
	if _, found := l.Named([]byte("/")); found {
		t.Error("a path is taken for a name")
	}
	if hit := l.Find([]byte("@a"), nil); hit.Found {
		t.Error("a named location is found by path")
	}
}

func TestLocationErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind    config.MatchKind
		pattern string
		want    string
	}{
		{config.MatchPrefix, "/a", `duplicate location "/a" in f:3`},
		{config.MatchExact, "/a", `duplicate location "/a" in f:3`},
		{config.MatchNamed, "@a", `duplicate location "@a" in f:3`},
		{config.MatchRegex, "(", `invalid regular expression "(": missing closing parenthesis in f:3`},
	} {
		one := config.Location{Kind: tt.kind, Pattern: tt.pattern, Pos: config.Pos{File: "f", Line: 3}}
		list := []*config.Location{&one, &one}
		for _, list := range [][]*config.Location{list, {{Pattern: "/", Locations: list}}} {
			_, err := route.CompileLocations(variable.NewTable(), list, func(*config.Location) int { return 0 })
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		}
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, tt := range []struct {
		name   string
		escape func(dst, src []byte) []byte
		want   string // what stays as it is, of the printable bytes
	}{
		{"path", route.AppendEscapedPath, "!$&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~"},
		{"args", route.AppendEscapedArgs, "!$'()*,-./0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~"},
	} {
		var plain []byte
		for _, c := range all {
			got := tt.escape(nil, []byte{c})
			if len(got) == 1 {
				plain = append(plain, got...)
			} else if want := fmt.Sprintf("%%%02X", c); string(got) != want {
				t.Errorf("%s: %q becomes %s", tt.name, c, got)
			}
		}
		if string(plain) != tt.want {
			t.Errorf("%s keeps\n%s, want\n%s", tt.name, plain, tt.want)
		}
		if got := tt.escape([]byte("> "), bytes.Repeat([]byte("a b"), 2)); string(got) != "> a%20ba%20b" {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// fifty is a server of fifty locations as they come in practice.
func fifty(tb testing.TB) *route.Locations[string] {
	list := []*config.Location{
		{Pattern: "/"}, {Kind: config.MatchExact, Pattern: "/"}, {Kind: config.MatchNoRegex, Pattern: "/static/"},
	}
	for i := range 22 {
		list = append(list,
			&config.Location{Pattern: fmt.Sprintf("/api/v%d/", i), Proxy: &config.ProxyPass{}},
			&config.Location{Pattern: fmt.Sprintf("/service-%d", i)})
	}
	return locations(tb, append(list, &config.Location{Kind: config.MatchRegexNoCase, Pattern: `\.(?:gif|jpg|png)$`}))
}

func BenchmarkLocations(b *testing.B) {
	l := fifty(b)
	for _, path := range []string{"/", "/static/app.js", "/api/v7/users/12", "/static/deep/below/x.css"} {
		b.Run(path, func(b *testing.B) {
			p := []byte(path)
			for b.Loop() {
				if !l.Find(p, nil).Found {
					b.Fatal("not found")
				}
			}
		})
	}
}
