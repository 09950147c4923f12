package route_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/variable"
)

// script is one case of a file in testdata: a configuration, and requests with
// what nginx answered to them.
type script struct {
	title, http, server string
	requests            [][2]string
}

// readScripts reads a file of cases: "== title", then the sections "http:",
// "server:" and "requests:"; lines that begin with # are comments.
func readScripts(t *testing.T, name string) (cases []*script) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var now *script
	section := ""
	for line := range strings.Lines(string(text)) {
		word := strings.TrimSpace(line)
		title, isTitle := strings.CutPrefix(word, "== ")
		switch {
		case isTitle:
			now = &script{title: title}
			cases = append(cases, now)
		case now == nil || strings.HasPrefix(line, "#"):
		case word == "http:" || word == "server:" || word == "requests:":
			section = word
		case section == "http:":
			now.http += line
		case section == "server:":
			now.server += line
		case word != "":
			target, want, _ := strings.Cut(word, " =>")
			now.requests = append(now.requests, [2]string{strings.TrimSpace(target), strings.TrimSpace(want)})
		}
	}
	return cases
}

func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		for _, c := range readScripts(t, file) {
			t.Run(filepath.Base(file)+"/"+c.title, func(t *testing.T) {
				t.Parallel()
				s := compileSite(t, c.http, c.server)
				for _, r := range c.requests {
					if got := s.answer(t, r[0]); got != r[1] {
						t.Errorf("%s\n got %q\nwant %q", r[0], got, r[1])
					}
				}
			})
		}
	}
}

// site is a compiled server, put together as lb does it.
type site struct {
	table     *variable.Table
	script    *route.Script
	locations *route.Locations[*place]
}

// place is a compiled location.
type place struct {
	conf   *config.Location
	script *route.Script
}

// load parses the parts of a configuration.
func load(t *testing.T, http, server string) *config.HTTP {
	t.Helper()
	text := "events {}\nhttp {\nupstream echo { server 127.0.0.1:1; } upstream echo2 { server 127.0.0.1:1; }\n" +
		http + "\nserver { listen 127.0.0.1:1; server_name example.com; port_in_redirect off;\n" + server + "}}\n"
	cfg, err := config.Load(config.Options{
		File:     "/weir.conf",
		ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg.HTTP
}

func compileSite(t *testing.T, http, server string) *site {
	t.Helper()
	conf := load(t, http, server)
	s := &site{table: variable.NewTable()}
	request.AddVariables(s.table, request.Env{})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var blocks []interface{ Compile(*variable.Table) error }
	for _, m := range conf.Maps {
		blocks = append(blocks, variable.NewMapping(s.table, m))
	}
	for _, g := range conf.Geos {
		blocks = append(blocks, variable.NewGeo(s.table, g))
	}
	for _, sc := range conf.SplitClients {
		blocks = append(blocks, variable.NewSplit(s.table, sc))
	}
	check(route.DeclareVariables(s.table, conf))
	for _, b := range blocks {
		check(b.Compile(s.table))
	}
	var err error
	s.script, err = route.CompileScript(s.table, conf.Servers[0].Rewrite)
	check(err)
	s.locations, err = route.CompileLocations(s.table, conf.Servers[0].Locations, func(l *config.Location) *place {
		sc, err := route.CompileScript(s.table, l.Rewrite)
		check(err)
		return &place{l, sc}
	})
	check(err)
	return s
}

// newRequest makes a request of a target and fields "Name:value".
func newRequest(t *testing.T, slots int, target string, fields ...string) *request.Request {
	t.Helper()
	conn := &request.Conn{
		Remote:     netip.MustParseAddrPort("127.0.0.1:40000"),
		Local:      netip.MustParseAddrPort("127.0.0.1:1"),
		RemoteText: []byte("127.0.0.1"),
	}
	r := &request.Request{}
	r.Reset(conn, slots)
	line := "GET " + target + " HTTP/1.1"
	r.Head.Reset([]byte(line + "\r\n"))
	r.Line = request.Span{End: uint32(len(line))}
	r.Method = request.Span{End: 3}
	r.Target = request.Span{Off: 4, End: uint32(4 + len(target))}
	r.Version = request.HTTP11
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ":")
		r.Head.Add([]byte(name), []byte(value))
	}
	path, args, found := strings.Cut(target, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	r.Host, r.ServerName = []byte("example.com"), []byte("example.com")
	r.Path, r.Args, r.HasArgs = []byte(decoded), []byte(args), found
	return r
}

// answer walks one request through server and locations.
func (s *site) answer(t *testing.T, line string) string {
	words := strings.Fields(line)
	r := newRequest(t, s.table.Slots(), words[0], words[1:]...)
	o := s.script.Run(r)
	if o.Action == route.Respond {
		return respond(r, o)
	}
	for changes := 0; ; changes++ {
		if changes > route.MaxRedirects {
			return "500"
		}
		hit := s.locations.Find(r.Path, r)
		if hit.Redirect != nil {
			target := string(hit.Redirect)
			if len(r.Args) > 0 {
				target += "?" + string(r.Args)
			}
			return respond(r, route.Outcome{Status: 301, Location: []byte(target)})
		}
		if !hit.Found {
			return "404"
		}
		switch o := hit.Value.script.Run(r); o.Action {
		case route.Respond:
			return respond(r, o)
		case route.Continue:
			return serve(r, hit.Value, o.Branch)
		}
	}
}

func respond(r *request.Request, o route.Outcome) string {
	base := route.Base{Absolute: true, Local: r.Conn.Local, Host: r.Host, Name: r.ServerName}
	switch {
	case o.Location != nil:
		return fmt.Sprintf("%d %s", o.Status, route.AppendLocation(nil, &base, o.Location))
	case len(o.Body) > 0:
		return strings.TrimSpace(fmt.Sprintf("%d %s", o.Status, o.Body))
	}
	return fmt.Sprint(o.Status)
}

// serve tells where the content comes from, under whose settings.
func serve(r *request.Request, p *place, branch int) string {
	conf := p.conf
	if branch >= 0 {
		conf = p.script.Branches()[branch].Body
	}
	if conf.Proxy == nil {
		return "404"
	}
	in := "-"
	for _, h := range conf.AddHeaders {
		if h.Name == "X-In" {
			in = h.Value.Value
		}
	}
	uri := string(r.URI())
	if r.Changed {
		uri = string(route.AppendEscapedPath(nil, r.Path))
		if len(r.Args) > 0 {
			uri += "?" + string(r.Args)
		}
	}
	return fmt.Sprintf("proxy %s %s %s", conf.Proxy.Host, in, uri)
}
