package listen

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// parseSpecs reads "addr:port", "addr:port!" (with bind) and "unix:path".
func parseSpecs(t *testing.T, text string) []Spec {
	t.Helper()
	var specs []Spec
	for _, word := range strings.Fields(text) {
		if path, ok := strings.CutPrefix(word, "unix:"); ok {
			specs = append(specs, Spec{Path: path})
			continue
		}
		address, bind := strings.CutSuffix(word, "!")
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, Spec{Addr: ap, Bind: bind})
	}
	return specs
}

func TestPlan(t *testing.T) {
	t.Parallel()
	tests := []struct{ specs, want string }{
		{"1.1.1.1:80", "[0]"},
		{"0.0.0.0:80 1.1.1.1:80", "[1 0]"},
		{"1.1.1.1:80 0.0.0.0:80 2.2.2.2:80", "[0 2 1]"},
		{"1.1.1.1:80! 0.0.0.0:80", "[0] [1]"},
		{"1.1.1.1:81 0.0.0.0:80", "[0] [1]"},
		{"1.1.1.1:80 [::]:80", "[0] [1]"},
		{"[::1]:80 [::]:80 1.1.1.1:80 0.0.0.0:80", "[0 1] [2 3]"},
		{"unix:/a 0.0.0.0:80 unix:/b", "[0] [1] [2]"},
		{"0.0.0.0:0 127.0.0.1:0", "[0] [1]"},
	}
	for _, tt := range tests {
		bindings, err := plan(parseSpecs(t, tt.specs))
		if err != nil {
			t.Errorf("%s: %v", tt.specs, err)
			continue
		}
		got := make(map[string]bool)
		for _, b := range bindings {
			got[fmt.Sprint(b.Specs)] = true
		}
		want := strings.SplitAfter(tt.want, "]")
		want = want[:len(want)-1]
		for _, w := range want {
			if !got[strings.TrimSpace(w)] {
				t.Errorf("%s: got %v, want %s", tt.specs, got, tt.want)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: got %v, want %s", tt.specs, got, tt.want)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for _, specs := range [][]Spec{parseSpecs(t, "1.1.1.1:80 1.1.1.1:80"), parseSpecs(t, "unix:/a unix:/a"), {{}}} {
		if _, err := plan(specs); err == nil {
			t.Errorf("%v was accepted", specs)
		}
	}
}

func TestBindingSpec(t *testing.T) {
	t.Parallel()
	wild4 := "1.1.1.1:80 0.0.0.0:80 2.2.2.2:80"
	tests := []struct {
		specs string
		local net.Addr
		want  int
	}{
		{"1.1.1.1:80", tcp("9.9.9.9:80"), 0},
		{wild4, tcp("1.1.1.1:80"), 0},
		{wild4, tcp("[::ffff:2.2.2.2]:80"), 2},
		{wild4, tcp("3.3.3.3:80"), 1},
		{"[::1]:80 [::]:80", tcp("[::1]:80"), 0},
		{"[::1]:80 [::]:80", tcp("[::2]:80"), 1},
		{"[fe80::1%eth0]:80 [::]:80", tcp("[fe80::1%eth0]:80"), 0},
		{"[fe80::1%eth0]:80 [::]:80", tcp("[fe80::1%eth1]:80"), 1},
		{"unix:/a", &net.UnixAddr{Name: "/a", Net: "unix"}, 0},
		{wild4, &net.UnixAddr{Name: "/a", Net: "unix"}, 1},
	}
	for _, tt := range tests {
		bindings, err := plan(parseSpecs(t, tt.specs))
		if err != nil || len(bindings) != 1 {
			t.Fatal(bindings, err)
		}
		if got := bindings[0].Spec(tt.local); got != tt.want {
			t.Errorf("%s: %v belongs to %d, want %d", tt.specs, tt.local, got, tt.want)
		}
	}
}

func tcp(address string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)) }
