package lb_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// Each block logs into its own file, or into that of the block around it.
func TestErrorLogOfEachBlock(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	load(t, b, `events {} http { error_log http.log error; access_log off;
		server { listen 127.0.0.1:8080; location / { root html; } location /quiet { log_not_found off; root html; } }
		server { listen 127.0.0.1:8081; error_log server.log error; log_not_found off;
			location / { root html; }
			location /loud { log_not_found on; root html; }
			location /own { error_log location.log error; log_not_found on; root html; } } }`)
	for _, c := range []struct{ addr, path string }{
		{front, "/a"}, {front, "/quiet"}, {"127.0.0.1:8081", "/b"}, {"127.0.0.1:8081", "/loud"}, {"127.0.0.1:8081", "/own"},
	} {
		if r := b.Get(c.addr, c.path); r.Status != 404 {
			t.Error(c.path, r)
		}
	}
	for name, want := range map[string]string{"http": "/a", "server": "/loud", "location": "/own"} {
		lines := lbtest.FileLog(b.Dir+"/"+name+".log").AwaitLines(t, 1)
		if len(lines) != 1 || !strings.Contains(lines[0], "html"+want+`" failed (2: No such file or directory)`) {
			t.Errorf("%s.log: %q", name, lines)
		}
	}
}

// A client that does not read its reply is given up.
func TestSendTimeout(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	b.Write("html/big", strings.Repeat("x", 16<<20))
	load(t, b, site("send_timeout 1h; location / { send_timeout 50ms; root html; }"))
	c := b.Dial(front)
	c.Send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
	if line := b.Access.AwaitLines(t, 1)[0]; !strings.Contains(line, `"GET /big HTTP/1.1" 200 `) || strings.Contains(line, " 16777216 ") {
		t.Error(line)
	}
}

// proxy_socket_keepalive and grpc_socket_keepalive set the timer that the
// kernel shows for the connection to the upstream.
func TestSocketKeepalive(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan net.Conn), make(chan bool)
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		arrived <- c.Conn
		<-answer
		c.Answer(200, "")
	})
	b := lbtest.Start(t, site("location /on { proxy_socket_keepalive on; proxy_pass http://"+be.Addr()+"; }"+
		"location /off { proxy_pass http://"+be.Addr()+"; }"))
	for path, want := range map[string]string{"/on": "02", "/off": "00"} {
		c := b.Dial(front)
		c.Send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		conn := <-arrived
		lbtest.Await(t, func() bool { return socketTimer(t, conn) == want },
			func() string { return path + ": timer " + socketTimer(t, conn) })
		answer <- true
		if r := c.Reply(); r.Status != 200 {
			t.Error(r)
		}
	}
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	multiplexed := httptest.NewUnstartedServer(http.NotFoundHandler())
	multiplexed.Config.Protocols = &p
	multiplexed.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			arrived <- conn
		}
	}
	multiplexed.Start()
	t.Cleanup(multiplexed.Close)
	to := multiplexed.Listener.Addr().String()
	b = lbtest.Start(t, site("location /on { grpc_socket_keepalive on; grpc_pass "+to+"; } location /off { grpc_pass "+to+"; }"))
	for path, want := range map[string]string{"/on": "02", "/off": "00"} {
		c := b.Dial(front)
		c.Send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		conn := <-arrived
		if r := c.Reply(); r.Status != 404 {
			t.Error(r)
		}
		lbtest.Await(t, func() bool { return socketTimer(t, conn) == want },
			func() string { return path + ": timer " + socketTimer(t, conn) })
	}
}

// socketTimer returns the kind of timer that runs for the peer's socket of a
// connection over IPv4.
func socketTimer(t *testing.T, conn net.Conn) string {
	t.Helper()
	address := func(a net.Addr) string {
		p := netip.MustParseAddrPort(a.String())
		ip := p.Addr().As4()
		return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], p.Port())
	}
	local, remote := address(conn.RemoteAddr()), address(conn.LocalAddr())
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(table), "\n") {
		if f := strings.Fields(line); len(f) > 5 && f[1] == local && f[2] == remote {
			timer, _, _ := strings.Cut(f[5], ":")
			return timer
		}
	}
	return "none"
}
