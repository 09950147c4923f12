package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/loopback"
	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/node/link"
)

// site is where the nodes of a test live: a network of loopback addresses that
// no other test has, and a folder.
type site struct {
	dir    string
	net    string // 127.x.y.
	secret string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), net: loopback.Network(t)}
	s.secret = filepath.Join(s.dir, "secret")
	if err := os.WriteFile(s.secret, link.NewSecret().Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// conf is the configuration of one of several nodes; http is what it balances.
func (s *site) conf(i, expect int, http string) string {
	join := ""
	for other := 1; other <= expect; other++ {
		join += fmt.Sprintf(" %s%d:7946", s.net, other)
	}
	return fmt.Sprintf("pid %[1]s/pid%[2]d; error_log stderr debug; events {}\n"+
		"cluster { name test; node n%[2]d; listen %[3]s%[2]d:7946; join%[4]s; expect %[5]d; data %[1]s/data%[2]d; secret %[6]s; }\n"+
		"http { access_log off; server { listen %[3]s%[2]d:8080; location / { proxy_pass http://app; } } %[7]s }\n",
		s.dir, i, s.net, join, expect, s.secret, http)
}

// living is a node of a test.
type living struct {
	*Node
	url    string
	orders chan Order
	ended  chan error
	stderr *output
}

// begin starts a node with a configuration, and does not wait.
func (s *site) begin(t *testing.T, i int, conf string) *living {
	t.Helper()
	file := filepath.Join(s.dir, fmt.Sprintf("n%d.conf", i))
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &living{orders: make(chan Order, 1), ended: make(chan error, 1), stderr: &output{}, url: fmt.Sprintf("http://%s%d:8080/", s.net, i)}
	ready := make(chan struct{})
	var err error
	l.Node, err = New(Options{File: file, Prefix: s.dir, ErrorLog: StderrLog, Version: "test", Stderr: l.stderr, Ready: func() error { close(ready); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	go func() { l.ended <- l.Run(l.orders) }()
	select {
	case <-ready:
	case err := <-l.ended:
		t.Fatalf("node %d: %v\n%s", i, err, l.stderr)
	case <-time.After(patience):
		t.Fatalf("node %d does not start:\n%s", i, l.stderr)
	}
	t.Cleanup(func() { l.end(t) })
	return l
}

// end stops a node.
func (l *living) end(t *testing.T) {
	t.Helper()
	if l.orders == nil {
		return
	}
	close(l.orders)
	l.orders = nil
	select {
	case err := <-l.ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * patience):
		t.Fatalf("does not stop:\n%s", l.stderr)
	}
	if t.Failed() {
		t.Logf("%s", l.stderr)
	}
}

// eventually waits until what is wanted holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// get gives what a node answers to a request.
func (l *living) get(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", l.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer reply.Body.Close()
	return reply.Status + " " + reply.Header.Get("App")
}

// app starts an application that says its name.
func app(t *testing.T, name string) (addr string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("App", name) }))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// propose has a change agreed on through a node.
func (l *living) propose(t *testing.T, change consensus.Change) consensus.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	result, err := l.cluster.consensus.Load().Propose(ctx, consensus.Command{Actor: "test", Change: change})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// server is an address as a change of the upstream app names it.
func appServer(addr string) *consensus.AddServer {
	s := consensus.Server{Name: addr, Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second}
	return &consensus.AddServer{Target: consensus.Target{Upstream: "app", ID: serverID("app", &s)}, Server: s}
}

// TestCluster: three nodes find each other, and what is changed on one holds on
// all, also when one of them stops and comes back.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, two := app(t, "one"), app(t, "two")
	http := "upstream app { zone app 64k; server " + one + " down; }"
	var nodes []*living
	for i := range 3 {
		nodes = append(nodes, s.begin(t, i+1, s.conf(i+1, 3, http)))
	}
	for _, l := range nodes {
		eventually(t, "a leader", func() bool { id, _ := l.cluster.consensus.Load().Leader(); return id != "" })
		eventually(t, "three members", func() bool { return len(l.cluster.aliveNodes()) == 3 })
	}
	if r := nodes[1].propose(t, appServer(two)); r.Code != consensus.Accepted {
		t.Fatalf("%+v", r)
	}
	for _, l := range nodes {
		eventually(t, "the new server on "+l.url, func() bool { return l.get(t) == "200 OK two" })
	}

	nodes[2].end(t)
	for _, l := range nodes[:2] {
		l.stderr.wait(t, `node "n3" stops`)
	}
	added := appServer(one + "0")
	added.Server.Drain = true
	nodes[0].propose(t, added)
	if got := nodes[1].get(t); got != "200 OK two" {
		t.Error(got)
	}

	again := s.begin(t, 3, s.conf(3, 3, http))
	eventually(t, "the restarted node knows what was agreed on", func() bool {
		return again.cluster.state().Index() >= nodes[0].cluster.state().Index() && len(again.cluster.aliveNodes()) == 3
	})
	eventually(t, "the restarted node obeys it", func() bool { return again.get(t) == "200 OK two" })
}

