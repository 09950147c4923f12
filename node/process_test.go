package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	now := map[string]string{"TZ": "UTC", "PATH": "/bin", "A": "1", "GOGC": "50"}
	lookup := func(name string) (string, bool) { v, ok := now[name]; return v, ok }
	tests := []struct {
		name string
		list []config.Env
		want string
	}{
		{"none named", nil, "TZ=UTC GOGC=50"},
		{"kept", []config.Env{{Name: "A"}}, "TZ=UTC GOGC=50 A=1"},
		{"kept but not there", []config.Env{{Name: "B"}}, "TZ=UTC GOGC=50"},
		{"set", []config.Env{{Name: "A", Value: "2", Set: true}, {Name: "B", Set: true}}, "TZ=UTC GOGC=50 A=2 B="},
		{"set twice", []config.Env{{Name: "A", Value: "2", Set: true}, {Name: "A", Value: "3", Set: true}}, "TZ=UTC GOGC=50 A=3"},
		{"zone", []config.Env{{Name: "TZ", Value: "Asia/Tokyo", Set: true}}, "TZ=Asia/Tokyo GOGC=50"},
	}
	for _, tt := range tests {
		if got := strings.Join(environment(tt.list, lookup), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestProfileOnlyOnLoopback(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", ":0", "x"} {
		if s, err := serveProfile(address); err == nil {
			t.Errorf("%s was accepted", address)
			s.Close()
		}
	}
	s, err := serveProfile("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestFindAccount(t *testing.T) {
	t.Parallel()
	at := config.Pos{File: "f", Line: 1}
	tests := []struct {
		user, group string
		err         string
	}{
		{"root", "root", ""},
		{"nobody", "nobody", ""}, // has no group of its name on Debian
		{"root", "no such group", `getgrnam("no such group") failed in f:1`},
		{"no such user", "no such user", `getpwnam("no such user") failed in f:1`},
	}
	for _, tt := range tests {
		cfg := &config.Config{Main: config.Main{User: tt.user, Group: tt.group, UserPos: at}}
		a, err := findAccount(cfg)
		if errText(err) != tt.err {
			t.Errorf("%s %s: %v, want %s", tt.user, tt.group, err, tt.err)
		}
		if err == nil && (a.name != tt.user || !slices.Contains(a.groups, a.gid)) {
			t.Errorf("%s %s: %+v", tt.user, tt.group, a)
		}
	}
	if a, err := findAccount(&config.Config{}); a != nil || err != nil {
		t.Errorf("no user: %v, %v", a, err)
	}
}
