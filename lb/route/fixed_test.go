package route_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/variable"
)

func TestAppendLocation(t *testing.T) {
	t.Parallel()
	base := route.Base{
		Absolute: true, PortIncluded: true, Local: netip.MustParseAddrPort("192.0.2.1:8080"),
		Host: []byte("asked.example"), Name: []byte("server.example"),
	}
	with := func(change func(b *route.Base)) route.Base {
		b := base
		change(&b)
		return b
	}
	port := func(addr string) route.Base {
		return with(func(b *route.Base) { b.Local = netip.MustParseAddrPort(addr) })
	}
	for _, tt := range []struct {
		base     route.Base
		location string
		want     string
	}{
		{base, "/x?a=b", "http://asked.example:8080/x?a=b"},
		{base, "https://other/", "https://other/"},
		{base, "x", "x"},
		{base, "", ""},
		{port("192.0.2.1:80"), "/x", "http://asked.example/x"},
		{port("192.0.2.1:443"), "/x", "http://asked.example:443/x"},
		{with(func(b *route.Base) { b.TLS = true }), "/x", "https://asked.example:8080/x"},
		{with(func(b *route.Base) { b.TLS, b.Local = true, netip.MustParseAddrPort("[::1]:443") }), "/x", "https://asked.example/x"},
		{with(func(b *route.Base) { b.TLS, b.Local = true, netip.MustParseAddrPort("[::1]:80") }), "/x", "https://asked.example:80/x"},
		{with(func(b *route.Base) { b.PortIncluded = false }), "/x", "http://asked.example/x"},
		{with(func(b *route.Base) { b.ServerName = true }), "/x", "http://server.example:8080/x"},
		{with(func(b *route.Base) { b.Host = nil }), "/x", "http://192.0.2.1:8080/x"},
		{with(func(b *route.Base) { b.Host, b.Local = nil, netip.MustParseAddrPort("[::1]:81") }), "/x", "http://[::1]:81/x"},
		{with(func(b *route.Base) { b.Absolute = false }), "/x", "/x"},
		{with(func(b *route.Base) { b.Local = netip.AddrPort{} }), "/x", "http://asked.example/x"},
	} {
		if got := string(route.AppendLocation(nil, &tt.base, []byte(tt.location))); got != tt.want {
			t.Errorf("%s with %+v: %s, want %s", tt.location, tt.base, got, tt.want)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	table := variable.NewTable()
	request.AddVariables(table, request.Env{})
	r := newRequest(t, table.Slots(), "/x?u=http://q/")
	for _, tt := range []struct {
		code     int
		text     string
		location string // "-": none
		body     string
	}{
		{200, "-", "-", ""},
		{200, "hello $host", "-", "hello example.com"},
		{204, "-", "-", ""},
		{301, "/y", "/y", "-"},
		{302, "$arg_u", "http://q/", "-"},
		{308, "$arg_none", "", "-"},
		{304, "text", "-", "text"},
		{404, "-", "-", "-"},
		{404, "gone", "-", "gone"},
		{404, "$arg_none", "-", ""},
		{444, "-", "-", "-"},
	} {
		in := &config.Return{Code: tt.code}
		if tt.text != "-" {
			in.Text = config.Text{Value: tt.text, Pos: config.Pos{File: "f", Line: 1}}
		}
		fixed, err := route.CompileReturn(table, in)
		if err != nil {
			t.Fatal(err)
		}
		status, location, body := fixed.Answer(r)
		show := func(b []byte) string {
			if b == nil {
				return "-"
			}
			return string(b)
		}
		if status != tt.code || show(location) != tt.location || show(body) != tt.body {
			t.Errorf("return %d %s: %d %s %s", tt.code, tt.text, status, show(location), show(body))
		}
	}
	_, err := route.CompileReturn(table, &config.Return{Text: config.Text{Value: "$none", Pos: config.Pos{File: "f", Line: 4}}})
	if err == nil || err.Error() != `unknown "none" variable in f:4` {
		t.Error(err)
	}
}

func TestErrorPages(t *testing.T) {
	t.Parallel()
	table := variable.NewTable()
	request.AddVariables(table, request.Env{})
	conf := load(t, "", `
		error_page 404 /404.html;
		error_page 404 /second.html;
		error_page 500 502 503 504 /50x.html?why=$status;
		error_page 403 =200 /ok;
		error_page 410 = @gone;
		error_page 405 =405 @named;
		error_page 400 http://other.example/;
		error_page 401 =301 /moved;
		error_page 402 =307 https://pay.example/$host;
		error_page 495 496 497 /tls;
		error_page 494 =431 /big;
		error_page 418 $arg_page;
		location @gone {} location @named {}`)
	e, err := route.CompileErrorPages(table, conf.Servers[0].ErrorPages)
	if err != nil {
		t.Fatal(err)
	}
	r := newRequest(t, table.Slots(), "/x?page=/p")
	const path, named, url = route.PagePath, route.PageNamed, route.PageRedirect
	for _, tt := range []struct {
		status int
		kind   route.PageKind
		target string
		args   string
		sent   int
	}{
		{404, path, "/404.html", "", 404},
		{502, path, "/50x.html", "why=000", 502},
		{403, path, "/ok", "", 200},
		{410, named, "@gone", "", 0},
		{405, named, "@named", "", 405},
		{400, url, "http://other.example/", "", 302},
		{401, path, "/moved", "", 301},
		{402, url, "https://pay.example/example.com", "", 307},
		{496, path, "/tls", "", 400},
		{494, path, "/big", "", 431},
		{418, path, "/p", "", 418},
	} {
		p, found := e.Find(tt.status, r)
		if !found || p.Kind != tt.kind || string(p.Target) != tt.target || string(p.Args) != tt.args || p.Status != tt.sent {
			t.Errorf("%d: %+v (%s?%s) %t", tt.status, p, p.Target, p.Args, found)
		}
	}
	if _, found := e.Find(406, r); found {
		t.Error("a page for 406")
	}
	none, err := route.CompileErrorPages(table, nil)
	if _, found := none.Find(404, r); found || err != nil {
		t.Error("a page out of nothing")
	}
}

func TestScriptErrors(t *testing.T) {
	t.Parallel()
	pos := config.Pos{File: "f", Line: 6}
	text := config.Text{Value: "$nothing", Pos: pos}
	for _, tt := range []struct {
		in   config.Instruction
		want string
	}{
		{&config.Set{Pos: pos, Name: "host"}, `the duplicate "host" variable in f:6`},
		{&config.Set{Pos: pos, Name: "x", Value: text}, `unknown "nothing" variable in f:6`},
		{&config.Rewrite{Pos: pos, Regex: config.Regex{Pattern: "(", Pos: pos}}, "missing closing parenthesis in f:6"},
		{&config.Rewrite{Pos: pos, Replacement: text}, `unknown "nothing" variable in f:6`},
		{&config.Rewrite{Pos: pos, Replacement: config.Text{Value: "/?$nothing", Pos: pos}}, `unknown "nothing" variable in f:6`},
		{&config.Rewrite{Pos: pos, External: true, Replacement: text}, `unknown "nothing" variable in f:6`},
		{&config.Return{Pos: pos, Code: 200, Text: text}, `unknown "nothing" variable in f:6`},
		{&config.If{Pos: pos, Condition: config.Condition{Variable: text}}, `unknown "nothing" variable in f:6`},
		{&config.If{Pos: pos, Condition: config.Condition{Test: config.TestEqual, Value: text}}, `unknown "nothing" variable in f:6`},
		{&config.If{Pos: pos, Condition: config.Condition{Test: config.TestRegex, Regex: config.Regex{Pattern: "[", Pos: pos}}}, "in f:6"},
		{&config.If{Pos: pos, Body: &config.Location{Rewrite: []config.Instruction{&config.Set{Pos: pos, Name: "uri"}}}}, `the duplicate "uri" variable in f:6`},
	} {
		table := variable.NewTable()
		request.AddVariables(table, request.Env{})
		_, err := route.CompileScript(table, []config.Instruction{tt.in})
		if err == nil || !strings.HasSuffix(err.Error(), tt.want) {
			t.Errorf("%T: %v, want %s", tt.in, err, tt.want)
		}
	}
}

func TestScriptAllocatesNothing(t *testing.T) {
	s := compileSite(t, "", `
		set $backend "b-$arg_x";
		if ($request_method = POST) { return 405; }
		if ($http_upgrade) { set $up 1; }
		rewrite ^/old/ /new/page?y=$arg_x last;
		location / { }`)
	r := newRequest(t, s.table.Slots(), "/old/page?x=1")
	path, args := r.Path, r.Args
	if n := testing.AllocsPerRun(50, func() {
		r.Arena().Reset()
		r.Path, r.Args = path, args
		if o := s.script.Run(r); o.Action != route.Relocate {
			t.Fatal(o)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
