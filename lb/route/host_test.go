package route_test

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/variable"
)

// hosts fills a table as an address with these `server_name` lines has it; the
// payload is the line.
func hosts(t *testing.T, table *variable.Table, lines ...string) *route.Hosts[string] {
	t.Helper()
	var servers strings.Builder
	for _, l := range lines {
		servers.WriteString("server { server_name " + l + "; }\n")
	}
	conf := load(t, servers.String(), "")
	h := route.NewHosts("default")
	for i, s := range conf.Servers[:len(lines)] {
		for _, name := range s.Names {
			if _, err := h.Add(table, name, lines[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return h
}

func TestHosts(t *testing.T) {
	t.Parallel()
	table := variable.NewTable()
	request.AddVariables(table, request.Env{})
	h := hosts(t, table,
		`example.com www.example.com`,
		`*.example.com`,
		`*.deep.example.com`,
		`.dot.org`,
		`mail.*`,
		`mail.example.*`,
		`~^(?<user>\w+)\.users\.net$`,
		`~\.net$`,
		`"~^Capital(?<n>\d+)\.io$"`,
		`""`,
		`example.com other.com`,
	)
	r := newRequest(t, table.Slots(), "/")
	for _, tt := range []struct{ host, want string }{
		{"example.com", `example.com www.example.com`},
		{"www.example.com", `example.com www.example.com`},
		{"a.example.com", `*.example.com`},
		{"a.b.example.com", `*.example.com`},
		{"deep.example.com", `*.example.com`},
		{"a.deep.example.com", `*.deep.example.com`},
		{"dot.org", `.dot.org`},
		{"a.dot.org", `.dot.org`},
		{"mail.org", `mail.*`},
		{"mail.example.net", `mail.example.*`},
		{"mail.example.com", `*.example.com`},
		{"me.users.net", `~^(?<user>\w+)\.users\.net$`},
		{"me.too.users.net", `~\.net$`},
		{"capital7.io", `"~^Capital(?<n>\d+)\.io$"`},
		{"", `""`},
		{"other.com", `example.com other.com`},
		{"unknown.io", "default"},
		{"com", "default"},
	} {
		if got := h.Find([]byte(tt.host), r); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.host, got, tt.want)
		}
		if got := h.Find([]byte(tt.host), nil); got != tt.want {
			t.Errorf("%q without a request: %s, want %s", tt.host, got, tt.want)
		}
	}
	h.Find([]byte("me.users.net"), r)
	v, err := table.Lookup("user")
	if err != nil {
		t.Fatal(err)
	}
	if user, _ := v.Get(r); string(user) != "me" {
		t.Errorf("$user is %q", user)
	}
	if h.Default() != "default" {
		t.Error("the default server is lost")
	}
}

func TestHostsKeepTheFirstOfAName(t *testing.T) {
	t.Parallel()
	h := route.NewHosts(0)
	for i, name := range []config.ServerName{
		{Kind: config.NameExact, Name: "a"}, {Kind: config.NameLeading, Name: "*.a"}, {Kind: config.NameTrailing, Name: "a.*"},
	} {
		if added, err := h.Add(nil, name, i); !added || err != nil {
			t.Error(name, err)
		}
		if added, err := h.Add(nil, name, 99); added || err != nil {
			t.Errorf("%v was taken from its server", name)
		}
	}
	if got := h.Find([]byte("a"), nil); got != 0 {
		t.Error(got)
	}
	bad := config.ServerName{Kind: config.NameRegex, Name: "(", Pos: config.Pos{File: "f", Line: 2}}
	if _, err := h.Add(nil, bad, 1); err == nil || !strings.HasSuffix(err.Error(), "in f:2") {
		t.Error(err)
	}
}
