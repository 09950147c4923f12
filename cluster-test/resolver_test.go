package clustertest

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/discovery"
	"github.com/weir-lb/weir/discovery/dnstest"
	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/lbtest"
)

// twins are servers on one port of several loopback addresses, which answer
// with their own address.
func twins(t *testing.T, hosts ...string) (port string, conns func(host string) int64) {
	t.Helper()
	port = fmt.Sprint(loopback.Free(t).Port()) // on all addresses
	counts := map[string]*atomic.Int64{}
	for _, host := range hosts {
		ln, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatal(err)
		}
		opened := &atomic.Int64{}
		counts[host] = opened
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, host) }),
			ConnState: func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					opened.Add(1)
				}
			},
		}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = server.Serve(ln) }() // ends with Close
		t.Cleanup(func() { _ = server.Close(); <-ended })
	}
	return port, func(host string) int64 { return counts[host].Load() }
}

// A name that is resolved while weir runs: its requests follow the name
// servers' answers, and fail with nginx's words while there is none.
func TestNamesAtRunTime(t *testing.T) {
	t.Parallel()
	port, conns := twins(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	ns := dnstest.Start(t)
	dead := dnstest.Start(t)
	dead.On("app.example", "A", dnstest.Reply{Rcode: dnstest.ServerFailure})
	dead.On("app.example", "AAAA", dnstest.Reply{Rcode: dnstest.ServerFailure})
	b := lbtest.New(t, func(o *lb.Options) { o.Resolver = discovery.New() })
	if _, err := b.Reload(`events {} http {
		resolver ` + dead.Addr + ` ` + ns.Addr + ` ipv6=off;
		server {
			listen 127.0.0.1:8080;
			location / { proxy_pass http://$arg_host:` + port + `; }
			location /impatient { resolver ` + ns.Addr + `; resolver_timeout 50ms; proxy_pass http://$arg_host:` + port + `; }
		}
	}`); err != nil {
		t.Fatal(err)
	}
	// seen asks n times and returns how often which server answered.
	seen := func(n int) map[string]int {
		t.Helper()
		counts := map[string]int{}
		for range n {
			r := b.Get("127.0.0.1:8080", "/?host=app.example")
			if r.Status != 200 {
				r.Body = strconv.Itoa(r.Status)
			}
			counts[r.Body]++
		}
		return counts
	}
	expect := func(got map[string]int, want map[string]int) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	shuffled := dnstest.Reply{Shuffle: true, Records: []string{"app.example. 0 IN A 127.0.0.1", "app.example. 0 IN A 127.0.0.2"}}
	ns.On("app.example", "A", shuffled)
	expect(seen(10), map[string]int{"127.0.0.1": 5, "127.0.0.2": 5})

	shuffled.Records = append(shuffled.Records[:1:1], "app.example. 0 IN A 127.0.0.3")
	ns.On("app.example", "A", shuffled)
	expect(seen(10), map[string]int{"127.0.0.1": 5, "127.0.0.3": 5})
	if n := conns("127.0.0.1"); n != 1 {
		t.Errorf("%d connections to the address that stayed", n)
	}
	ns.On("app.example", "A", dnstest.Reply{Rcode: dnstest.NameError})
	expect(seen(1), map[string]int{"502": 1})
	b.Errors.Await(t, "app.example could not be resolved (3: Host not found), client: 127.0.0.1, server: , request: ")

	ns.On("silent.example", "A", dnstest.Reply{Silent: true})
	if r := b.Get("127.0.0.1:8080", "/impatient?host=silent.example"); r.Status != 502 {
		t.Error(r)
	}
	b.Errors.Await(t, "silent.example could not be resolved (110: Operation timed out), client: ")
}

// Many requests for one name wait for one answer, and its addresses are used
// until they expire.
func TestOneQuestionForManyRequests(t *testing.T) {
	t.Parallel()
	port, _ := twins(t, "127.0.0.1")
	ns := dnstest.Start(t)
	hold := make(chan struct{})
	ns.On("app.example", "A", dnstest.Reply{Hold: hold, Records: []string{"app.example. 3600 IN A 127.0.0.1"}})
	b := lbtest.New(t, func(o *lb.Options) { o.Resolver = discovery.New() })
	if _, err := b.Reload(`events {} http { resolver ` + ns.Addr + ` ipv6=off; server { listen 127.0.0.1:8080;
		location / { proxy_pass http://app.example$arg_none:` + port + `; } } }`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ask := func() {
		if r := b.Get("127.0.0.1:8080", "/"); r.Status != 200 || r.Body != "127.0.0.1" {
			t.Error(r)
		}
	}
	for range 20 {
		wg.Go(ask)
	}
	ns.Wait(t, 1)
	close(hold)
	wg.Wait()
	ask()
	if asked := ns.Asked(); len(asked) != 1 {
		t.Errorf("asked %q", asked)
	}
}
