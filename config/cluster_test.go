package config

import (
	"net/netip"
	"strings"
	"testing"
)

// The list of a cluster holds for addresses however they are written, and the
// node itself is always allowed.
func TestClusterAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ allow, yes, no string }{
		{"", "10.0.0.1 10.9.9.9 2001:db8::1", ""},
		{"allow all;", "10.0.0.1 10.9.9.9 2001:db8::1", ""},
		{"allow 10.0.1.0/24;", "10.0.0.1 10.0.1.9 ::ffff:10.0.1.9", "10.0.2.9 2001:db8::1 ::1"},
		{"allow 10.0.1.7 fe80::/10;", "10.0.1.7 fe80::1%eth0", "10.0.1.8 2001:db8::1"},
	} {
		text := "cluster { name a; node b; listen 10.0.0.1; data d; secret s; " + c.allow + " }"
		cfg, err := Load(testOptions(map[string]string{testMain: text + " events {}"}))
		if err != nil {
			t.Fatal(err)
		}
		for _, side := range []struct {
			list string
			want bool
		}{{c.yes, true}, {c.no, false}} {
			for _, a := range strings.Fields(side.list) {
				if got := cfg.Cluster.Allows(netip.MustParseAddr(a)); got != side.want {
					t.Errorf("%s %s: %v", c.allow, a, got)
				}
			}
		}
	}
}
