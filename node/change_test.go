package node

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/upstream"
)

// agreement is a state in the making, without a log.
type agreement struct {
	state *consensus.State
	index uint64
}

func (a *agreement) make(t *testing.T, c consensus.Change) {
	t.Helper()
	if a.state == nil {
		a.state = &consensus.State{}
	}
	command := consensus.Command{Actor: "alice", Change: c}
	if b, err := command.Encode(); err != nil {
		t.Fatal(err)
	} else if command, err = consensus.Decode(b); err != nil {
		t.Fatal(err)
	}
	a.index++
	next, result := a.state.Apply(command, a.index, time.UnixMilli(int64(a.index)*1000))
	if result.Code != consensus.Accepted {
		t.Fatalf("%+v", result)
	}
	a.state = next
}

// loadUpstreams reads the upstreams of a configuration; state files are written
// beside it.
func loadUpstreams(t *testing.T, http string, files map[string]string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "weir.conf")
	if err := os.WriteFile(name, []byte("events {} http { "+http+" }"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{File: name, Prefix: dir})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func upstreamNamed(t *testing.T, cfg *config.Config, name string) *config.Upstream {
	t.Helper()
	for _, u := range cfg.HTTP.Upstreams {
		if u.Name == name {
			return u
		}
	}
	t.Fatalf("no upstream %q", name)
	return nil
}

// inWords runs "add|set|remove|up|drain|down|none WORDS" on an upstream.
func inWords(e *edited, text string) (consensus.Change, error) {
	words := strings.Fields(text)
	switch verb, rest := words[0], words[1:]; verb {
	case "add":
		return e.add(rest)
	case "set":
		return e.set(rest[0], rest[1:])
	case "remove":
		return e.remove(rest[0])
	default:
		return e.order(rest[0], consensus.OrderKind(strings.TrimPrefix(verb, "none")), strings.Join(rest[1:], " "))
	}
}

// lines are the servers that a balancer has of a configuration and a state, as
// a state file would have them.
func lines(t *testing.T, u *config.Upstream, s *consensus.State) string {
	t.Helper()
	var table upstream.Table
	o, _, err := new(overlays).overlay(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.SetOverlay(o); err != nil {
		t.Fatal(err)
	}
	cfg := upstream.Config{Name: u.Name, AllowEmpty: u.Zone != "", FromState: u.State != ""}
	for i := range u.Servers {
		w := writtenServer(&u.Servers[i])
		server, err := agreedServer(&w)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Servers = append(cfg.Servers, server)
	}
	change, err := table.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Commit([]*upstream.Change{change}); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, l := range change.Roster().Lines() {
		text = config.AppendServer(text, serverLine(&consensus.Server{
			Name: l.Name, Service: l.Question.Service, Resolve: l.Question.Host != "", Weight: l.Weight, MaxConns: l.MaxConns, MaxFails: l.MaxFails,
			FailTimeout: l.FailTimeout, SlowStart: l.SlowStart, Route: l.Route, Backup: l.Backup, Down: l.Down, Drain: l.Drain,
		}))
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", " ")
}

// TestNamesOfNoHost: a server that nobody could ever find is not added: its name
// would only stand in logs, in which a line must stay a line.
func TestNamesOfNoHost(t *testing.T) {
	t.Parallel()
	conf := &config.Upstream{Name: "u", Zone: "u", Resolver: &config.Resolver{}}
	for name, want := range map[string]string{
		"app.example": "", "app_1.example.:81": "", "10.0.0.1": "", "unix:/run/a b": "",
		"a b": `"a b" is not the name of a host`, "a;b:80": `"a;b" is not the name of a host`, "..": `".." is not the name of a host`,
		"a\nb": `"a\nb" is not the name of a host`, "\xff": `"\xff" is not the name of a host`, strings.Repeat("a", 64): `"` + strings.Repeat("a", 64) + `" is not the name of a host`,
	} {
		e, err := edit(conf, &consensus.State{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.add([]string{name}); fmt.Sprint(err) != cmp.Or(want, "<nil>") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestChanges: what an operator writes becomes what all nodes have.
func TestChanges(t *testing.T) {
	t.Parallel()
	cfg := loadUpstreams(t, `resolver 127.0.0.1; upstream plain { server a.example:1; }
		upstream u { zone u 64k; server 10.0.0.1:80; server 10.0.0.2:80 route=r weight=2; server [::1]:80 resolve; server app.example resolve; }
		upstream hashed { zone h 64k; hash $uri; server 10.0.0.1:80; }`, nil)
	const one, two, three, app = "server 10.0.0.1:80; ", "server 10.0.0.2:80 weight=2 route=r; ", "server [::1]:80; ", "server app.example resolve; "
	for _, c := range []struct{ words, want string }{
		{"add 10.0.0.9:80", one + two + three + app + "server 10.0.0.9:80;"},
		{"add 10.0.0.9:80; add 10.0.0.3 weight=3 max_conns=7 max_fails=2 fail_timeout=3s slow_start=1m route=x backup down drain",
			one + two + three + app + "server 10.0.0.9:80; server 10.0.0.3 weight=3 max_conns=7 max_fails=2 fail_timeout=3s slow_start=60s route=x backup down drain;"},
		{"add unix:/run/app.sock; add db.example service=http resolve", one + two + three + app + "server unix:/run/app.sock; server db.example service=http resolve;"},
		{"add other.example:81 weight=4", one + two + three + app + "server other.example:81 resolve weight=4;"},
		{"set 10.0.0.1:80 weight=5 backup; set 10.0.0.1:80 max_conns=1 backup=off down", "server 10.0.0.1:80 weight=5 max_conns=1 down; " + two + three + app[:len(app)-1]},
		{"set r weight=9 fail_timeout=1m", one + "server 10.0.0.2:80 weight=9 fail_timeout=60s route=r; " + three + app[:len(app)-1]},
		{"add 10.0.0.9:80; set 10.0.0.9:80 route=z slow_start=2s; set z drain=on; drain z", one + two + three + app + "server 10.0.0.9:80 slow_start=2s route=z drain;"},
		{"remove 10.0.0.1:80; remove r; remove app.example", three[:len(three)-1]},
		{"add 10.0.0.9:80; remove 10.0.0.9:80; remove 10.0.0.1:80; add 10.0.0.1:80 weight=3", "server 10.0.0.1:80 weight=3; " + two + three + app[:len(app)-1]},
		{"drain 10.0.0.1:80 new disk; down r", "server 10.0.0.1:80 drain; server 10.0.0.2:80 weight=2 route=r down; " + three + app[:len(app)-1]},
		{"drain 10.0.0.1:80; none 10.0.0.1:80; down 10.7.7.7:80", one + two + three + app[:len(app)-1]}, // an address of a name
		{"add 10.0.0.1:80", `upstream "u" has server "10.0.0.1:80" already`},
		{"add 10.0.0.9:80 weight=0", `invalid parameter "weight=0"`},
		{"add 10.0.0.9:99999", `invalid port in upstream "10.0.0.9:99999"`},
		{"add 10.0.0.9:80 service=http", `service upstream "10.0.0.9:80" requires "resolve" parameter`},
		{"set 10.0.0.9:80 weight=2", `upstream "u" has no server "10.0.0.9:80"`},
		{"set 10.0.0.1:80", "no parameter to change"},
		{"set 10.0.0.1:80 weight=2 weight=3", `parameter "weight" is given twice`},
		{"set 10.0.0.1:80 resolve", `parameter "resolve" cannot be changed`},
		{"set 10.0.0.1:80 down=maybe", `invalid parameter "down=maybe"`},
		{"add 10.0.0.1:80 route=y; set 10.0.0.1:80 weight=2", `upstream "u" has 2 servers "10.0.0.1:80": name one by its route`},
		{"remove 10.0.0.1:80; remove 10.0.0.1:80", `upstream "u" has no server "10.0.0.1:80"`},
		{"down nothing.example", `upstream "u" has no server "nothing.example"`},
	} {
		t.Run(c.words, func(t *testing.T) {
			t.Parallel()
			u := upstreamNamed(t, cfg, "u")
			a := agreement{state: &consensus.State{}}
			for text := range strings.SplitSeq(c.words, "; ") {
				e, err := edit(u, a.state)
				if err != nil {
					t.Fatal(err)
				}
				change, err := inWords(e, text)
				if err != nil {
					if err.Error() != c.want {
						t.Errorf("error %q", err)
					}
					return
				}
				a.make(t, change)
			}
			if got := lines(t, u, a.state); got != c.want {
				t.Errorf("the servers are\n%s", got)
			}
		})
	}
	if _, err := edit(upstreamNamed(t, cfg, "plain"), &consensus.State{}); err == nil || err.Error() != `upstream "plain" has no zone, so its servers are those of the configuration` {
		t.Error(err)
	}
	e, err := edit(upstreamNamed(t, cfg, "hashed"), &consensus.State{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.add([]string{"10.0.0.2:80", "backup"}); err == nil || err.Error() != `balancing method does not support parameter "backup"` {
		t.Error(err)
	}
	e.conf.Resolver = nil
	if _, err := e.add([]string{"app.example"}); err == nil || err.Error() != `no resolver defined to resolve app.example in upstream "hashed"` {
		t.Error(err)
	}
}

// TestSeeds: the servers of a state file are taken over once; from then on the
// files only tell what was agreed on.
func TestSeeds(t *testing.T) {
	t.Parallel()
	cfg := loadUpstreams(t, "upstream u { zone u 64k; state u.state; } upstream v { zone v 64k; state v.state; } upstream w { server 10.0.0.1:80; }",
		map[string]string{"u.state": "server 10.0.0.2:80 weight=2;\nserver 10.0.0.1:80;\n"})
	u, v := upstreamNamed(t, cfg, "u"), upstreamNamed(t, cfg, "v")
	a := agreement{state: &consensus.State{}}
	list := seeds(cfg, a.state)
	if len(list) != 1 {
		t.Fatalf("%d commands", len(list))
	}
	const before = "server 10.0.0.2:80 weight=2; server 10.0.0.1:80;"
	for _, b := range list {
		a.make(t, b)
	}
	if got := lines(t, u, a.state); got != before || len(seeds(cfg, a.state)) != 0 {
		t.Errorf("seeded with %s, and %d commands more", got, len(seeds(cfg, a.state)))
	}
	run := func(u *config.Upstream, words string) {
		t.Helper()
		e, err := edit(u, a.state)
		if err != nil {
			t.Fatal(err)
		}
		c, err := inWords(e, words)
		if err != nil {
			t.Fatal(err)
		}
		a.make(t, c)
	}
	run(u, "remove 10.0.0.2:80")
	run(u, "remove 10.0.0.1:80")
	if got := lines(t, u, a.state); got != "" {
		t.Errorf("removed, but for %s", got)
	}
	run(v, "add 10.0.0.3:80")
	run(v, "remove 10.0.0.3:80")
	late := *v // a node that was away comes back with a file of before
	late.Servers = u.Servers
	if got := lines(t, &late, a.state); got != "" || len(seeds(cfg, a.state)) != 0 {
		t.Errorf("an old file brings back %s", got)
	}
}

// TestSeedOfManyServers: commands stay far below what one may hold, and the
// servers in their order.
func TestSeedOfManyServers(t *testing.T) {
	t.Parallel()
	u := &config.Upstream{Name: "u", Zone: "u", State: "/u.state"}
	for i := range 1200 {
		line, err := u.ParseServer([]string{fmt.Sprintf("10.0.%d.%d:80", i/250, i%250)})
		if err != nil {
			t.Fatal(err)
		}
		u.Servers = append(u.Servers, line)
	}
	cfg := &config.Config{HTTP: &config.HTTP{Upstreams: []*config.Upstream{u}}}
	a := agreement{state: &consensus.State{}}
	before := lines(t, u, a.state)
	list := seeds(cfg, a.state)
	for _, b := range list {
		if text, err := json.Marshal(b); err != nil || len(text) > consensus.MaxCommand/4 {
			t.Errorf("a command of %d bytes, %v", len(text), err)
		}
		a.make(t, b)
		if got := lines(t, u, a.state); got != before {
			t.Error("the servers differ while they are seeded")
		}
	}
	if len(list) != 3 || len(seeds(cfg, a.state)) != 0 {
		t.Errorf("%d commands", len(list))
	}
}
