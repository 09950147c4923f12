package lb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/lbtest"
)

// told is a configuration whose server answers with a word.
func told(word string) string { return site(`location / { return 200 "` + word + `"; }`) }

func reload(t *testing.T, b *lbtest.Balancer, conf string) (retired <-chan struct{}) {
	t.Helper()
	retired, err := b.Reload(conf)
	if err != nil {
		t.Fatal(err)
	}
	return retired
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(lbtest.Patience):
		t.Fatal("waited in vain: " + what)
	}
}

func pending(c <-chan struct{}) bool {
	select {
	case <-c:
		return false
	default:
		return true
	}
}

const get = "GET / HTTP/1.1\nHost: a"

func TestReloadKeepsIdleConnections(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, told("one"))
	c, fresh := b.Dial(front), b.Dial(front)
	if r := c.Ask(get); r.Body != "one" {
		t.Fatal(r)
	}
	await(t, "the old generation's end", reload(t, b, told("two")))
	for _, c := range []*lbtest.Client{c, fresh} {
		if r := c.Ask(get); r.Body != "two" {
			t.Error(r)
		}
	}
}

// A request that is in work keeps its generation.
func TestReloadUnderRequest(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		if c.Target == "/slow" {
			<-hold
		}
		c.Answer(200, c.Target)
	})
	conf := func(word string) string {
		return `events {} http { log_format w "` + word + ` $uri"; access_log access.log w; server { listen 127.0.0.1:8080;
			location / { proxy_pass http://` + be.Addr() + `; add_header X-Word ` + word + `; } } }`
	}
	b := lbtest.Start(t, conf("one"))
	c := b.Dial(front)
	c.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	be.AwaitCalls(t, 1)
	retired := reload(t, b, conf("two"))
	if r := b.Get(front, "/fast"); r.Field("X-Word") != "two" {
		t.Error(r)
	}
	if !pending(retired) {
		t.Error("the generation ended under its request")
	}
	close(hold)
	if r := c.Reply(); r.Body != "/slow" || r.Field("X-Word") != "one" || r.Field("Connection") != "keep-alive" {
		t.Error(r)
	}
	await(t, "the old generation's end", retired)
	if r := c.Ask("GET /then HTTP/1.1\nHost: a"); r.Field("X-Word") != "two" {
		t.Error(r)
	}
	got := b.Access.AwaitLines(t, 3)
	slices.Sort(got) // replies are read before they are logged
	if strings.Join(got, ",") != "one /slow,two /fast,two /then" {
		t.Error(got)
	}
}

// A tunnel holds no generation, yet is logged at its end as its own said.
func TestReloadUnderTunnel(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		c.Send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nfirst")
		c.Echo()
	})
	conf := func(word string) string {
		return `events {} http { log_format w "` + word + ` $status $body_bytes_sent"; access_log access.log w; server { listen 127.0.0.1:8080;
			location / { proxy_pass http://` + be.Addr() + `; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; } } }`
	}
	b := lbtest.Start(t, conf("one"))
	c := b.Dial(front)
	c.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly")
	if r := c.Reply(); r.Status != 101 {
		t.Fatal(r)
	}
	c.Expect("firstearly")
	await(t, "the end of a generation with a tunnel", reload(t, b, conf("two")))
	c.Send("late")
	c.Expect("late")
	c.Close()
	if got := b.Access.AwaitLines(t, 1)[0]; !strings.HasPrefix(got, "one 101") {
		t.Error(got)
	}
}

func TestReloadChangesListeners(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	two := `events {} http { server { listen 127.0.0.1:8081; listen unix:` + path + `; location / { return 200 "two $server_addr"; } } }`
	b := lbtest.Start(t, told("one"))
	idle, fresh := b.Dial(front), b.Dial(front)
	idle.Ask(get)
	old := b.Addr(front)
	reload(t, b, two)
	if r := b.Get("127.0.0.1:8081", "/"); r.Body != "two 127.0.0.1" {
		t.Error(r)
	}
	if r := b.Dial("unix:" + path).Ask(get); r.Body != "two unix:"+path {
		t.Error(r)
	}
	if !idle.Ended() || !fresh.Ended() {
		t.Error("connections of a dropped listener were reset")
	}
	if _, ok := b.Addrs()[old]; ok {
		t.Error("the dropped listener is still there")
	}
	reload(t, b, told("three"))
	if _, err := os.Stat(path); err == nil {
		t.Error("the file of the dropped unix socket is still there")
	}
	if r := b.Get(front, "/"); r.Body != "three" {
		t.Error(r)
	}
}

