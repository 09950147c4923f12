package lb_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/lbtest"
)

// names is a Resolver by script.
type names struct {
	mu    sync.Mutex
	hosts map[string]string // addresses separated by spaces, or the text of an error
	asked []string
	cause error // of errors
	hold  func(ctx context.Context) error
}

// take returns what was asked since the last call.
func (n *names) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := strings.Join(n.asked, ",")
	n.asked = nil
	return asked
}

func (n *names) Known(string, *config.Resolver) ([]netip.Addr, bool) { return nil, false }

func (n *names) Lookup(ctx context.Context, host string, conf *config.Resolver) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, host+" of "+strings.Join(conf.Servers, " "))
	if n.hold != nil {
		return nil, n.hold(ctx)
	}
	text, ok := n.hosts[host]
	if !ok {
		text = "3: Host not found"
	}
	var list []netip.Addr
	for _, word := range strings.Fields(text) {
		a, err := netip.ParseAddr(word)
		if err != nil {
			return nil, failed{text, n.cause}
		}
		list = append(list, a)
	}
	return list, nil
}

func (n *names) set(host, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = text
}

// failed is an error with a cause that its text does not tell.
type failed struct {
	text  string
	cause error
}

func (f failed) Error() string { return f.text }
func (f failed) Unwrap() error { return f.cause }

// resolving starts a balancer that knows names.
func resolving(t *testing.T, n *names, conf string) *lbtest.Balancer {
	t.Helper()
	b := lbtest.New(t, func(o *lb.Options) { o.Resolver = n })
	if _, err := b.Reload(conf); err != nil {
		t.Fatal(err)
	}
	return b
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// Where a request goes whose upstream is named by variables.
func TestResolve(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, c.Field("Host")) })
	path := t.TempDir() + "/s"
	lbtest.StartUnixBackend(t, path, func(c *lbtest.Call) { c.Answer(200, "socket") })
	n := &names{hosts: map[string]string{
		"app.example": "127.0.0.1", "group": "127.0.0.1", "slow.example": "110: Operation timed out",
	}, cause: errors.New("no answer")}
	b := resolving(t, n, fmt.Sprintf(`events {} http {
		resolver 127.0.0.1;
		log_format upstreams "$upstream_addr $upstream_status $proxy_host:$proxy_port";
		access_log access.log upstreams;
		upstream Group { server %[1]s; }
		server {
			listen 127.0.0.1:8080;
			location / { proxy_pass http://$arg_to; }
			location /static { proxy_pass http://localhost:%[2]s; }
			location /own/ { resolver 127.0.0.2 [::1]:5353 ipv6=off; proxy_pass http://$arg_to; }
			location /none/ { proxy_pass $arg_to; }
		}
	}`, be.Addr(), port(be.Addr())))
	for _, c := range []struct {
		path, want string // status and body
		asked      string // host and name servers; empty: nobody was asked
		log        string // of the error log
	}{
		{"/?to=group", "200 group", "", ""},
		{"/?to=GROUP", "200 GROUP", "", ""},
		{"/?to=group:" + port(be.Addr()), "200 group:" + port(be.Addr()), "group of 127.0.0.1:53", ""},
		{"/?to=localhost:" + port(be.Addr()), "200 localhost:" + port(be.Addr()), "", ""}, // known from /static
		{"/?to=" + be.Addr(), "200 " + be.Addr(), "", ""},
		{"/?to=unix:" + path, "200 socket", "", ""},
		{"/?to=app.example:" + port(be.Addr()), "200 app.example:" + port(be.Addr()), "app.example of 127.0.0.1:53", ""},
		{"/own/?to=app.example:" + port(be.Addr()), "200 app.example:" + port(be.Addr()), "app.example of 127.0.0.2:53 [::1]:5353", ""},
		{"/?to=no.example", "502", "no.example of 127.0.0.1:53", "no.example could not be resolved (3: Host not found), client: 127.0.0.1, server: , request:"},
		{"/?to=NO.Example.", "502", "NO.Example. of 127.0.0.1:53", "*10 no.example could not be resolved (3: Host not found), client:"},
		{"/?to=slow.example", "502", "slow.example of 127.0.0.1:53", "slow.example could not be resolved (110: Operation timed out), client:"},
		{"/none/?to=ftp://x", "500", "", `invalid URL prefix in "ftp://x", client:`},
	} {
		n.take()
		r := b.Get(front, c.path)
		got := strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Body))
		if r.Status != 200 {
			got = fmt.Sprint(r.Status)
		}
		if asked := n.take(); got != c.want || asked != c.asked {
			t.Errorf("%s: %s, asked %q", c.path, got, asked)
		}
		if c.log != "" {
			b.Errors.Await(t, c.log)
		}
	}
	b.Errors.Await(t, "no answer while resolving slow.example, client:")
}

