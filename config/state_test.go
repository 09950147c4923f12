package config

import (
	"reflect"
	"testing"
	"time"
)

// A server that is written into a state file is read as it was.
func TestAppendServer(t *testing.T) {
	t.Parallel()
	plain := UpstreamServer{Weight: 1, MaxFails: 1, FailTimeout: DefaultFailTimeout}
	with := func(edit func(*UpstreamServer)) UpstreamServer {
		s := plain
		edit(&s)
		return s
	}
	for _, c := range []struct {
		server UpstreamServer
		want   string
	}{
		{with(func(s *UpstreamServer) { s.Address, s.Host, s.Port = "10.0.0.1", "10.0.0.1", 80 }), "server 10.0.0.1;\n"},
		{with(func(s *UpstreamServer) {
			s.Address, s.Unix = "unix:/run/a b", "/run/a b"
			s.Weight, s.MaxConns, s.MaxFails, s.FailTimeout = 5, 10, 0, time.Minute
			s.Backup, s.Down = true, true
		}), "server \"unix:/run/a b\" weight=5 max_conns=10 max_fails=0 fail_timeout=60s backup down;\n"},
		{with(func(s *UpstreamServer) {
			s.Address, s.Host, s.Port = "app.example", "app.example", 80
			s.Service, s.Resolve, s.Route, s.SlowStart, s.Drain = "http", true, `a;"b\`, 30*time.Second, true
		}), "server app.example service=http resolve slow_start=30s \"route=a;\\\"b\\\\\" drain;\n"},
	} {
		got := string(AppendServer(nil, &c.server))
		if got != c.want {
			t.Errorf("got  %swant %s", got, c.want)
		}
		cfg, err := Load(testOptions(map[string]string{
			testMain: "http { resolver 10.0.0.53; upstream u { zone u 64k; state u.state; } }", "/etc/weir/u.state": "server 10.9.9.9;\n" + got,
		}))
		if err != nil {
			t.Error(err)
			continue
		}
		read := cfg.HTTP.Upstreams[0].Servers[1]
		if read.Pos != (Pos{"/etc/weir/u.state", 2}) {
			t.Errorf("read at %s", read.Pos)
		}
		if read.Pos = (Pos{}); !reflect.DeepEqual(read, c.server) {
			t.Errorf("read  %+v\nwrote %+v", read, c.server)
		}
	}
}

// Whatever a route is made of, it is read as it was written.
func FuzzAppendServer(f *testing.F) {
	for _, s := range []string{"a", " ", `"`, `\`, "a\n;}", "$x #", `\"`, `\t`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, route string) {
		if route == "" || len(route) > 32 {
			return
		}
		s := UpstreamServer{Address: "10.0.0.1", Weight: 1, MaxFails: 1, FailTimeout: DefaultFailTimeout, Route: route}
		cfg, err := Load(testOptions(map[string]string{
			testMain: "http { upstream u { zone u 64k; state u.state; } }", "/etc/weir/u.state": string(AppendServer(nil, &s)),
		}))
		if err != nil {
			t.Fatalf("%q: %v", route, err)
		}
		if got := cfg.HTTP.Upstreams[0].Servers[0].Route; got != route {
			t.Errorf("%q was read as %q", route, got)
		}
	})
}
