package clustertest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/discovery/dnstest"
)

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

// group is a configuration whose servers are found by a name server.
func group(ns *dnstest.Server, lines string) string {
	return `resolver ` + ns.Addr + ` ipv6=off valid=1s; resolver_timeout 2s;
	upstream app { zone app 64k; ` + lines + ` }
	server { listen LISTEN; location / { proxy_pass http://app; } }`
}

func addresses(name string, addrs ...string) dnstest.Reply {
	var r dnstest.Reply
	for _, a := range addrs {
		r.Records = append(r.Records, name+". 1 IN A "+a)
	}
	r.Shuffle = true
	return r
}

// A server line that is resolved while weir runs follows what the name servers say.
func TestServersFollowDNS(t *testing.T) {
	t.Parallel()
	port, _ := twins(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	ns := dnstest.Start(t)
	ns.On("app.example", "A", dnstest.Reply{Rcode: dnstest.ServerFailure})
	w := startWeir(t, group(ns, "server app.example:"+port+" resolve;"))
	// A name that does not resolve yet does not stop the start.
	if got := w.get("/"); got != "502" {
		t.Errorf("without servers: %s", got)
	}
	w.awaitLog("no live upstreams while connecting to upstream")
	w.awaitLog(`app.example could not be resolved (2: Server failure) in upstream "app", addresses known: 0`)

	ns.On("app.example", "A", addresses("app.example", "127.0.0.1", "127.0.0.2"))
	w.awaitSeen(6, "127.0.0.1 127.0.0.2")
	w.awaitLog(`app.example is resolved again in upstream "app"`)
	ns.On("app.example", "A", addresses("app.example", "127.0.0.3", "127.0.0.2"))
	w.awaitSeen(6, "127.0.0.2 127.0.0.3")

	// What cannot be told changes nothing; that there is no such name does.
	ns.On("app.example", "A", dnstest.Reply{Rcode: dnstest.Refused})
	w.awaitLog(`(5: Operation refused) in upstream "app", addresses known: 2`)
	if got := w.seen(6); got != "127.0.0.2 127.0.0.3" {
		t.Errorf("after a failure: %s", got)
	}
	ns.On("app.example", "A", dnstest.Reply{Rcode: dnstest.NameError})
	w.awaitSeen(3, "502")
	w.awaitLog(`(3: Host not found) in upstream "app", addresses known: 0`)
	ns.On("app.example", "A", addresses("app.example", "127.0.0.1"))
	w.awaitSeen(3, "127.0.0.1")

	// A reload keeps what is known, and waits for what is new in it.
	for range 3 {
		w.reload(group(ns, "server app.example:"+port+" resolve;"))
		if got := w.seen(3); got != "127.0.0.1" {
			t.Fatalf("after a reload: %s", got)
		}
	}
	ns.On("new.example", "A", addresses("new.example", "127.0.0.3"))
	w.reload(group(ns, "server new.example:"+port+" resolve;"))
	if got := w.seen(3); got != "127.0.0.3" {
		t.Fatalf("after a reload with a new name: %s", got)
	}
	if n := strings.Count(w.text(), "(3: Host not found)"); n != 1 {
		t.Errorf("one absence was logged %d times", n)
	}
}

// With nxdomain=keep a group outlives its name.
func TestKeepServersOfLostName(t *testing.T) {
	t.Parallel()
	port, _ := twins(t, "127.0.0.1")
	ns := dnstest.Start(t)
	ns.On("app.example", "A", addresses("app.example", "127.0.0.1"))
	conf := group(ns, "server app.example:"+port+" resolve;")
	w := startWeir(t, strings.Replace(conf, "valid=1s", "valid=1s nxdomain=keep", 1))
	w.awaitSeen(1, "127.0.0.1")
	ns.On("app.example", "A", dnstest.Reply{Rcode: dnstest.NameError})
	w.awaitLog(`(3: Host not found) in upstream "app", addresses known: 1`)
	if got := w.seen(3); got != "127.0.0.1" {
		t.Error(got)
	}
}

// Priorities of SRV records make primary and backup servers, and may change.
func TestServices(t *testing.T) {
	t.Parallel()
	a, _ := twins(t, "127.0.0.1")
	b, _ := twins(t, "127.0.0.2")
	ns := dnstest.Start(t)
	ns.Host("a.example", 60, "127.0.0.1")
	ns.Host("b.example", 60, "127.0.0.2")
	prefer := func(first, second string) {
		ns.On("_http._tcp.app.example", "SRV", dnstest.Reply{Records: []string{
			"_http._tcp.app.example. 1 IN SRV 10 5 " + first, "_http._tcp.app.example. 1 IN SRV 20 5 " + second}})
	}
	prefer(a+" a.example.", b+" b.example.")
	w := startWeir(t, group(ns, "server app.example resolve service=http;"))
	w.awaitSeen(4, "127.0.0.1")
	for range 2 { // flapping
		prefer(b+" b.example.", a+" a.example.")
		w.awaitSeen(4, "127.0.0.2")
		prefer(a+" a.example.", b+" b.example.")
		w.awaitSeen(4, "127.0.0.1")
	}
	prefer("1 a.example.", b+" b.example.") // nobody listens there
	w.awaitSeen(4, "127.0.0.2")
}

// Five hundred SRV records are five hundred peers; they need TCP.
func TestManyServices(t *testing.T) {
	t.Parallel()
	port, _ := twins(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	ns := dnstest.Start(t)
	reply := dnstest.Reply{Shuffle: true}
	for i := range 500 {
		host := fmt.Sprintf("t%d.example.", i)
		reply.Records = append(reply.Records, fmt.Sprintf("_http._tcp.app.example. 60 IN SRV 1 1 %s %s", port, host))
		reply.Extra = append(reply.Extra, fmt.Sprintf("%s 60 IN A 127.0.0.%d", host, 1+i%3))
	}
	ns.On("_http._tcp.app.example", "SRV", reply)
	w := startWeir(t, group(ns, "server app.example resolve service=http;"))
	w.awaitSeen(6, "127.0.0.1 127.0.0.2 127.0.0.3")
	// Twice a second, however long it took, but not once for each.
	if asked := ns.Asked(); !slices.Contains(asked, "tcp _http._tcp.app.example. SRV") || len(asked) > 250 {
		t.Errorf("asked %d questions: %q", len(asked), asked[:min(5, len(asked))])
	}
}

// Two processes that get the same set in another order send the same keys to the same servers.
func TestSameHashesEverywhere(t *testing.T) {
	t.Parallel()
	hosts := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}
	port, _ := twins(t, hosts...)
	ns := dnstest.Start(t)
	ns.On("app.example", "A", addresses("app.example", hosts...))
	srv := dnstest.Reply{Shuffle: true}
	for i, h := range hosts {
		name := fmt.Sprintf("t%d.example", i)
		ns.Host(name, 1, h)
		srv.Records = append(srv.Records, fmt.Sprintf("_http._tcp.app.example. 1 IN SRV 1 %d %s %s.", 1+i, port, name))
	}
	ns.On("_http._tcp.app.example", "SRV", srv)
	for _, lines := range []string{
		"hash $arg_k; server app.example:" + port + " resolve;",
		"hash $arg_k; server app.example resolve service=http;",
		"hash $arg_k consistent; server app.example resolve service=http;",
	} {
		var places [2]string
		for i := range places {
			w := startWeir(t, group(ns, lines))
			w.await(func() error {
				if got := w.get("/?k=1"); got == "502" {
					return fmt.Errorf("%s: no servers yet", lines)
				}
				return nil
			})
			for k := range 100 {
				places[i] += w.get(fmt.Sprintf("/?k=%d", k)) + " "
			}
		}
		if places[0] != places[1] {
			t.Errorf("%s: the places differ:\n%s\n%s", lines, places[0], places[1])
		}
		if strings.Count(places[0], "127.0.0.2") == 100 {
			t.Errorf("%s: all keys have one place", lines)
		}
	}
}

// loseNothing keeps clients busy while do runs, and reports what was not answered.
func loseNothing(t *testing.T, w *weir, do func()) (figures string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answered, lost atomic.Int64
	for range 16 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if got := w.get("/"); net.ParseIP(got) == nil && !strings.HasPrefix(got, "ok ") {
					if lost.Add(1) < 5 {
						t.Error("lost:", got)
					}
				}
				answered.Add(1)
			}
		})
	}
	do()
	cancel()
	clients.Wait()
	figures = fmt.Sprintf("%d requests, %d lost", answered.Load(), lost.Load())
	t.Log(figures)
	return figures
}

