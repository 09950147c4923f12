package clustertest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/program"
)

// loyalty is many clients that were each sent to a server once, by a cookie of weir's or a session of the application,
// and whether they still are.
type loyalty struct {
	c       *cluster
	http    *http.Client
	clients []*loyalClient

	cookies, sessions         atomic.Int64 // visits after a disturbance
	cookiesLost, sessionsLost atomic.Int64 // those that came to another server
	youngLost                 atomic.Int64 // of sessionsLost, of sessions that began as their node was killed
}

// loyalClient has a cookie, or the id of a session.
type loyalClient struct {
	path, cookie, server string
	young                bool // it began as its node was killed
}

// startLoyal starts three nodes in front of three servers that tell their names, two upstreams over them.
func startLoyal(t *testing.T) *loyalty {
	t.Helper()
	l := &loyalty{c: newCluster(t, 3), http: &http.Client{Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: stickyHands}}}
	t.Cleanup(l.http.CloseIdleConnections)
	var servers strings.Builder
	for _, name := range []string{"one", "two", "three"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Server", name) }))
		t.Cleanup(s.Close)
		fmt.Fprintf(&servers, "server %s; ", strings.TrimPrefix(s.URL, "http://"))
	}
	for _, n := range l.c.nodes {
		n.http = fmt.Sprintf("upstream app { zone app 1m; %[1]s sticky cookie srv; } "+
			"upstream shop { zone shop 1m; %[1]s sticky learn create=$arg_new lookup=$cookie_srv zone=sessions:8m sync; } "+
			"server { listen %[2]s; location / { proxy_pass http://app; } location /shop { proxy_pass http://shop; } }", &servers, n.addr)
		n.write()
	}
	l.c.start()
	for _, n := range l.c.nodes {
		l.c.await("keys on "+n.name, func() error {
			c := loyalClient{path: "/"}
			if err := l.ask(&c, n, ""); err != nil || len(c.cookie) < 60 {
				return fmt.Errorf("cookie %q, %w", c.cookie, err)
			}
			return nil
		})
	}
	return l
}

// ask makes a client's request and keeps what it is told.
func (l *loyalty) ask(c *loyalClient, n *clusterNode, query string) error {
	ctx, cancel := context.WithTimeout(l.c.t.Context(), limit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.addr+c.path+query, nil)
	if err != nil {
		return err
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "srv", Value: c.cookie})
	}
	resp, err := l.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for _, k := range resp.Cookies() {
		c.cookie = k.Value
	}
	c.server = resp.Header.Get("X-Server")
	return nil
}

// begin has one more client of each kind come to a node.
func (l *loyalty) begin(n *clusterNode, young bool) error {
	cookie, session := &loyalClient{path: "/", young: young}, &loyalClient{path: "/shop", cookie: fmt.Sprint("session", len(l.clients)), young: young}
	if err := l.ask(cookie, n, ""); err != nil {
		return err
	}
	if err := l.ask(session, n, "?new="+session.cookie); err != nil {
		return err
	}
	l.clients = append(l.clients, cookie, session)
	return nil
}

// visit has every client come to one of the nodes that run.
func (l *loyalty) visit() {
	nodes := l.c.running()
	var next atomic.Int64
	var hands sync.WaitGroup
	for range stickyHands {
		hands.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(l.clients); i = int(next.Add(1)) - 1 {
				c := l.clients[i]
				was := c.server
				err := l.ask(c, nodes[i/2%len(nodes)], "")
				if err != nil {
					l.c.t.Error(err)
				}
				visits, losses := &l.cookies, &l.cookiesLost
				if c.path == "/shop" {
					visits, losses = &l.sessions, &l.sessionsLost
				}
				visits.Add(1)
				if c.server != was {
					losses.Add(1)
				}
				if c.server != was && c.young && c.path == "/shop" {
					l.youngLost.Add(1)
				}
			}
		})
	}
	hands.Wait()
}

// trial has clients begin on all nodes, the last of them on one that is killed at once; then all come to the others, to
// the one that is back, and to all when there is a new key.
func (l *loyalty) trial(victim *clusterNode, clients int) {
	t := l.c.t
	t.Helper()
	for i := range clients {
		if err := l.begin(l.c.nodes[i%len(l.c.nodes)], false); err != nil {
			t.Fatal(err)
		}
	}
	l.c.rest()
	for range clients / 100 {
		<-time.After(10 * time.Millisecond) // 100 clients a second
		if err := l.begin(victim, true); err != nil {
			t.Fatal(err)
		}
	}
	victim.kill()
	l.visit()
	victim.start()
	l.c.awaitFormed()
	l.c.rest() // until it has been told all sessions; it may ask, too, but not for long
	l.visit()
	victim.order("cluster", "keys", "rotate", "sticky")
	l.visit()
}

// check fails where a cookie is lost, or too many in ten thousand of the sessions that began some time before their node
// was killed.
func (l *loyalty) check(limit int64) {
	t := l.c.t
	t.Helper()
	if n := l.cookiesLost.Load(); n > 0 {
		t.Errorf("%d of %d visits with cookies came to another server", n, l.cookies.Load())
	}
	if n := l.sessionsLost.Load() - l.youngLost.Load(); n*10_000 > limit*l.sessions.Load() {
		t.Errorf("%d of %d visits with sessions came to another server", n, l.sessions.Load())
	}
}

// TestClusterKeepsClients: cookies and learned sessions lead to their servers through every node, when one is killed, when
// it is back without its memory, and when the key of the cookies changes.
func TestClusterKeepsClients(t *testing.T) {
	t.Parallel()
	l := startLoyal(t)
	l.trial(l.c.nodes[0], 400)
	l.check(15)
}

// TestMeasureClusterKeepsClients is the same with many clients, each node killed twice: of the cookies all are kept, of the
// sessions 99.9 %.
func TestMeasureClusterKeepsClients(t *testing.T) {
	program.Measure(t)
	l := startLoyal(t)
	const rounds = 6
	for i := range rounds {
		l.trial(l.c.nodes[i%len(l.c.nodes)], 1000)
	}
	l.youngLost.Store(0) // here they count
	l.check(10)
	measured.Record(t, "sticky clients of three nodes after a node was killed, came back, and the key was rotated", rounds, fmt.Sprintf(
		"%d of %d visits with cookies came to their server, %d of %d with learned sessions",
		l.cookies.Load()-l.cookiesLost.Load(), l.cookies.Load(), l.sessions.Load()-l.sessionsLost.Load(), l.sessions.Load()))
}
