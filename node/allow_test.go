package node

import (
	"fmt"
	"strings"
	"testing"
)

// TestAllowed: nodes whose addresses are on the list of the others work together;
// one that is not gets no answer though it has the secret, by neither port, which
// is counted and told.
func TestAllowed(t *testing.T) {
	t.Parallel()
	s := operatedSite(t)
	http := "upstream app { zone app 64k; server " + app(t, "one") + "; }"
	list := fmt.Sprintf("allow %[1]s1; allow %[1]s2/32; expect", s.net)
	var nodes []*living
	for i := range 2 {
		nodes = append(nodes, s.begin(t, i+1, strings.Replace(s.conf(i+1, 2, http), "expect", list, 1)))
	}
	for _, l := range nodes {
		eventually(t, "two members", func() bool { return len(l.cluster.aliveNodes()) == 2 })
		eventually(t, "a leader", func() bool { id, _ := l.cluster.consensus.Load().Leader(); return id != "" })
	}
	nodes[0].propose(t, appServer(app(t, "two")))

	join := fmt.Sprintf("join %[1]s1:7946 %[1]s2:7946; expect 3;", s.net)
	stranger := s.begin(t, 3, strings.Replace(s.conf(3, 1, http), "expect 1;", join, 1))
	for _, l := range nodes {
		l.stderr.wait(t, fmt.Sprintf("gossip: refused what came from %s3:", s.net))
		l.stderr.wait(t, "its address is not allowed")
	}
	if _, err := stranger.cluster.link.Call(t.Context(), s.net+"1:7947", verbConfig, nil); err == nil {
		t.Error("a call has been answered")
	}
	nodes[0].stderr.wait(t, fmt.Sprintf("cluster: refused a connection of %s3: its address is not allowed", s.net))
	status, err := s.hand(1).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := status.Cluster.Gossip.Outside; n < 2 {
		t.Errorf("%d are counted", n)
	}
	for _, l := range append(nodes, stranger) {
		if n := len(l.cluster.aliveNodes()); n == 3 {
			t.Errorf("%s sees the other side", l.url)
		}
	}
}