// TestAlone: without a cluster no port is opened, and what is changed at run
// time outlives the process if there is a data folder.
func TestAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one := app(t, "one")
	conf := fmt.Sprintf("data %[1]s/data; pid %[1]s/pid; error_log stderr notice; events {} http { access_log off; upstream app { zone app 64k; server 127.0.0.1:1 down; }"+
		" server { listen %[2]s1:8080; location / { proxy_pass http://app; } } }", s.dir, s.net)
	for round := range 2 {
		l := s.begin(t, 1, conf)
		if l.cluster.link != nil || l.cluster.gossip.Load() != nil {
			t.Fatal("a node that is alone speaks to others")
		}
		if round == 0 {
			l.propose(t, appServer(one))
		}
		if got := l.get(t); got != "200 OK one" {
			t.Errorf("round %d: %s", round, got)
		}
		l.end(t)
	}
}

// TestDriftIsTold: nodes whose configurations differ say so, until they do not.
func TestDriftIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	http := func(weight int) string {
		return fmt.Sprintf("upstream app { zone app 64k; server 127.0.0.1:1 weight=%d; }", weight)
	}
	a, b := s.begin(t, 1, s.conf(1, 2, http(1))), s.begin(t, 2, s.conf(2, 2, http(2)))
	a.stderr.wait(t, `the configuration of node "n2" differs from that of this node: upstream "app"`)
	b.stderr.wait(t, `the configuration of node "n1" differs from that of this node: upstream "app"`)
	if got := a.cluster.feed.drifts(); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if err := os.WriteFile(b.opts.File, []byte(s.conf(2, 2, http(1))), 0o600); err != nil {
		t.Fatal(err)
	}
	b.orders <- Order{Verb: Reload, Cause: "test"}
	a.stderr.wait(t, `node "n2" has the configuration of this node again`)
}

// TestStrangers: who has another secret, or belongs to another cluster, is not
// let in, and the log says why; who has not joined is told nothing.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	http := "upstream app { zone app 64k; server 127.0.0.1:1; }"
	host := s.begin(t, 1, s.conf(1, 1, http))
	eventually(t, "a leader", func() bool { id, _ := host.cluster.consensus.Load().Leader(); return id != "" })

	other := filepath.Join(s.dir, "other")
	if err := os.WriteFile(other, link.NewSecret().Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	join := fmt.Sprintf("join %s1:7946; expect 2;", s.net)
	thief := s.begin(t, 2, strings.NewReplacer(s.secret, other, "expect 1;", join).Replace(s.conf(2, 1, http)))
	host.stderr.wait(t, "[warn]")
	host.stderr.wait(t, "another cluster secret")
	stray := s.begin(t, 3, strings.NewReplacer("name test", "name bank", "expect 1;", join).Replace(s.conf(3, 1, http)))
	eventually(t, "the guest stays alone", func() bool { return len(stray.cluster.peers()) > 0 })
	for _, l := range []*living{host, thief, stray} {
		if n := len(l.cluster.aliveNodes()); n != 1 {
			t.Errorf("%s sees %d nodes", l.url, n)
		}
	}

	secret, err := link.ReadSecret(s.secret)
	if err != nil {
		t.Fatal(err)
	}
	port, err := net.Listen("tcp", s.net+"9:7947")
	if err != nil {
		t.Fatal(err)
	}
	guest, err := link.Open(link.Options{Listener: port, Identity: link.NewIdentity(), Cluster: "test", Secrets: []*link.Secret{secret}, Log: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	for _, verb := range []string{verbFindKey, verbFindSession, verbName, verbConfig} {
		if _, err := guest.Call(t.Context(), s.net+"1:7947", verb, []byte("{}")); err == nil || !strings.Contains(err.Error(), "has not joined") {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

// TestNameTaken: who claims the name of another node is told why it is refused,
// and is a member at no time.
func TestNameTaken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	http := "upstream app { zone app 64k; server 127.0.0.1:1; }"
	host := s.begin(t, 1, s.conf(1, 1, http))
	eventually(t, "a table of nodes", func() bool { _, known := host.cluster.state().Owner("n1"); return known })
	join := fmt.Sprintf("join %s1:7946;", s.net)
	claimer := s.begin(t, 2, strings.NewReplacer("node n2", "node n1", "expect 1;", join).Replace(s.conf(2, 1, http)))
	claimer.stderr.wait(t, `the name "n1" is that of another node`)
	host.stderr.wait(t, `the name "n1" is that of another node`)
	if list := host.cluster.gossip.Load().Members(); len(list) != 1 { // the dead are remembered, too
		t.Errorf("%+v", list)
	}
}

// TestExample: the example of a cluster is a configuration without a remark.
func TestExample(t *testing.T) {
	t.Parallel()
	file, err := filepath.Abs("../examples/cluster.conf")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Notes)+len(cfg.Warnings) > 0 || cfg.Cluster == nil || cfg.Cluster.Expect != 3 {
		t.Errorf("%v %v %+v", cfg.Notes, cfg.Warnings, cfg.Cluster)
	}
}
