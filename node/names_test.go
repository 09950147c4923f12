package node

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/discovery/dnstest"
	"github.com/weir-lb/weir/lb/upstream"
)

// hosts starts applications that say their names, at the addresses from 11 on of
// the network.
func (s *site) hosts(t *testing.T, names ...string) {
	t.Helper()
	for i, name := range names {
		listener, err := net.Listen("tcp", fmt.Sprintf("%s%d:9000", s.net, 11+i))
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("App", name) }))
		_ = server.Listener.Close() // its own, of which there is no need
		server.Listener = listener
		server.Start()
		t.Cleanup(server.Close)
	}
}

// asks is an upstream that follows app.example, by the word of a name server.
func asks(ns *dnstest.Server) string {
	return "resolver " + ns.Addr + " valid=1s ipv6=off; upstream app { zone app 64k; server app.example:9000 resolve; }"
}

func nameOfApp() subject { return subject{"app", upstream.Question{Host: "app.example"}} }

// TestNamesTogether: nodes have the same servers of a name, of which two ask;
// and go on when the one that asks first is gone.
func TestNamesTogether(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ns := dnstest.Start(t)
	s.hosts(t, "one", "two")
	ns.Host("app.example", 1, s.net+"11")
	var nodes []*living
	for i := range 3 {
		nodes = append(nodes, s.begin(t, i+1, s.conf(i+1, 3, asks(ns))))
	}
	all := func(want string, nodes []*living) {
		t.Helper()
		for _, l := range nodes {
			eventually(t, want+" on "+l.url, func() bool { return l.get(t) == want })
		}
	}
	all("200 OK one", nodes)
	name := nameOfApp()
	for _, l := range nodes {
		eventually(t, "an agreed answer", func() bool { _, ok := l.cluster.feed.council.agreed(name); return ok })
	}
	asking := func() (list []int) {
		for i, l := range nodes {
			if l.cluster.feed.council.duty(name)&dutyAsk != 0 {
				list = append(list, i)
			}
		}
		return list
	}
	eventually(t, "two that ask", func() bool { return len(asking()) == 2 })
	ns.Host("app.example", 1, s.net+"12")
	all("200 OK two", nodes)

	first, _ := resolvers(name, nodes[0].cluster.aliveNodes())
	i := slices.IndexFunc(nodes, func(l *living) bool { return string(l.cluster.self()) == first })
	nodes[i].end(t)
	rest := slices.Delete(slices.Clone(nodes), i, i+1)
	ns.Host("app.example", 1, s.net+"11")
	all("200 OK one", rest)
}

// differently starts three nodes, each with a name server of its own, and gives
// them in the order of their duties for the name: who asks and proposes, who
// confirms, and who does neither.
func differently(t *testing.T, s *site, addrs ...string) (nodes []*living, servers []*dnstest.Server) {
	t.Helper()
	for i := range 3 {
		ns := dnstest.Start(t)
		ns.Host("app.example", 1, addrs...)
		servers = append(servers, ns)
		nodes = append(nodes, s.begin(t, i+1, s.conf(i+1, 3, asks(ns))))
	}
	for _, l := range nodes {
		eventually(t, "an agreed answer", func() bool {
			_, ok := l.cluster.feed.council.agreed(nameOfApp())
			return ok && len(l.cluster.aliveNodes()) == 3 && l.inTable() == 3 // before, one's word is enough
		})
	}
	first, second := resolvers(nameOfApp(), nodes[0].cluster.aliveNodes())
	at := func(id string) int {
		return slices.IndexFunc(nodes, func(l *living) bool { return string(l.cluster.self()) == id })
	}
	order := []int{at(first), at(second), 3 - at(first) - at(second)}
	var sorted []*living
	var sortedServers []*dnstest.Server
	for _, i := range order {
		sorted, sortedServers = append(sorted, nodes[i]), append(sortedServers, servers[i])
	}
	return sorted, sortedServers
}

// TestNamesWithoutLeader: a node that has been without a leader for a while
// follows names by itself, and returns to what is agreed on when there is one.
func TestNamesWithoutLeader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.hosts(t, "one", "two")
	nodes, servers := differently(t, s, s.net+"11")
	idle, ns := nodes[2], servers[2]
	ns.Host("app.example", 1, s.net+"12")
	if got := idle.get(t); got != "200 OK one" {
		t.Errorf("with a leader: %s", got)
	}
	c := idle.cluster.feed.council
	c.mu.Lock()
	c.alone = 500 * time.Millisecond
	c.mu.Unlock()
	for _, l := range nodes[:2] {
		l.end(t)
	}
	eventually(t, "its own answer", func() bool { return idle.get(t) == "200 OK two" })
	for _, l := range nodes[:2] {
		text := read(t, l.opts.File)
		var i int
		if _, err := fmt.Sscanf(l.url, "http://"+s.net+"%d:8080/", &i); err != nil {
			t.Fatal(err)
		}
		s.begin(t, i, text)
	}
	eventually(t, "the agreed answer", func() bool { return idle.get(t) == "200 OK one" && c.duty(nameOfApp())&dutyApply == 0 })
}

// TestMassChangeIsConfirmed: an answer that takes away three of four servers
// changes nothing, on any node, until the second resolver is told the same.
func TestMassChangeIsConfirmed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.hosts(t, "one", "two", "three", "four")
	nodes, servers := differently(t, s, s.net+"11", s.net+"12", s.net+"13", s.net+"14")
	addresses := func(l *living) int {
		n := 0
		for _, u := range l.cluster.feed.balancer.Upstreams("app") {
			n += len(u.Pool.Peers)
		}
		return n
	}
	all := func(want int) func() bool {
		return func() bool {
			return !slices.ContainsFunc(nodes, func(l *living) bool { return addresses(l) != want })
		}
	}
	eventually(t, "four servers on each node", all(4))
	servers[0].Host("app.example", 1, s.net+"13")
	nodes[0].stderr.wait(t, "no other node was told the same: the servers stay")
	if !all(4)() {
		t.Error("the servers did not stay")
	}
	servers[1].Host("app.example", 1, s.net+"13")
	eventually(t, "one server on each node", all(1))
	for _, l := range nodes {
		if got := l.get(t); got != "200 OK three" {
			t.Error(got)
		}
	}
}
