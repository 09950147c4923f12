package access

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/request"
)

func trusted(list ...string) (from []config.RealIPSource) {
	for _, text := range list {
		if text == "unix:" {
			from = append(from, config.RealIPSource{Unix: true})
		} else {
			from = append(from, config.RealIPSource{Prefix: prefix(text)})
		}
	}
	return from
}

func newRealIP(t *testing.T, c config.RealIP) *RealIP {
	t.Helper()
	p, err := NewRealIP(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// became tells what the handler made of a request's client, "-" for nothing.
func became(t *testing.T, p *RealIP, r *request.Request) string {
	t.Helper()
	if v := p.Serve(r); v != request.Next {
		t.Errorf("verdict %v", v)
	}
	if r.Client == r.Conn.Remote.Addr() {
		return "-"
	}
	if r.Client.String() != string(r.ClientText) {
		t.Errorf("address %s, but text %q", r.Client, r.ClientText)
	}
	if r.ClientPort == 0 {
		return string(r.ClientText)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), r.ClientPort).String()[len("0.0.0.0"):] + string(r.ClientText)
}

func TestRealIPScript(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("testdata/realip.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(script)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		columns := strings.Split(line, "|")
		c := config.RealIP{From: trusted("127.0.0.1", "10.0.0.0/8", "2001:db8::/32"), Header: "X-Forwarded-For", Recursive: true}
		if header, ok := strings.CutPrefix(strings.TrimSpace(columns[0]), "header "); ok {
			c.Header = header
		} else {
			c.Recursive = strings.TrimSpace(columns[0]) == "recursive"
		}
		r, _ := newRequest("127.0.0.1")
		for field := range strings.SplitSeq(columns[1], ";") {
			name, value, ok := strings.Cut(strings.TrimSpace(field), ":")
			if !ok {
				continue
			}
			if name == "X" {
				name = "X-Forwarded-For"
			}
			value = strings.ReplaceAll(strings.TrimSpace(value), `\t`, "\t")
			r.Head.Add([]byte(name), []byte(value))
		}
		want := strings.TrimSpace(columns[2])
		if addr, port, ok := strings.Cut(want, " "); ok {
			want = ":" + port + addr
		}
		if got := became(t, newRealIP(t, c), r); got != want {
			t.Errorf("%s: got %s", line, got)
		}
	}
}

func TestRealIPOfUntrusted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from []config.RealIPSource
		peer string
		want string
	}{
		{trusted("10.0.0.0/8"), "10.255.0.1", "1.2.3.4"},
		{trusted("10.0.0.0/8"), "::ffff:10.0.0.1", "1.2.3.4"},
		{trusted("10.0.0.0/8"), "11.0.0.1", "-"},
		{trusted("10.0.0.0/8"), "unix:", "-"},
		{trusted("unix:"), "unix:", "1.2.3.4"},
		{trusted("unix:"), "10.0.0.1", "-"},
		{trusted("0.0.0.0/0"), "::1", "-"},
	}
	for _, test := range tests {
		r, _ := newRequest(test.peer)
		r.Head.Add([]byte("X-Real-IP"), []byte("1.2.3.4"))
		if got := became(t, newRealIP(t, config.RealIP{From: test.from}), r); got != test.want {
			t.Errorf("from %v, peer %s: got %s, want %s", test.from, test.peer, got, test.want)
		}
	}
}

func TestRealIPOfProxyProtocol(t *testing.T) {
	t.Parallel()
	p := newRealIP(t, config.RealIP{From: trusted("127.0.0.1"), Header: "proxy_protocol"})
	r, _ := newRequest("127.0.0.1")
	if got := became(t, p, r); got != "-" {
		t.Errorf("without a PROXY header: %s", got)
	}
	r.Conn.Proxied = &request.Proxied{Source: netip.MustParseAddrPort("203.0.113.9:4711")}
	if got := became(t, p, r); got != ":4711203.0.113.9" {
		t.Errorf("with a PROXY header: %s", got)
	}
	r, _ = newRequest("127.0.0.2")
	r.Conn.Proxied = &request.Proxied{Source: netip.MustParseAddrPort("203.0.113.9:4711")}
	if got := became(t, p, r); got != "-" {
		t.Errorf("from a stranger: %s", got)
	}
}

func TestRealIPIsReplacedOnce(t *testing.T) {
	t.Parallel()
	r, _ := newRequest("127.0.0.1")
	r.Head.Add([]byte("X-Real-IP"), []byte("1.1.1.1"))
	r.Head.Add([]byte("X-Client"), []byte("2.2.2.2"))
	server := newRealIP(t, config.RealIP{From: trusted("127.0.0.1")})
	location := newRealIP(t, config.RealIP{From: trusted("127.0.0.1", "1.1.1.1"), Header: "X-Client"})
	became(t, server, r)
	if got := became(t, location, r); got != "1.1.1.1" {
		t.Errorf("the location replaced what the server had found: %s", got)
	}
}

func TestRealIPNames(t *testing.T) {
	t.Parallel()
	from := []config.RealIPSource{{Host: "proxy.example", Pos: config.Pos{File: "c", Line: 2}}}
	p, err := NewRealIP(config.RealIP{From: from}, func(host string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{"192.0.2.9": true, "2001:db8::9": true, "192.0.2.8": false} {
		if got := p.trusted.Has(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	failure := errors.New("no such host")
	_, err = NewRealIP(config.RealIP{From: from}, func(string) ([]netip.Addr, error) { return nil, failure })
	if !errors.Is(err, failure) || !strings.Contains(err.Error(), `"proxy.example"`) || !strings.HasSuffix(err.Error(), "in c:2") {
		t.Errorf("got %v", err)
	}
	if p, err := NewRealIP(config.RealIP{Header: "X-Real-IP"}, nil); p != nil || err != nil {
		t.Errorf("no sources give %v, %v", p, err)
	}
}

func FuzzClient(f *testing.F) {
	f.Add("1.2.3.4, 10.0.0.1, [2001:db8::1]:80", true)
	all := &Trusted{prefixes: []netip.Prefix{prefix("0.0.0.0/0"), prefix("::/0")}}
	f.Fuzz(func(t *testing.T, list string, recursive bool) {
		client, more, found := all.Client([]byte(list), netip.IPv4Unspecified(), recursive)
		if found && !client.Addr().IsValid() || more && !found {
			t.Fatalf("%q: %v, %v, %v", list, client, more, found)
		}
		if found && !strings.Contains(list, ":") && !strings.Contains(list, client.Addr().String()) {
			t.Fatalf("%q gave %v, which is not in it", list, client)
		}
	})
}