// changeUnderLoad lets addresses come and go, with a reload now and then, while clients ask.
func changeUnderLoad(t *testing.T, changes int) (figures string) {
	port, _ := twins(t, "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
	sets := [][]string{{"127.0.0.2", "127.0.0.3"}, {"127.0.0.4"}, {"127.0.0.1", "127.0.0.2"}}
	ns := dnstest.Start(t)
	ns.On("app.example", "A", addresses("app.example", "127.0.0.1"))
	conf := group(ns, "server app.example:"+port+" resolve;")
	w := startWeir(t, conf)
	w.awaitSeen(1, "127.0.0.1")
	return loseNothing(t, w, func() {
		for i := range changes {
			set := sets[i%len(sets)]
			ns.On("app.example", "A", addresses("app.example", set...))
			w.awaitSeen(20, strings.Join(set, " "))
			if i%3 == 1 {
				w.reload(conf)
			}
		}
	})
}

// Addresses come and go under load, and a reload falls between: no request is lost.
func TestChangesUnderLoad(t *testing.T) {
	t.Parallel()
	changeUnderLoad(t, 3)
}

// TestMeasureChangesUnderLoad is the same for a hundred changes.
func TestMeasureChangesUnderLoad(t *testing.T) {
	program.Measure(t)
	measured.Record(t, "servers found by DNS change under traffic", 100, changeUnderLoad(t, 100))
}

// The same in front of Node.js servers that really start and stop.
func TestNodeServersFollowDNS(t *testing.T) {
	t.Parallel()
	nodejs := program.Need(t, "node")
	port := strings.TrimPrefix(freeAddress(t), "127.0.0.1:")
	start := func(host string) *process.Process {
		p, err := process.Start(process.Options{
			Name: "app " + host, Program: nodejs, Args: []string{filepath.Join("..", "examples", "app", "server.js"), port, host},
			Env: []string{"HOST=" + host}, Log: filepath.Join(t.TempDir(), "app.log"),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Stop(syscall.SIGKILL, limit) })
		err = p.Await(t.Context(), limit, func() error {
			c, err := net.Dial("tcp", net.JoinHostPort(host, port))
			if err == nil {
				err = c.Close()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ns := dnstest.Start(t)
	ns.On("app.example", "A", addresses("app.example", "127.0.0.1"))
	first := start("127.0.0.1")
	conf := strings.Replace(group(ns, "server app.example:"+port+" resolve;"), "proxy_pass http://app;", "proxy_pass http://app/health;", 1)
	w := startWeir(t, conf)
	w.awaitSeen(1, "ok 127.0.0.1")
	loseNothing(t, w, func() {
		start("127.0.0.2")
		ns.On("app.example", "A", addresses("app.example", "127.0.0.1", "127.0.0.2"))
		w.awaitSeen(20, "ok 127.0.0.1 ok 127.0.0.2")
		ns.On("app.example", "A", addresses("app.example", "127.0.0.2"))
		w.awaitSeen(20, "ok 127.0.0.2")
		first.Stop(syscall.SIGTERM, limit)
	})
}