// A reload that fails changes nothing, wherever it fails.
func TestReloadFails(t *testing.T) {
	t.Parallel()
	taken := lbtest.StartBackend(t, lbtest.Mirror)
	b := lbtest.Start(t, told("one"))
	c := b.Dial(front)
	c.Ask(get)
	for _, tt := range []struct{ name, conf, want string }{
		{"syntax", "events {", "unexpected end of file"},
		{"certificate", site("listen 127.0.0.1:8443 ssl; ssl_certificate none.pem; ssl_certificate_key none.pem;"), "none.pem"},
		{"log", site("access_log none/access.log;"), "none/access.log"},
		{"upstream", site("location / { proxy_pass http://no.such.invalid; }"), "host not found"},
		{"variable", site("location / { return 200 $none; }"), "none"},
		{"socket", site("listen unix:/none/none.sock;"), "none.sock"},
		{"address in use", strings.Replace(told("no"), "127.0.0.1:8080;", "127.0.0.1:8080; listen 127.0.0.1:8081;", 1), "in use"},
	} {
		var err error
		if tt.name == "address in use" {
			var cfg *config.Config
			if cfg, err = b.Load(tt.conf); err != nil {
				t.Fatal(err)
			}
			l := &cfg.HTTP.Servers[0].Listens[1]
			l.Addr = b.AddrPort(taken.Addr())
			_, err = b.Prepare(cfg)
		} else {
			_, err = b.Reload(tt.conf)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if r := c.Ask(get); r.Body != "one" {
			t.Errorf("%s: %v", tt.name, r)
		}
	}
	if n := len(b.Addrs()); n != 1 {
		t.Errorf("%d listeners are left", n)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		<-hold
		c.Answer(200, "late")
	})
	b := lbtest.Start(t, site("location / { return 200 ok; } location /slow { proxy_pass http://"+be.Addr()+"; }"))
	idle, fresh, slow := b.Dial(front), b.Dial(front), b.Dial(front)
	idle.Ask(get)
	slow.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	be.AwaitCalls(t, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Drained()
	}()
	if !idle.Ended() || !fresh.Ended() {
		t.Error("idle connections were reset")
	}
	if !pending(done) {
		t.Error("drained with a request in work")
	}
	close(hold)
	if r := slow.Reply(); r.Body != "late" || r.Field("Connection") != "close" {
		t.Error(r)
	}
	await(t, "the drain's end", done)
}

// Connections that have not said a word are idle: neither a handshake nor a
// PROXY header is waited for when the balancer ends.
func TestDrainBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	b := startTLS(t, `events {} http { client_header_timeout 1h; ssl_certificate open.crt; ssl_certificate_key open.key;
		server { listen 127.0.0.1:8443 ssl; return 200; }
		server { listen 127.0.0.1:8444 ssl proxy_protocol; return 200; } server { listen 127.0.0.1:8080 proxy_protocol; return 200; }
		server { listen 127.0.0.1:8081; location / { stub_status; } } }`)
	silent := []*lbtest.Client{b.Dial(secureFront), b.Dial("127.0.0.1:8444"), b.Dial(front)}
	named := b.Dial("127.0.0.1:8444")
	named.Send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
	status := b.Dial("127.0.0.1:8081")
	lbtest.Await(t, func() bool { return strings.Contains(status.Ask(get).Body, "connections: 5 ") }, b.Errors.String)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Drained()
	}()
	for i, c := range silent {
		if !c.Ended() {
			t.Errorf("connection %d was reset", i)
		}
	}
	await(t, "the drain's end", done)
	if log := b.Errors.String(); strings.Contains(log, "handshak") || strings.Contains(log, "PROXY") {
		t.Error(log)
	}
}

// TestReloadUnderTraffic reloads while requests come on kept connections.
func TestReloadUnderTraffic(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	conf := func(i int) string {
		return fmt.Sprintf(`events {} http { access_log access.log; upstream u { server %s; } server { listen 127.0.0.1:8080;
			location / { proxy_pass http://u; add_header X-Generation %d; } } }`, be.Addr(), i)
	}
	b := lbtest.Start(t, conf(0))
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 8 {
		c := b.Dial(front)
		clients.Go(func() {
			for n := 0; pending(stop); n++ {
				body := strings.Repeat("x", n%3*5000) // served inside and aside
				c.Send(fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", n, len(body), body))
				if r := c.Reply(); r.Status != 200 || !strings.HasSuffix(r.Body, "\n\n"+body) || r.Field("Connection") != "keep-alive" {
					t.Errorf("client %d, request %d: %s", i, n, r.Line)
					return
				}
			}
		})
	}
	const reloads = 20
	var retired []<-chan struct{}
	for i := 1; i <= reloads; i++ {
		retired = append(retired, reload(t, b, conf(i)))
	}
	if r := b.Get(front, "/"); r.Field("X-Generation") != fmt.Sprint(reloads) {
		t.Error(r)
	}
	close(stop)
	clients.Wait()
	for _, c := range retired {
		await(t, "the end of an old generation", c)
	}
}
