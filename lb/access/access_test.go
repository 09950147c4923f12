package access

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/request"
)

// rules reads "allow 10.0.0.0/8; deny all".
func rules(t testing.TB, text string) (list []config.AccessRule) {
	t.Helper()
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		r := config.AccessRule{Allow: words[0] == "allow"}
		switch words[1] {
		case "all":
			r.All = true
		case "unix:":
			r.Unix = true
		default:
			r.Prefix = prefix(words[1])
		}
		list = append(list, r)
	}
	return list
}

// prefix reads a network or a single address.
func prefix(text string) netip.Prefix {
	if strings.Contains(text, "/") {
		return netip.MustParsePrefix(text)
	}
	a := netip.MustParseAddr(text)
	return netip.PrefixFrom(a, a.BitLen())
}

// client is an address, invalid for "unix:".
func client(text string) netip.Addr {
	if text == "unix:" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(text)
}

func TestRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rules, client string
		want          Outcome
	}{
		{"", "1.2.3.4", Undecided},
		{"", "unix:", Undecided},
		{"deny all", "1.2.3.4", Denied},
		{"deny all", "2001:db8::1", Denied},
		{"deny all", "unix:", Denied},
		{"allow 127.0.0.1; deny all", "127.0.0.1", Allowed},
		{"allow 127.0.0.1; deny all", "127.0.0.2", Denied},
		{"allow 127.0.0.1; deny all", "::ffff:127.0.0.1", Allowed},
		{"allow 127.0.0.1; deny all", "::1", Denied},
		{"deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32; deny all", "192.168.1.1", Denied},
		{"deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32; deny all", "192.168.1.2", Allowed},
		{"deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32; deny all", "10.1.255.7", Allowed},
		{"deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32; deny all", "10.2.0.1", Denied},
		{"deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32; deny all", "2001:db8:ffff::1", Allowed},
		{"deny 192.168.1.1; allow 192.168.1.0/24; allow 10.1.1.0/16; allow 2001:0db8::/32; deny all", "unix:", Denied},
		{"allow unix:; deny all", "unix:", Allowed},
		{"allow unix:; deny all", "1.2.3.4", Denied},
		{"deny all; allow unix:", "unix:", Denied},
		{"deny 10.0.0.0/8", "11.0.0.1", Undecided},
		{"deny 10.0.0.0/8", "::1", Undecided},
		{"allow 10.0.0.0/8; deny 10.0.0.1", "10.0.0.1", Allowed},
		{"allow 0.0.0.0/0; deny all", "::1", Denied},
		{"deny fe80::/10", "fe80::1%eth0", Undecided},
	}
	for _, test := range tests {
		if got := Compile(rules(t, test.rules)).Decide(client(test.client)); got != test.want {
			t.Errorf("%q, client %s: got %v, want %v", test.rules, test.client, got, test.want)
		}
	}
}

// newRequest returns a request from an address and the lines of its error log.
func newRequest(addr string) (*request.Request, *[]string) {
	r, lines := &request.Request{}, new([]string)
	conn := &request.Conn{RemoteText: []byte(addr)}
	if addr != "unix:" {
		conn.Remote = netip.AddrPortFrom(netip.MustParseAddr(addr), 5000)
	}
	r.Reset(conn, 0)
	r.Log = errorlog.NewFunc(errorlog.Debug, func(l errorlog.Level, _ uint64, m string) {
		*lines = append(*lines, l.String()+" "+m)
	})
	return r, lines
}

// says is a check with one answer; it leaves a field behind where it is 401.
type says int

func (s says) Check(r *request.Request) int {
	if s == 401 {
		r.Reply.Add("WWW-Authenticate", []byte("Basic"))
	}
	return int(s)
}

func TestSatisfy(t *testing.T) {
	t.Parallel()
	const next = 0
	tests := []struct {
		name   string
		any    bool
		checks []Check
		want   int // status, or next
		added  int // fields of the reply
	}{
		{"no checks", false, nil, next, 0},
		{"all: nothing to say", false, []Check{says(0)}, next, 0},
		{"all: allowed", false, []Check{says(200), says(200)}, next, 0},
		{"all: denied first", false, []Check{says(403), says(401)}, 403, 0},
		{"all: password missing", false, []Check{says(200), says(401)}, 401, 1},
		{"all: check failed", false, []Check{says(200), says(500)}, 500, 0},
		{"any: nothing to say", true, []Check{says(0), says(0)}, next, 0},
		{"any: first", true, []Check{says(200), says(403)}, next, 0},
		{"any: second", true, []Check{says(403), says(200)}, next, 0},
		{"any: password not needed after all", true, []Check{says(403), says(401), says(200)}, next, 0},
		{"any: none, no password possible", true, []Check{says(403), says(0)}, 403, 0},
		{"any: none, password asked for", true, []Check{says(403), says(401)}, 401, 1},
		{"any: 401 stays", true, []Check{says(401), says(403)}, 401, 1},
		{"any: check failed", true, []Check{says(403), says(500), says(200)}, 500, 0},
	}
	for _, test := range tests {
		r, _ := newRequest("192.0.2.1")
		verdict := NewSatisfy(test.any, test.checks...).Serve(r)
		got := r.Reply.Status
		if (verdict == request.Next) != (got == next) || got != test.want || len(r.Reply.Added) != test.added {
			t.Errorf("%s: verdict %v, status %d, %d fields; want %d, %d", test.name, verdict, got, len(r.Reply.Added), test.want, test.added)
		}
	}
}

func TestForbiddenIsLogged(t *testing.T) {
	t.Parallel()
	r, lines := newRequest("192.0.2.1")
	r.ServerName = []byte("a")
	if v := NewSatisfy(false, Compile(rules(t, "deny all"))).Serve(r); v != request.Respond {
		t.Errorf("verdict %v", v)
	}
	want := []string{"error access forbidden by rule, client: 192.0.2.1, server: a"}
	if !slices.Equal(*lines, want) {
		t.Errorf("got %q, want %q", *lines, want)
	}
}

func TestNoAllocations(t *testing.T) {
	r, _ := newRequest("192.0.2.1")
	allow := NewSatisfy(true, Compile(rules(t, "allow 10.0.0.0/8; allow 192.0.2.0/24; deny all")))
	realip, err := NewRealIP(config.RealIP{
		From: []config.RealIPSource{{Prefix: prefix("192.0.2.0/24")}}, Header: "X-Forwarded-For", Recursive: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Head.Add([]byte("X-Forwarded-For"), []byte("2001:db8::1, 192.0.2.7:80"))
	conn := *r.Conn
	if n := testing.AllocsPerRun(100, func() {
		r.Arena().Reset()
		r.Client, r.ClientPort, r.ClientText = conn.Remote.Addr(), conn.Remote.Port(), conn.RemoteText
		allow.Serve(r)
		realip.Serve(r)
	}); n != 0 || string(r.ClientText) != "2001:db8::1" {
		t.Errorf("%v allocations, client %s", n, r.ClientText)
	}
}
