package config

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"512", 512, true},
		{"8k", 8192, true},
		{"8K", 8192, true},
		{"2m", 2 << 20, true},
		{"2M", 2 << 20, true},
		{"1g", 0, false},
		{"", 0, false},
		{"k", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{"1.5k", 0, false},
		{"1kk", 0, false},
		{"9223372036854775807", 9223372036854775807, true},
		{"9223372036854775808", 0, false},
		{"9223372036854775807k", 0, false},
	} {
		if got, ok := parseSize(c.in); got != c.want || ok != c.ok {
			t.Errorf("parseSize(%q) = %d, %v; want %d, %v", c.in, got, ok, c.want, c.ok)
		}
	}
	if got, ok := parseOffset("3g"); got != 3<<30 || !ok {
		t.Errorf("parseOffset(3g) = %d, %v", got, ok)
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	const s, m, h = time.Second, time.Minute, time.Hour
	for _, c := range []struct {
		in      string
		want    time.Duration
		ok      bool // at millisecond resolution
		seconds bool // also at second resolution
	}{
		{"0", 0, true, true},
		{"30", 30 * s, true, true},
		{"30s", 30 * s, true, true},
		{"5m", 5 * m, true, true},
		{"1h", h, true, true},
		{"1d", day, true, true},
		{"1w", 7 * day, true, true},
		{"1M", 30 * day, true, true},
		{"1y", 365 * day, true, true},
		{"100ms", 100 * time.Millisecond, true, false},
		{"1s500ms", 1500 * time.Millisecond, true, false},
		{"1h30m", h + 30*m, true, true},
		{"1h 30m", h + 30*m, true, true},
		{"1h 30m 5s", h + 30*m + 5*s, true, true},
		{"1h30", h + 30*s, true, true},
		{"1y1M1w1d1h1m1s", 403*day + h + m + s, true, true},
		{"", 0, false, false},
		{"s", 0, false, false},
		{"1x", 0, false, false},
		{"1m1h", 0, false, false},
		{"1m1m", 0, false, false},
		{"30 1m", 0, false, false},
		{"-1s", 0, false, false},
		{"1.5s", 0, false, false},
		{"300y", 0, false, false},
	} {
		for _, seconds := range []bool{false, true} {
			want, wantOK := c.want, c.ok
			if seconds {
				wantOK = c.seconds
			}
			if !wantOK {
				want = 0
			}
			if got, ok := parseTime(c.in, seconds); got != want || ok != wantOK {
				t.Errorf("parseTime(%q, %v) = %v, %v; want %v, %v", c.in, seconds, got, ok, want, wantOK)
			}
		}
	}
}

func TestParseHostPort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want hostPort
		bad  string
	}{
		{"a", hostPort{host: "a", port: 80}, ""},
		{"a:81", hostPort{host: "a", port: 81, portSet: true}, ""},
		{"a:81/x?y", hostPort{host: "a", port: 81, portSet: true, uri: "/x?y"}, ""},
		{"a?y", hostPort{host: "a", port: 80, uri: "?y"}, ""},
		{"a/b:9", hostPort{host: "a", port: 80, uri: "/b:9"}, ""},
		{"[::1]", hostPort{host: "[::1]", port: 80}, ""},
		{"[::1]:82/", hostPort{host: "[::1]", port: 82, portSet: true, uri: "/"}, ""},
		{"unix:/s", hostPort{unix: "/s"}, ""},
		{"UNIX:/s:/u", hostPort{unix: "/s", uri: "/u"}, ""},
		{"", hostPort{}, "no host"},
		{":80", hostPort{}, "no host"},
		{"[]", hostPort{}, "no host"},
		{"a:", hostPort{}, "invalid port"},
		{"a:0", hostPort{}, "invalid port"},
		{"a:65536", hostPort{}, "invalid port"},
		{"a:b", hostPort{}, "invalid port"},
		{"[::1", hostPort{}, "invalid host"},
		{"[::1]x", hostPort{}, "invalid host"},
		{"unix:", hostPort{}, "no path in the unix domain socket"},
	} {
		got, bad := parseHostPort(c.in, 80, true)
		if bad != c.bad || bad == "" && got != c.want {
			t.Errorf("parseHostPort(%q) = %+v, %q; want %+v, %q", c.in, got, bad, c.want, c.bad)
		}
	}
	if _, bad := parseHostPort("a/b", 80, false); bad != "invalid host" {
		t.Errorf("a URI where none may be: %q", bad)
	}
}

func TestParseCIDR(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		low, ok  bool
	}{
		{"10.0.0.1", "10.0.0.1/32", false, true},
		{"::1", "::1/128", false, true},
		{"10.0.0.0/8", "10.0.0.0/8", false, true},
		{"10.1.0.0/8", "10.0.0.0/8", true, true},
		{"10.0.0.0/255.0.0.0", "10.0.0.0/8", false, true},
		{"10.0.0.0/255.0.255.0", "", false, false},
		{"0.0.0.0/0", "0.0.0.0/0", false, true},
		{"10.0.0.0/33", "", false, false},
		{"10.0.0", "", false, false},
		{"fe80::1%eth0", "", false, false},
		{"", "", false, false},
	} {
		got, low, ok := parseCIDR(c.in)
		if ok != c.ok || low != c.low || ok && got.String() != c.want {
			t.Errorf("parseCIDR(%q) = %v, %v, %v; want %s, %v, %v", c.in, got, low, ok, c.want, c.low, c.ok)
		}
	}
}

func TestParseExpires(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in       string
		modified bool
		want     Expires
		ok       bool
	}{
		{"off", false, Expires{Kind: ExpiresOff}, true},
		{"epoch", false, Expires{Kind: ExpiresEpoch}, true},
		{"max", false, Expires{Kind: ExpiresMax}, true},
		{"1h", false, Expires{Kind: ExpiresAccess, Time: time.Hour}, true},
		{"-1h", false, Expires{Kind: ExpiresAccess, Time: -time.Hour}, true},
		{"+1h", true, Expires{Kind: ExpiresModified, Time: time.Hour}, true},
		{"@15h30m", false, Expires{Kind: ExpiresDaily, Time: 15*time.Hour + 30*time.Minute}, true},
		{"max", true, Expires{}, false},
		{"soon", false, Expires{}, false},
	} {
		got, ok := ParseExpires(c.in, c.modified)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("ParseExpires(%q, %v) = %+v, %v; want %+v, %v", c.in, c.modified, got, ok, c.want, c.ok)
		}
	}
}
