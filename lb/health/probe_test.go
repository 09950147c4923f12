package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/examples/selfsigned"
	"github.com/weir-lb/weir/lb/connect"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/variable"
)

// serve runs a server that treats each connection as it is told. It counts
// the connections.
func serve(t *testing.T, treat func(c net.Conn)) (addr netip.AddrPort, conns *atomic.Int32) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	conns = new(atomic.Int32)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				treat(c)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).AddrPort(), conns
}

// readHead reads a request's head.
func readHead(r *bufio.Reader) (head string, err error) {
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := r.ReadString('\n')
		if err != nil {
			return head, err
		}
		head += line
	}
	return head, nil
}

// says is a server that answers every request with the same bytes and then
// closes.
func says(reply string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := readHead(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, reply)
		}
	}
}

// answer reads a match block.
func answer(t *testing.T, tests string) (Answer, *variable.Table) {
	t.Helper()
	table := variable.NewTable()
	request.AddVariables(table, request.Env{})
	if tests == "" {
		a, err := NewMatch(table, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a, table
	}
	conf, err := config.Load(config.Options{File: "/m.conf", ReadFile: func(name string) ([]byte, error) {
		if name != "/m.conf" {
			return nil, fs.ErrNotExist
		}
		return []byte("http { match m { " + tests + " } }"), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := NewMatch(table, conf.HTTP.Matches[0])
	if err != nil {
		t.Fatal(err)
	}
	return a, table
}

// question asks with the given tests.
func question(t *testing.T, tests string) *Question {
	t.Helper()
	a, table := answer(t, tests)
	return &Question{
		Head: []byte("GET / HTTP/1.1\r\nHost: u\r\n\r\n"), Profile: &connect.Profile{Patient: true}, Answer: a, Slots: table.Slots(),
		Connect: 30 * time.Second, Send: 30 * time.Second, Read: 30 * time.Second,
		Limits: http1.Limits{LineSize: 4096, FieldSize: 4096, TotalSize: 4096, Underscores: true, IgnoreInvalid: true},
	}
}

// at returns the place of a server.
func at(t *testing.T, addr upstream.Addr, c *Check) *Place {
	t.Helper()
	pool, err := upstream.NewPool(upstream.Config{Name: "u", Servers: []upstream.Server{{Name: "s", Weight: 1, Addrs: []upstream.Addr{addr}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(pool.Peers()[0], c)
	t.Cleanup(p.close)
	return p
}

const (
	ok   = "HTTP/1.1 200 OK\r\n"
	html = ok + "Content-Type: text/html; charset=utf-8\r\nX-A: one\r\nX-A: two\r\nContent-Length: 11\r\n\r\nHello world"
)

// TestMatch asks servers that answer at once and close.
func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tests, reply string
		want         string
	}{
		// Without a match block.
		{"", html, ""},
		{"", ok + "\r\n", ""},
		{"", "HTTP/1.1 301 Moved\r\nLocation: http://other/\r\n\r\n", ""},
		{"", "HTTP/1.1 399 Odd\r\n\r\n", ""},
		{"", "HTTP/1.1 400 Bad\r\n\r\n", "status: 400"},
		{"", "HTTP/1.1 500 Error\r\nContent-Length: 3\r\n\r\nabc", "status: 500"},
		{"", "HTTP/1.1 101 Switching\r\n\r\n", "status: 101"},
		{"", "HTTP/1.1 100 Continue\r\n\r\n" + html, ""},
		{"", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + "HTTP/1.1 503 Busy\r\n\r\n", "status: 503"},
		{"", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000), "malformed: upstream sent too many interim responses"},
		// The guide's.
		{`status 200; header Content-Type ~ text/html; body ~ "Hello world";`, html, ""},
		{`status 200; header Content-Type ~ text/html; body ~ "Hello world";`, ok + "Content-Type: text/plain\r\n\r\nHello world", "header: Content-Type"},
		{`status 200; header Content-Type ~ text/html; body ~ "Hello World";`, html, "body: 11 bytes were looked at"},
		// Status lists.
		{`status 200 204;`, "HTTP/1.1 204 No Content\r\n\r\n", ""},
		{`status 200 204;`, "HTTP/1.1 206 Partial\r\n\r\n", "status: 206"},
		{`status 200-299 304;`, "HTTP/1.1 304 Not Modified\r\n\r\n", ""},
		{`status 200-299 304;`, "HTTP/1.1 300 Choices\r\n\r\n", "status: 300"},
		{`status ! 500-599;`, "HTTP/1.1 499 Odd\r\n\r\n", ""},
		{`status ! 301 302;`, "HTTP/1.1 302 Found\r\n\r\n", "status: 302"},
		{`body ~ x;`, "HTTP/1.1 500 Error\r\nContent-Length: 1\r\n\r\nx", ""}, // no status test: any
		// Headers; the name in any case, the value exactly.
		{`header x-a;`, html, ""},
		{`header X-B;`, html, "header: X-B"},
		{`header ! X-B;`, html, ""},
		{`header ! X-A;`, html, "header: X-A"},
		{`header X-A = two;`, html, ""},
		{`header X-A = TWO;`, html, "header: X-A"},
		{`header X-A != three;`, html, ""},
		{`header X-A != two;`, html, "header: X-A"},
		{`header X-B != two;`, html, "header: X-B"},
		{`header X-A ~ ^t;`, html, ""},
		{`header X-A ~ ^T;`, html, "header: X-A"},
		{`header X-A !~ three;`, html, ""},
		{`header X-A !~ one;`, html, "header: X-A"},
		{`header X-B !~ one;`, html, "header: X-B"},
		// Bodies of all kinds.
		{`body ~ world$;`, ok + "Transfer-Encoding: chunked\r\n\r\n6\r\nHello \r\n5\r\nworld\r\n0\r\n\r\n", ""},
		{`body ~ world;`, ok + "\r\nHello world", ""}, // until the end of the connection
		{`body ~ world;`, "HTTP/1.0 200 OK\r\n\r\nHello world", ""},
		{`body !~ error;`, html, ""},
		{`body !~ world;`, html, "body: 11 bytes were looked at"},
		{`body ~ x;`, ok + "Content-Length: 0\r\n\r\n", "body: 0 bytes were looked at"},
		{`body ~ Hello;`, ok + "Content-Length: 20\r\n\r\nHello", "closed"},
		{`body ~ Hello;`, ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n", "closed"},
		{`body ~ Hello;`, ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nHello\r\n", "malformed: upstream sent an invalid body: invalid chunk size"},
		{`body ~ ^(?=Hello);`, html, ""}, // an expression that needs backtracking
		// Variables of the reply.
		{`require $upstream_http_x_a;`, html, ""},
		{`require $upstream_http_x_b;`, html, "require: $upstream_http_x_b"},
		{`require $upstream_http_x_a $upstream_http_x_load;`, ok + "X-A: 1\r\nX-Load: 0\r\n\r\n", "require: $upstream_http_x_load"},
		{`header X-A ~ (?<which>two); require $which;`, html, ""},
		{`require $upstream_status $upstream_addr $upstream_response_time;`, html, ""},
		// What is no reply.
		{"", "", "closed"},
		{"", "HTTP/1.1 200", "closed"},
		{"", "SSH-2.0-OpenSSH_9.6\r\n", "malformed: upstream sent no valid HTTP/1.0 header"},
		{"", "HTTP/1.1 2x0 OK\r\n\r\n", "malformed: upstream sent no valid HTTP/1.0 header"},
		{"", ok + "X-A 1\r\n\x00\r\n\r\n", "malformed: upstream sent invalid header"},
		{"", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed: upstream sent invalid \"Content-Length\" header"},
		{"", ok + "X-A: " + strings.Repeat("a", 8000) + "\r\n\r\n", "malformed: upstream sent too big header"},
	} {
		addr, _ := serve(t, says(tt.reply))
		f := question(t, tt.tests).Probe(t.Context(), at(t, upstream.Addr{AddrPort: addr}, &Check{}))
		got := f.words()
		if f.Passed() {
			got = ""
		}
		if got != tt.want && (!strings.HasPrefix(tt.want, "malformed") || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("match { %s } of %.60q: %q, want %q", tt.tests, tt.reply, got, tt.want)
		}
	}
}

// TestProbeFaults asks servers that misbehave as connections go.
func TestProbeFaults(t *testing.T) {
	t.Parallel()
	hang := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	trickle := func(begin string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = readHead(bufio.NewReader(c))
			if _, err := io.WriteString(c, begin); err != nil {
				return
			}
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := io.WriteString(c, "a"); err != nil {
					return
				}
			}
		}
	}
	for name, tt := range map[string]struct {
		treat func(net.Conn)
		tests string
		want  string
	}{
		"silent":                 {hang, "", "timeout"},
		"trickles a head":        {trickle(ok + "X-A: "), "", "timeout"},
		"trickles a body":        {trickle(ok + "\r\n"), "body ~ b;", "timeout"},
		"trickles chunks":        {trickle(ok + "Transfer-Encoding: chunked\r\n\r\n1;"), "body ~ b;", "timeout"},
		"a body nobody looks at": {trickle(ok + "\r\n"), "", ""},
		"resets at once":         {func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }, "", "closed"},
		"resets after the head":  {func(c net.Conn) { says(ok + "Content-Length: 9\r\n\r\nab")(c); _ = c.(*net.TCPConn).SetLinger(0) }, "body ~ a;", "closed"},
		"closes without a word":  {func(net.Conn) {}, "", "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := serve(t, tt.treat)
			q := question(t, tt.tests)
			if tt.want == "timeout" {
				q.Read = time.Second
			}
			f := q.Probe(t.Context(), at(t, upstream.Addr{AddrPort: addr}, &Check{}))
			if got := f.Reason.String(); got != tt.want && !(f.Passed() && tt.want == "") {
				t.Errorf("%s, want %s", f.words(), tt.want)
			}
		})
	}
}

// TestProbeUnreachable asks where nobody is.
func TestProbeUnreachable(t *testing.T) {
	t.Parallel()
	for want, addr := range map[string]upstream.Addr{
		"refused: connect() failed (111: Connection refused)":          {AddrPort: loopback.Refusing(t)},
		"unreachable: connect() failed (2: No such file or directory)": {Path: filepath.Join(t.TempDir(), "none")},
		"unreachable: connect() failed (101: Network is unreachable)":  {AddrPort: netip.MustParseAddrPort("224.0.0.1:80")}, // TCP has no groups
	} {
		f := question(t, "").Probe(t.Context(), at(t, addr, &Check{}))
		if got := f.words(); got != want {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// TestProbeEndlessBody: what a server sends without an end costs no more than
// is looked at.
func TestProbeEndlessBody(t *testing.T) {
	t.Parallel()
	for begin, tests := range map[string]string{
		ok + "\r\n": "body ~ nothing;", ok + "Content-Length: 99999999999\r\n\r\n": "body !~ nothing;",
	} {
		sent := make(chan int, 1)
		addr, _ := serve(t, func(c net.Conn) {
			_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
			_, _ = readHead(bufio.NewReader(c))
			n, _ := io.WriteString(c, begin)
			for chunk := make([]byte, 16<<10); ; {
				m, err := c.Write(chunk)
				if n += m; err != nil {
					sent <- n
					return
				}
			}
		})
		q := question(t, tests)
		f := q.Probe(t.Context(), at(t, upstream.Addr{AddrPort: addr}, &Check{}))
		if strings.Contains(tests, "!") != f.Passed() || !f.Passed() && f.Detail != "262144 bytes were looked at" {
			t.Errorf("%s: %s", tests, f.words())
		}
		if n := <-sent; n > 16<<20 { // mostly what the kernel holds for both ends
			t.Errorf("the server could send %d bytes", n)
		}
	}
}

// TestProbeKeepalive: probes share a connection as long as keepalive_time
// allows, and one that has died meanwhile says nothing about the peer.
func TestProbeKeepalive(t *testing.T) {
	t.Parallel()
	keep := func(c net.Conn) {
		r := bufio.NewReader(c)
		for range 3 {
			if _, err := readHead(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, html)
		}
	}
	for _, tt := range []struct {
		keep  time.Duration
		tests string
		conns int32 // of eight probes
	}{
		{0, "", 8},
		{time.Hour, "", 3},
		{time.Hour, `body ~ "Hello world";`, 3},
		{time.Nanosecond, "", 8},
	} {
		addr, conns := serve(t, keep)
		q := question(t, tt.tests)
		q.Keep = tt.keep > 0
		p := at(t, upstream.Addr{AddrPort: addr}, &Check{KeepaliveTime: tt.keep})
		for i := range 8 {
			if f := q.Probe(t.Context(), p); !f.Passed() {
				t.Errorf("probe %d: %s", i, f.words())
			}
		}
		if n := conns.Load(); n != tt.conns {
			t.Errorf("keepalive_time %s: %d connections, want %d", tt.keep, n, tt.conns)
		}
	}
}

// TestProbePort asks another port than that of the peer.
func TestProbePort(t *testing.T) {
	t.Parallel()
	addr, conns := serve(t, says(html))
	p := at(t, upstream.Addr{AddrPort: netip.AddrPortFrom(addr.Addr(), 1)}, &Check{Port: addr.Port()})
	if f := question(t, "").Probe(t.Context(), p); !f.Passed() || conns.Load() != 1 {
		t.Errorf("%s, %d connections", f.words(), conns.Load())
	}
}

// TestProbeTLS asks over TLS: well, without a certificate that is trusted, and
// where no TLS is spoken.
func TestProbeTLS(t *testing.T) {
	t.Parallel()
	pair, err := selfsigned.Make(selfsigned.ECDSA, "app.example")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	secure, _ := serve(t, func(c net.Conn) {
		says(html)(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	})
	plain, _ := serve(t, func(c net.Conn) { _, _ = io.WriteString(c, html) })
	silent, _ := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for _, tt := range []struct {
		addr   netip.AddrPort
		verify bool
		want   Reason
	}{
		{secure, false, ReasonNone}, {secure, true, ReasonTLS}, {plain, false, ReasonTLS}, {silent, false, ReasonTimeout},
	} {
		q := question(t, "")
		q.Profile.TLS = &tls.Config{InsecureSkipVerify: !tt.verify, ServerName: "app.example"}
		if tt.want == ReasonTimeout {
			q.Read = time.Second
		}
		f := q.Probe(t.Context(), at(t, upstream.Addr{AddrPort: tt.addr}, &Check{}))
		if f.Reason != tt.want {
			t.Errorf("%s, want %s", f.words(), tt.want)
		}
	}
}

// TestProbeEndsWithItsContext: closing the checker leaves nobody waiting.
func TestProbeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	addr, _ := serve(t, func(c net.Conn) {
		_, _ = readHead(bufio.NewReader(c))
		close(asked)
		_, _ = io.Copy(io.Discard, c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	q := question(t, "")
	q.Read = time.Minute
	if f := q.Probe(ctx, at(t, upstream.Addr{AddrPort: addr}, &Check{})); f.Passed() {
		t.Error("passed")
	}
}

// TestReasons names what errors mean.
func TestReasons(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		syscall.ECONNRESET: "closed: 104: Connection reset by peer", io.EOF: "closed", syscall.EHOSTUNREACH: "unreachable: 113: No route to host",
	} {
		if got := (Finding{Reason: reasonOf(err), Detail: detailOf(err)}).words(); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}
