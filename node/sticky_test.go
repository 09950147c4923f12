package node

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lb/weir/consensus"
	"github.com/weir-lb/weir/lb/upstream"
)

// loyal is a client that was at one server, by its cookie or its session.
type loyal struct {
	url    string // without the node
	cookie string // the value of srv
	server string
}

// learned reports whether the client has a session, not a cookie of weir's.
func (c *loyal) learned() bool { return strings.HasPrefix(c.url, "8081") }

// visit asks a node as a client does, and keeps the cookie that is set.
func (c *loyal) visit(t *testing.T, s *site, node int, query string) (server string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s%d:%s%s", s.net, node, c.url, query), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "srv", Value: c.cookie})
	}
	reply, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	for _, k := range reply.Cookies() {
		if k.Name == "srv" {
			c.cookie = k.Value
		}
	}
	return reply.Header.Get("App")
}

// TestClientsStay: clients stay with their servers on whichever node they come
// to, while nodes stop and start and keys change.
func TestClientsStay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	servers := fmt.Sprintf("server %s; server %s; server %s;", app(t, "one"), app(t, "two"), app(t, "three"))
	conf := func(i int) string {
		return s.conf(i, 3, fmt.Sprintf("upstream app { zone app 64k; %[1]s sticky cookie srv; }"+
			"upstream shop { zone shop 64k; %[1]s sticky learn create=$arg_new lookup=$cookie_srv zone=sessions:64k sync; }"+
			"server { listen %[2]s%[3]d:8081; location / { proxy_pass http://shop; } }", servers, s.net, i))
	}
	nodes := map[int]*living{}
	for i := 1; i <= 3; i++ {
		nodes[i] = s.begin(t, i, conf(i))
	}
	for i, l := range nodes {
		eventually(t, "three members", func() bool { return len(l.cluster.aliveNodes()) == 3 })
		eventually(t, "sealed cookies", func() bool {
			var c loyal
			c.url = "8080/"
			c.visit(t, s, i, "")
			return len(c.cookie) == 76
		})
		eventually(t, "the first agreed key", func() bool { return len(l.cluster.state().Ring(consensus.StickyRing)) > 0 })
	}
	var clients []*loyal
	for n := range 45 {
		c := &loyal{url: "8080/"}
		c.server = c.visit(t, s, 1+n%3, "")
		l := &loyal{url: "8081/", cookie: fmt.Sprint("session", n)}
		l.server = l.visit(t, s, 1+n%3, "?new="+l.cookie)
		clients = append(clients, c, l)
	}
	stay := func(when string, at ...int) {
		t.Helper()
		for _, i := range at { // what is not told yet is asked for, but not for long
			f := nodes[i].cluster.feed
			eventually(t, "all sessions on each node", func() bool {
				return !slices.ContainsFunc(clients, func(c *loyal) bool {
					_, known := f.balancer.FindSession("sessions", upstream.SessionKeyOf([]byte(c.cookie)))
					return c.learned() && !known
				})
			})
		}
		for n, c := range clients {
			for _, i := range at {
				if got := c.visit(t, s, i, ""); got != c.server {
					t.Errorf("%s: client %d of %s moves from %s to %s on node %d", when, n, c.url, c.server, got, i)
				}
			}
		}
	}
	stay("at once", 1, 2, 3)
	nodes[1].end(t)
	stay("one node has stopped", 2, 3)
	nodes[1] = s.begin(t, 1, conf(1))
	eventually(t, "three members again", func() bool { return len(nodes[1].cluster.aliveNodes()) == 3 })
	stay("it is back", 1, 2, 3)

	before := map[*loyal]string{}
	for _, c := range clients {
		before[c] = c.cookie
	}
	nodes[2].propose(t, &consensus.CreateKey{Ring: consensus.StickyRing, ID: 60000, Secret: bytes.Repeat([]byte{7}, 32)})
	nodes[3].propose(t, &consensus.ActivateKey{Ring: consensus.StickyRing, ID: 60000}) // at once: not all nodes need to know it yet
	for _, l := range nodes {
		eventually(t, "the new key on each node", func() bool { return hasKey(l.cluster.state().Ring(consensus.StickyRing), 60000) })
	}
	stay("with a new key", 3, 2, 1)
	for n, c := range clients {
		if c.learned() != (before[c] == c.cookie) {
			t.Errorf("the cookie of client %d of %s was renewed: %t", n, c.url, before[c] != c.cookie)
		}
	}
}

// TestClientsStayFromTheStart: a client that comes before there is a cluster
// stays with its server when there is one, on every node.
func TestClientsStayFromTheStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	http := fmt.Sprintf("upstream app { zone app 64k; server %s; server %s; server %s; sticky cookie srv; }", app(t, "one"), app(t, "two"), app(t, "three"))
	nodes := []*living{s.begin(t, 1, s.conf(1, 3, http))}
	var clients []*loyal
	for range 6 {
		c := &loyal{url: "8080/"}
		if c.server = c.visit(t, s, 1, ""); len(c.cookie) != 76 {
			t.Fatalf("the cookie is %q", c.cookie)
		}
		clients = append(clients, c)
	}
	for i := 2; i <= 3; i++ {
		nodes = append(nodes, s.begin(t, i, s.conf(i, 3, http)))
	}
	for i, l := range nodes {
		eventually(t, "agreed keys", func() bool { return len(l.cluster.state().Ring(consensus.StickyRing)) > 0 })
		for n, c := range clients {
			if got := c.visit(t, s, i+1, ""); got != c.server {
				t.Errorf("client %d moves from %s to %s on node %d", n, c.server, got, i+1)
			}
		}
	}
}
