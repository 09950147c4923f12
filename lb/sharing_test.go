package lb_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/lbtest"
	"github.com/weir-lb/weir/lb/upstream"
)

// fakeCluster joins balancers as a cluster would: what one says the others hear
// at once, unless they are cut off.
type fakeCluster struct {
	mu   sync.Mutex
	keys *upstream.Keys // as the others have agreed on them
	here map[*fakeNode]bool
	asks int
}

// fakeNode is one balancer of a fakeCluster.
type fakeNode struct {
	*lbtest.Balancer
	all *fakeCluster
}

// join starts a balancer with three servers that tell their names.
func (f *fakeCluster) join(t *testing.T, conf string, backends []*lbtest.Backend) *fakeNode {
	t.Helper()
	n := &fakeNode{all: f}
	n.Balancer = lbtest.New(t, func(o *lb.Options) { o.Outlet = n })
	writeKey(n.Balancer, "a.key", "a")
	n.SetKeys(upstream.NoKeys())
	for _, b := range backends {
		conf = strings.Replace(conf, "SERVERS", "server "+b.Addr()+"; SERVERS", 1)
	}
	load(t, n.Balancer, strings.Replace(conf, "SERVERS", "", 1))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.here[n] = true
	return n
}

// cut takes a balancer out of reach of the others.
func (n *fakeNode) cut(is bool) {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	n.all.here[n] = !is
}

func (n *fakeNode) others() (list []*fakeNode) {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	for o, in := range n.all.here {
		if o != n && in && n.all.here[n] {
			list = append(list, o)
		}
	}
	return list
}

// Report implements lb.Outlet.
func (*fakeNode) Report(health.Report) {}

// Learned implements lb.Outlet.
func (n *fakeNode) Learned(zone string, list []upstream.LearnedSession) {
	for _, o := range n.others() {
		o.PutSessions(zone, list)
	}
}

// Ask implements lb.Outlet.
func (n *fakeNode) Ask(_ context.Context, zone string, key upstream.SessionKey) (l upstream.LearnedSession, ok bool) {
	for _, o := range n.others() {
		if l, ok = o.FindSession(zone, key); ok {
			break
		}
	}
	return l, ok
}

// AskKey implements lb.Outlet.
func (n *fakeNode) AskKey(context.Context, uint16) (none bool) {
	n.all.mu.Lock()
	defer n.all.mu.Unlock()
	n.all.asks++
	if !n.all.here[n] {
		return false
	}
	n.SetKeys(n.all.keys)
	return true // if it is not among these
}

// asked tells how often a key was asked for.
func (f *fakeCluster) asked() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asks
}

// rotate agrees on keys that those who are not behind know at once.
func (f *fakeCluster) rotate(t *testing.T, behind *fakeNode, list ...upstream.Key) {
	t.Helper()
	keys, err := upstream.NewKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = keys
	for n := range f.here {
		if n != behind {
			n.SetKeys(keys)
		}
	}
}

func stickyKey(n byte, state upstream.KeyState) upstream.Key {
	return upstream.Key{ID: uint16(n), State: state, Secret: [upstream.KeySize]byte{n}}
}

func threeBackends(t *testing.T) (list []*lbtest.Backend) {
	for _, name := range []string{"1", "2", "3"} {
		list = append(list, lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, name) }))
	}
	return list
}

const cookieSite = `events {} http { access_log off; KEYS upstream u { SERVERS sticky cookie srv; }
	server { listen 127.0.0.1:8080; location / { proxy_pass http://u; } } }`

// clients are cookies with the servers they were given for.
type clients []asked

// newClients come to a node one after the other.
func newClients(t *testing.T, at *fakeNode, n int) (list clients) {
	t.Helper()
	for range n {
		got := askSticky(t, at.Balancer, "/", "")
		if len(got.cookie) != 76 {
			t.Fatalf("a new client gets %q", got.cookie)
		}
		list = append(list, got)
	}
	return list
}

// visit a node; all of them must find their servers there. They keep what
// cookies they are given.
func (c clients) visit(t *testing.T, at *fakeNode, when string) (renewed int) {
	t.Helper()
	for i := range c {
		got := askSticky(t, at.Balancer, "/", c[i].cookie)
		if got.server != c[i].server {
			t.Errorf("%s: client %d moves from %s to %s", when, i, c[i].server, got.server)
		}
		if got.cookie != c[i].cookie {
			renewed++
		}
		c[i].cookie = got.cookie
	}
	return renewed
}