// Name servers may be written by name, which must be known when the
// configuration is loaded.
func TestNameServersByName(t *testing.T) {
	t.Parallel()
	n := &names{hosts: map[string]string{}}
	b := resolving(t, n, site("resolver localhost:5353 ipv6=off; location / { proxy_pass http://$arg_to; }"))
	b.Get(front, "/?to=app.example")
	if asked := n.take(); !strings.Contains(asked, "127.0.0.1:5353") || strings.Contains(asked, ",") {
		t.Errorf("asked %q", asked)
	}
	_, err := b.Reload(site("resolver no..host;"))
	if err == nil || !strings.Contains(err.Error(), `host not found in resolver "no..host" in `) {
		t.Error(err)
	}
}

func TestNoResolver(t *testing.T) {
	t.Parallel()
	b := resolving(t, &names{}, site(`location / { proxy_pass http://$arg_to; }`))
	if r := b.Get(front, "/?to=app.example"); r.Status != 502 {
		t.Error(r)
	}
	b.Errors.Await(t, "[error] 1#1: *1 no resolver defined to resolve app.example, client: ")
}

// Idle connections last as long as the address of their peer does, over
// changes of the other addresses and over reloads.
func TestResolvedKeepsConnections(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	n := &names{hosts: map[string]string{"app.example": "127.0.0.1"}}
	conf := site(`resolver 127.0.0.1; location / { proxy_pass http://app.example:$arg_port; proxy_connect_timeout 1s; }`)
	b := resolving(t, n, conf)
	ask := func() {
		t.Helper()
		if r := b.Get(front, "/?port="+port(be.Addr())); r.Status != 200 {
			t.Error(r)
		}
	}
	ask()
	ask()
	n.set("app.example", "127.0.0.1 127.0.0.9") // nobody listens on the second
	ask()
	ask()
	n.set("app.example", "127.0.0.1")
	ask()
	if _, err := b.Reload(conf); err != nil {
		t.Fatal(err)
	}
	ask()
	if be.Conns() != 1 {
		t.Errorf("%d connections", be.Conns())
	}
	n.set("app.example", "127.0.0.9")
	if r := b.Get(front, "/?port="+port(be.Addr())); r.Status != 502 {
		t.Error("the old address is used:", r)
	}
}

// Addresses of a name do not count as failed: each request tries them anew.
func TestResolvedTriesAnew(t *testing.T) {
	t.Parallel()
	addr := loopback.Refusing(t).String()
	n := &names{hosts: map[string]string{"app.example": "127.0.0.1 127.0.0.2"}}
	b := resolving(t, n, `events {} http { resolver 127.0.0.1; log_format tries "$upstream_addr"; access_log access.log tries;
		server { listen 127.0.0.1:8080; location / { proxy_pass http://app.example:$arg_port; } } }`)
	for range 3 {
		if r := b.Get(front, "/?port="+port(addr)); r.Status != 502 {
			t.Error(r)
		}
	}
	if strings.Contains(b.Errors.String(), "no live upstreams") {
		t.Error("addresses were shut out")
	}
}

// Who leaves while the name is being looked up ends the look-up.
func TestLeaveWhileResolving(t *testing.T) {
	t.Parallel()
	for name, ignore := range map[string]string{"heeded": "", "ignored": "proxy_ignore_client_abort on;"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting, cancelled := make(chan struct{}), make(chan error, 1)
			n := &names{hold: func(ctx context.Context) error {
				close(waiting)
				<-ctx.Done()
				cancelled <- context.Cause(ctx)
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					return failed{"110: Operation timed out", nil}
				}
				return context.Cause(ctx)
			}}
			limit := "1h"
			if ignore != "" {
				limit = "100ms" // it is what ends the look-up then
			}
			b := resolving(t, n, site("resolver 127.0.0.1; resolver_timeout "+limit+"; location / { "+ignore+" proxy_pass http://app.example$arg_x; }"))
			c := b.Dial(front)
			c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			<-waiting
			c.Close()
			err := <-cancelled
			if ignore != "" {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("ended by %v", err)
				}
				b.Errors.Await(t, "app.example could not be resolved (110: Operation timed out), client:")
				return
			}
			b.Errors.Await(t, "[info] 1#1: *1 epoll_wait() reported that client prematurely closed connection, client: 127.0.0.1")
			if line := b.Access.AwaitLines(t, 1)[0]; !strings.Contains(line, `" 499 0 "`) {
				t.Error(line)
			}
		})
	}
}
