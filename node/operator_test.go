package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/node/control"
	"github.com/weir-lb/weir/node/link"
)

// operatedSite is a site whose data folders have short names, as paths of
// sockets must be.
func operatedSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.dir = dir
	return s
}

// hand returns the client of a node's control socket.
func (s *site) hand(i int) *control.Client {
	return &control.Client{Path: control.SocketPath(filepath.Join(s.dir, fmt.Sprintf("data%d", i)))}
}

// told returns what an error of a client says: its code and text, or the whole.
func told(err error) string {
	var f *control.Failure
	if errors.As(err, &f) {
		return string(f.Code) + ": " + f.Error()
	}
	return fmt.Sprint(err)
}

// TestOperatorAlone: what a node that is alone makes of the words of who
// operates it.
func TestOperatorAlone(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	conf := fmt.Sprintf(`data %[1]s/data1; pid %[1]s/pid; error_log stderr notice; events {} http { access_log off;
		upstream app { zone app 64k; server 127.0.0.1:1 weight=2; server 127.0.0.1:2 route=b; }
		upstream fixed { server 127.0.0.1:1; } server { listen %[2]s1:8080; location / { proxy_pass http://app; } } }`, s.dir, s.net)
	s.begin(t, 1, conf)
	c := s.hand(1)
	word := func(v string) *string { return &v }
	add := func(upstream string, words ...string) func() (control.Outcome, error) {
		return func() (control.Outcome, error) {
			p, err := control.ParseParameters(words[1:])
			if err != nil {
				return control.Outcome{}, err
			}
			return c.AddServer(t.Context(), upstream, control.NewServer{Server: words[0], Parameters: p})
		}
	}
	set := func(upstream, server string, order *string, words ...string) func() (control.Outcome, error) {
		return func() (control.Outcome, error) {
			p, err := control.ParseParameters(words)
			if err != nil {
				return control.Outcome{}, err
			}
			return c.EditServer(t.Context(), upstream, server, control.ServerEdit{Parameters: p, Order: order})
		}
	}
	for _, step := range []struct {
		do   func() (control.Outcome, error)
		want string
	}{
		{add("app", "127.0.0.1:3", "backup", "max_fails=0"), "<nil>"},
		{add("app", "127.0.0.1:3"), `Conflict: upstream "app" has server "127.0.0.1:3" already`},
		{add("app", "127.0.0.1:4", "weight=0"), `BadParameter: invalid parameter "weight=0"`},
		{add("app", "127.0.0.1:99999"), `BadParameter: invalid port in upstream "127.0.0.1:99999"`},
		{add("app", "app.example"), `BadParameter: no resolver defined to resolve app.example in upstream "app"`},
		{add("other", "127.0.0.1:3"), `UpstreamNotFound: there is no upstream "other"; there are: app, fixed`},
		{add("fixed", "127.0.0.1:3"), `UpstreamStatic: upstream "fixed" has no zone, so its servers are those of the configuration`},
		{set("app", "127.0.0.1:1", nil, "weight=5", "down"), "<nil>"},
		{set("app", "b", word("up"), "max_conns=7"), "<nil>"},
		{set("app", "127.0.0.1:3", word("drain")), "<nil>"},
		{set("app", "127.0.0.1:3", word("none")), "<nil>"},
		{set("app", "127.0.0.1:3", word("down"), "route=c"), "<nil>"},
		{set("app", "127.0.0.1:3", nil, "resolve"), `BadParameter: parameter "resolve" cannot be changed`},
		{set("app", "127.0.0.1:9", nil, "weight=1"), `UpstreamServerNotFound: upstream "app" has no server "127.0.0.1:9"; there are: 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3`},
		{func() (control.Outcome, error) { return c.RemoveServer(t.Context(), "app", "127.0.0.1:2") }, "<nil>"},
		{func() (control.Outcome, error) { return c.RemoveServer(t.Context(), "app", "127.0.0.1:2") },
			`UpstreamServerNotFound: upstream "app" has no server "127.0.0.1:2"; there are: 127.0.0.1:1, 127.0.0.1:3`},
		{add("app", "127.0.0.7"), "<nil>"},
		{set("app", "127.0.0.7:80", word("down")), "<nil>"},
		{func() (control.Outcome, error) { return c.RemoveServer(t.Context(), "app", "127.0.0.7:80") }, "<nil>"},
		{func() (control.Outcome, error) { return c.Transfer(t.Context()) }, `NoCluster: there is no cluster: the configuration has no "cluster" block`},
		{func() (control.Outcome, error) { return c.Leave(t.Context()) }, `NoCluster: there is no cluster: the configuration has no "cluster" block`},
		{func() (control.Outcome, error) { return c.Recover(t.Context(), control.Recovery{Cluster: "c"}) }, `NoCluster: there is no cluster: the configuration has no "cluster" block`},
		{func() (control.Outcome, error) { return c.Rotate(t.Context(), control.Rotation{}) }, "<nil>"},
		{func() (control.Outcome, error) {
			return c.Rotate(t.Context(), control.Rotation{Rings: []string{"gossip"}})
		}, `NoCluster: there is no cluster: the configuration has no "cluster" block`},
	} {
		if _, err := step.do(); told(err) != step.want {
			t.Errorf("%s\nwant %s", told(err), step.want)
		}
	}
	u, err := c.Upstream(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range u.Servers {
		line := s.Source + " " + s.Server + " " + strings.Join(s.Words(), " ")
		if s.Order != nil {
			line += ", " + s.Order.Kind
		}
		for _, p := range s.Peers {
			line += ": " + p.State
		}
		lines = append(lines, line)
	}
	want := []string{"file 127.0.0.1:1 weight=5 down: down", "added 127.0.0.1:3 max_fails=0 route=c backup, down: down"}
	if !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}

// TestRepeatedRequest: a change that is asked for again under its name is
// answered as it was, and not refused for having been done.
func TestRepeatedRequest(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	s.begin(t, 1, fmt.Sprintf(`data %[1]s/data1; pid %[1]s/pid; error_log stderr notice; events {} http { access_log off;
		upstream app { zone app 64k; server 127.0.0.1:1; } server { listen %[2]s1:8080; location / { proxy_pass http://app; } } }`, s.dir, s.net))
	c := s.hand(1)
	c.Request = control.NewRequest()
	first, err := c.AddServer(t.Context(), "app", control.NewServer{Server: "127.0.0.1:2"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.AddServer(t.Context(), "app", control.NewServer{Server: "127.0.0.1:2"})
	if err != nil || second.Index != first.Index {
		t.Errorf("%+v, %v", second, err)
	}
	if o, err := c.Outcome(t.Context(), c.Request); err != nil || o.Index != first.Index {
		t.Errorf("%+v, %v", o, err)
	}
	c.Request = control.NewRequest()
	if _, err := c.Outcome(t.Context(), c.Request); !strings.HasPrefix(told(err), "NotFound: ") {
		t.Errorf("%v", err)
	}
}

// TestOperateCluster: any node is asked, all obey; a node is removed; without a
// quorum the answer says who is missing, and the name of the request does a
// change once.
func TestOperateCluster(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	one, two := app(t, "one"), app(t, "two")
	nodes := map[int]*living{}
	for i := 1; i <= 3; i++ {
		nodes[i] = s.begin(t, i, s.conf(i, 3, "upstream app { zone app 64k; server "+one+"; }"))
	}
	for i := range nodes {
		eventually(t, "a cluster of three", func() bool {
			list, err := s.hand(i).Members(t.Context())
			return err == nil && len(list) == 3 && !slices.ContainsFunc(list, func(m control.Member) bool { return !m.Alive || m.Part != "leader" && m.Part != "voter" })
		})
	}
	if _, err := s.hand(1).AddServer(t.Context(), "app", control.NewServer{Server: two}); err != nil {
		t.Fatal(err)
	}
	drain, down := "drain", "down"
	if _, err := s.hand(2).EditServer(t.Context(), "app", one, control.ServerEdit{Order: &drain, Why: "work"}); err != nil {
		t.Fatal(err)
	}
	for i, l := range nodes {
		eventually(t, "only the added server", func() bool { return l.get(t) == "200 OK two" })
		c := s.hand(i)
		c.Linearizable = true
		u, err := c.Upstream(t.Context(), "app")
		if err != nil || len(u.Servers) != 2 || u.Servers[0].Order == nil || !strings.HasSuffix(u.Servers[0].Order.Who, " on n2") || u.Servers[0].Order.Why != "work" {
			t.Errorf("node %d: %+v, %v", i, u, err)
		}
	}
	var before control.Status
	eventually(t, "that the leader hands over", func() bool { // it gives up when that takes long
		var err error
		before, err = s.hand(1).Status(t.Context())
		if err != nil || before.Cluster.Leader == nil || !before.Cluster.Quorum || before.Cluster.Voters != 3 {
			t.Fatalf("%+v, %v", before.Cluster, err)
		}
		o, err := s.hand(3).Transfer(t.Context())
		return err == nil && o.Leader != before.Cluster.Leader.Name && strings.HasPrefix(o.Leader, "n")
	})
	eventually(t, "another leader", func() bool {
		after, err := s.hand(1).Status(t.Context())
		return err == nil && after.Cluster.Leader != nil && after.Cluster.Leader.ID != before.Cluster.Leader.ID
	})
	if _, err := s.hand(1).RemoveNode(t.Context(), "n9"); told(err) != "NodeNotFound: there is no node \"n9\"; there are: n1, n2, n3" {
		t.Error(err)
	}
	o, err := s.hand(2).Rotate(t.Context(), control.Rotation{Rings: []string{"secret"}})
	if err != nil || o.Index == 0 {
		t.Errorf("%+v, %v", o, err)
	}
	for i := range nodes {
		eventually(t, "another secret", func() bool {
			_, err := os.Stat(filepath.Join(s.dir, fmt.Sprintf("data%d", i), "cluster.secret"))
			return err == nil
		})
	}
	nodes[2].end(t)
	nodes[3].end(t)
	now := time.Duration(0)
	c := s.hand(1)
	c.Wait = &now
	eventually(t, "no quorum", func() bool { // long before gossip has lost both
		_, err = c.EditServer(t.Context(), "app", two, control.ServerEdit{Order: &down})
		return strings.HasPrefix(told(err), "NoQuorum: no quorum: 2 of 3 voters cannot be reached (n2, n3)")
	})
	if got := nodes[1].get(t); got != "200 OK two" {
		t.Errorf("without a quorum: %s", got)
	}
	c.Linearizable = true
	if _, err := c.Upstreams(t.Context()); told(err) != "NoQuorum: no quorum: 2 of 3 voters cannot be reached (n2, n3); this node may not know the newest state, requests go on to be served" {
		t.Errorf("%s", told(err))
	}
	c.Linearizable = false
	status, err := c.Status(t.Context())
	if err != nil || status.Cluster.Quorum {
		t.Errorf("%+v, %v", status.Cluster, err)
	}
	if _, err := c.Recover(t.Context(), control.Recovery{Cluster: "another"}); !strings.HasPrefix(told(err), "Conflict: ") {
		t.Error(err)
	}
	if _, err := c.Recover(t.Context(), control.Recovery{Cluster: status.Cluster.ID}); err != nil {
		t.Error(err)
	}
	eventually(t, "a quorum of one", func() bool {
		_, err = c.EditServer(t.Context(), "app", two, control.ServerEdit{Order: &down})
		return err == nil
	})
}

// inTable starts three nodes, and waits until each knows of all.
func (s *site) inTable(t *testing.T, http string) map[int]*living {
	t.Helper()
	nodes := map[int]*living{}
	for i := 1; i <= 3; i++ {
		nodes[i] = s.begin(t, i, s.conf(i, 3, http))
	}
	for i := range nodes {
		eventually(t, "three nodes in the table", func() bool { return nodes[i].inTable() == 3 })
	}
	return nodes
}

// inTable counts the nodes that have been agreed on, as far as a node knows.
func (l *living) inTable() (n int) {
	l.cluster.state().Nodes(func(consensus.NodeID, consensus.Node) { n++ })
	return n
}

// isOut waits until a node knows that it was removed, and checks what it says to
// who asks it for a change.
func (s *site) isOut(t *testing.T, i int) {
	t.Helper()
	c := s.hand(i)
	eventually(t, "that it knows", func() bool {
		status, err := c.Status(t.Context())
		return err == nil && status.Stopped == "the cluster refuses this node: it was removed"
	})
	want := fmt.Sprintf(`NodeRefused: node "n%d" was removed from the cluster, ask another one; to have it join again, as a new node, stop it, empty its data folder "%s/data%d" and start it; the change was not accepted`, i, s.dir, i)
	// A server that nobody has: it may have heard of others before it was shut out.
	if _, err := c.AddServer(t.Context(), "app", control.NewServer{Server: "127.0.0.1:3"}); told(err) != want {
		t.Errorf("%v\nwant %s", told(err), want)
	}
	eventually(t, "it sees nobody", func() bool {
		list, err := c.Members(t.Context())
		return err == nil && len(list) == 1 && list[0].Self && list[0].Name == fmt.Sprint("n", i)
	})
}

// TestLeave: a node that has left is shut out, goes on serving, and says why
// nothing can be changed through it. Who else stays can go on changing things.
func TestLeave(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	one, two := app(t, "one"), app(t, "two")
	nodes := s.inTable(t, "upstream app { zone app 64k; server "+one+"; }")
	if _, err := s.hand(3).Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 2; i++ {
		eventually(t, "two members", func() bool {
			list, err := s.hand(i).Members(t.Context())
			return err == nil && len(list) == 2 && len(nodes[i].cluster.aliveNodes()) == 2
		})
	}
	if _, err := s.hand(1).AddServer(t.Context(), "app", control.NewServer{Server: two}); err != nil {
		t.Fatal(err)
	}
	if got := nodes[3].get(t); got != "200 OK one" {
		t.Errorf("the node that left: %s", got)
	}
	s.isOut(t, 3)
}

// TestRemovedWhileAway: a node that was removed while it did not run hears of it
// when it is back, and can join again with an empty folder, and its name.
func TestRemovedWhileAway(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	http := "upstream app { zone app 64k; server " + app(t, "one") + "; }"
	nodes := s.inTable(t, http)
	nodes[3].end(t)
	if _, err := s.hand(1).RemoveNode(t.Context(), "n3"); err != nil {
		t.Fatal(err)
	}
	back := s.begin(t, 3, s.conf(3, 3, http))
	s.isOut(t, 3)
	back.stderr.wait(t, "agreement stops on this node: the cluster refuses this node: it was removed; the last agreed state stays in use. To have it join again, ")
	if got := back.get(t); got != "200 OK one" {
		t.Error(got)
	}
	back.end(t)
	if err := os.RemoveAll(filepath.Join(s.dir, "data3")); err != nil {
		t.Fatal(err)
	}
	back = s.begin(t, 3, s.conf(3, 3, http))
	eventually(t, "it is a member again", func() bool { return len(back.cluster.aliveNodes()) == 3 && len(nodes[1].cluster.aliveNodes()) == 3 })
	if _, err := s.hand(3).AddServer(t.Context(), "app", control.NewServer{Server: "127.0.0.1:3"}); err != nil {
		t.Error(err)
	}
}

// TestRotatePending: a key that waits for nodes is not followed by another one.
func TestRotatePending(t *testing.T) {
	t.Parallel()
	identity := link.NewIdentity()
	agreement, err := consensus.Open(consensus.Options{ID: consensus.NodeID(identity.ID)}) // nobody moves its keys on
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{cluster: &cluster{ground: &ground{identity: identity}}}
	o.cluster.consensus.Store(agreement)
	asked := control.Write{Patience: -1}
	for _, want := range []string{"<nil>", "<nil>", "Conflict: a new sticky key is waiting for all living nodes to have it"} { // active, next, no more
		asked.Request = control.NewRequest()
		if _, err := o.Rotate(t.Context(), asked, []string{"sticky"}); told(err) != want {
			t.Errorf("%s, want %s", told(err), want)
		}
	}
	if err := agreement.Close(); err != nil {
		t.Error(err)
	}
}

// TestNodesOlder: who is told that some nodes are too old for a change is told
// which.
func TestNodesOlder(t *testing.T) {
	t.Parallel()
	err := (&operator{}).failure(t.Context(), &consensus.LevelError{Level: 2, Older: []string{"lb1", "lb3"}}, unchanged)
	if want := "NodesOlder: a change of level 2 is not understood yet by lb1, lb3; nothing was changed, try again when all nodes run the newer version"; told(err) != want {
		t.Errorf("%s, want %s", told(err), want)
	}
}

// TestLeaveOneByOne: of two nodes one votes, and may leave all the same: the other
// leads from then on. The last one cannot leave, since nobody could go on.
func TestLeaveOneByOne(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	http := "upstream app { zone app 64k; server " + app(t, "one") + "; }"
	nodes := map[int]*living{}
	for i := 1; i <= 2; i++ {
		nodes[i] = s.begin(t, i, s.conf(i, 2, http))
	}
	for i := range nodes {
		eventually(t, "two nodes that see each other", func() bool { return nodes[i].inTable() == 2 && len(nodes[i].cluster.aliveNodes()) == 2 })
	}
	leader := 0
	eventually(t, "one that votes, and leads", func() bool {
		for i := range nodes {
			status := nodes[i].cluster.consensus.Load().Status()
			if status.Part == consensus.PartLeader && len(status.Voters) == 1 && len(status.NonVoters) == 1 {
				leader = i
			}
		}
		return leader != 0
	})
	if _, err := s.hand(leader).Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.isOut(t, leader)
	last := 3 - leader
	if _, err := s.hand(last).AddServer(t.Context(), "app", control.NewServer{Server: "127.0.0.1:3"}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`Conflict: node "n%d" cannot be removed: no other node is there that could lead`, last)
	if _, err := s.hand(last).Leave(t.Context()); told(err) != want {
		t.Errorf("%s\nwant %s", told(err), want)
	}
	if _, err := s.hand(last).AddServer(t.Context(), "app", control.NewServer{Server: "127.0.0.1:4"}); err != nil {
		t.Error(err)
	}
}