// await lets a node ask for the key of the first client's cookie, which may take
// longer than a request waits for it.
func (c clients) await(t *testing.T, at *fakeNode) {
	t.Helper()
	lbtest.Await(t, func() bool { return askSticky(t, at.Balancer, "/", c[0].cookie).server == c[0].server },
		func() string { return "the key of a cookie is not found" })
}

// TestCookiesOnEveryNode: a cookie that one node seals opens on all others,
// over rotations, also on a node that is behind, and after a restart.
func TestCookiesOnEveryNode(t *testing.T) {
	t.Parallel()
	f := &fakeCluster{here: map[*fakeNode]bool{}}
	site, backends := strings.Replace(cookieSite, "KEYS", "", 1), threeBackends(t)
	a, b := f.join(t, site, backends), f.join(t, site, backends)
	if got := askSticky(t, a.Balancer, "/", ""); got.cookie != "" {
		t.Errorf("cookie %q before there are keys", got.cookie)
	}
	next, active, retiring := upstream.KeyNext, upstream.KeyActive, upstream.KeyRetiring
	f.rotate(t, nil, stickyKey(1, active))
	all := newClients(t, a, 20)
	if n := all.visit(t, b, "on another node"); n != 0 {
		t.Errorf("%d cookies are renewed", n)
	}
	f.rotate(t, nil, stickyKey(1, active), stickyKey(2, next))
	all.visit(t, a, "with a next key")
	f.rotate(t, b, stickyKey(1, retiring), stickyKey(2, active)) // b knows it as the next
	if n := all.visit(t, a, "with a new key"); n != len(all) {
		t.Errorf("%d cookies of the retiring key are renewed", n)
	}
	all.visit(t, b, "where the key is still the next")
	f.rotate(t, b, stickyKey(2, active), stickyKey(3, next))
	f.rotate(t, b, stickyKey(2, retiring), stickyKey(3, active))
	all.visit(t, a, "with the next key but one")
	all.await(t, b)
	all.visit(t, b, "on a node that did not know the key")
	if asks := f.asked(); asks > 2 { // the second if the first took more than a second
		t.Errorf("asked %d times for one key", asks)
	}
	c := f.join(t, site, backends)
	all.await(t, c)
	all.visit(t, c, "on a node that knows nothing yet")
	load(t, c.Balancer, strings.Replace(site, "SERVERS", "server "+backends[2].Addr()+"; server "+backends[1].Addr()+"; server "+backends[0].Addr()+";", 1))
	all.visit(t, c, "after a reload")
}

// TestCookiesOfNodesCutOff: nodes that cannot open a cookie agree on a server
// for it, and leave the client the cookie for those that can. A key that is
// known to be none is no reason to.
func TestCookiesOfNodesCutOff(t *testing.T) {
	t.Parallel()
	f := &fakeCluster{here: map[*fakeNode]bool{}}
	site, backends := strings.Replace(cookieSite, "KEYS", "", 1), threeBackends(t)
	a, b, c := f.join(t, site, backends), f.join(t, site, backends), f.join(t, site, backends)
	f.rotate(t, nil, stickyKey(1, upstream.KeyActive))
	for _, n := range []*fakeNode{b, c} {
		n.cut(true)
	}
	keys, err := upstream.NewKeys([]upstream.Key{stickyKey(2, upstream.KeyActive)})
	if err != nil {
		t.Fatal(err)
	}
	f.keys = keys
	a.SetKeys(keys)
	all := newClients(t, a, 30)
	servers := map[string]bool{}
	for i, client := range all {
		there, elsewhere := askSticky(t, b.Balancer, "/", client.cookie), askSticky(t, c.Balancer, "/", client.cookie)
		if there.server != elsewhere.server || there.cookie != client.cookie || elsewhere.cookie != client.cookie {
			t.Errorf("client %d: %+v, on two nodes cut off %+v, %+v", i, client, there, elsewhere)
		}
		servers[there.server] = true
	}
	if len(servers) != 3 {
		t.Errorf("all clients are at %v", servers)
	}
	b.cut(false)
	b.SetKeys(keys)
	all.visit(t, b, "after the cut")

	f.rotate(t, nil, stickyKey(4, upstream.KeyActive)) // without the key before: it was revoked
	lbtest.Await(t, func() bool { return askSticky(t, a.Balancer, "/", all[0].cookie).cookie != all[0].cookie },
		func() string { return "the cookie of a revoked key stays" })
}

// TestKeysOfFilesInCluster: clients keep their servers when a cluster is formed
// of weirs that had keys in files, and when it is dissolved.
func TestKeysOfFilesInCluster(t *testing.T) {
	t.Parallel()
	f := &fakeCluster{here: map[*fakeNode]bool{}}
	site := strings.Replace(cookieSite, "KEYS", "sticky_key a.key;", 1)
	a := f.join(t, site, threeBackends(t))
	all := newClients(t, a, 10)
	f.rotate(t, nil, stickyKey(1, upstream.KeyActive))
	if n := all.visit(t, a, "in the cluster"); n != len(all) {
		t.Errorf("%d cookies are renewed by the cluster's key", n)
	}
	a.SetKeys(nil)
	fresh := newClients(t, a, 1)
	f.rotate(t, nil, stickyKey(1, upstream.KeyActive))
	all.visit(t, a, "in the cluster again")
	fresh.visit(t, a, "in the cluster again")
}

const learnSite = `events {} http { access_log off; upstream u { SERVERS
	sticky learn create=$arg_new lookup=$cookie_srv zone=sessions:64k sync; }
	server { listen 127.0.0.1:8080; location / { proxy_pass http://u; } } }`

// TestSessionsOnEveryNode: what one node learns of a session the others know,
// also when it has gone; who missed it asks.
func TestSessionsOnEveryNode(t *testing.T) {
	t.Parallel()
	f := &fakeCluster{here: map[*fakeNode]bool{}}
	backends := threeBackends(t)
	a, b := f.join(t, learnSite, backends), f.join(t, learnSite, backends)
	const sessions = 50
	var home clients
	for i := range sessions {
		id := fmt.Sprint("session", i)
		home = append(home, asked{cookie: id, server: askSticky(t, a.Balancer, "/?new="+id, "").server})
	}
	told := func(n *fakeNode) func() bool {
		return func() bool {
			held := 0
			n.SharedSessions(func(_ string, list []upstream.LearnedSession) bool { held += len(list); return true })
			return held == sessions
		}
	}
	lbtest.Await(t, told(b), func() string { return "not all sessions are told" })
	a.cut(true)
	check := func(at *fakeNode, when string) {
		t.Helper()
		for i, s := range home {
			if got := askSticky(t, at.Balancer, "/", s.cookie); got.server != s.server {
				t.Errorf("%s: session %d moves from %s to %s", when, i, s.server, got.server)
			}
		}
	}
	check(b, "without the node that learned it")
	if st := b.Learning(); st.Asked != 0 || !st.Shared || st.Kept != sessions || st.Room < sessions {
		t.Errorf("%+v asked for what was told", st)
	}

	// A node that joins asks for what it was not told, once.
	c := f.join(t, learnSite, backends)
	check(c, "on a node that asks")
	check(c, "on a node that has asked")
	if st := c.Learning(); st.Asked != sessions || st.Found != sessions || st.Unasked != 0 || st.Kept != sessions {
		t.Errorf("%+v", st)
	}
	d := f.join(t, learnSite, backends)
	b.SharedSessions(func(zone string, list []upstream.LearnedSession) bool {
		d.PutSessions(zone, list)
		d.PutSessions("of another configuration", list)
		return true
	})
	check(d, "on a node that was told all")
	if st := d.Learning(); st.Asked != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTicketsOnEveryNode: TLS sessions are resumed wherever the nodes share
// keys, unless the configuration says otherwise.
func TestTicketsOnEveryNode(t *testing.T) {
	t.Parallel()
	one, two := [32]byte{1}, [32]byte{2}
	const file = "ssl_session_ticket_key one.key;"
	for _, c := range []struct {
		name, body    string
		first, second [][32]byte
		want          bool
	}{
		{"same key", "", [][32]byte{one}, [][32]byte{one}, true},
		{"a retiring key opens", "", [][32]byte{one}, [][32]byte{two, one}, true},
		{"a next key opens", "", [][32]byte{two, one}, [][32]byte{one, two}, true},
		{"another key", "", [][32]byte{one}, [][32]byte{two}, false},
		{"no keys any more", "", [][32]byte{one}, nil, false},
		{"off", "ssl_session_tickets off;", [][32]byte{one}, [][32]byte{one}, false},
		{"keys of files", file, [][32]byte{one}, [][32]byte{two}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := func(keys [][32]byte) string {
				b := lbtest.New(t)
				writePair(t, b, "a", ecKey(t))
				b.Write("one.key", strings.Repeat("1", 48))
				b.SetTickets(keys)
				load(t, b, secure("ssl_certificate a.crt; ssl_certificate_key a.key; "+c.body))
				return b.Addr(secureFront)
			}
			if got := resumes(t, start(c.first), start(c.second)); got != c.want {
				t.Errorf("resumed: %v", got)
			}
		})
	}
}
