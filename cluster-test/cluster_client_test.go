package clustertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// visitor is a client that signs in once and keeps its cookies. It goes to one node, and to the next one when that is
// gone, as a browser does with the addresses of a name.
type visitor struct {
	cluster *cluster
	name    string
	server  string // that took the login, and alone knows it
	at      int    // which node it goes to
	http    *http.Client
}

// visitors are many of them, who ask on and on.
type visitors struct {
	list     []*visitor
	requests atomic.Int64
	moves    atomic.Int64

	mu   sync.Mutex
	lost []string // what went wrong, a line each
}

// visit has clients sign in, spread over the nodes.
func (c *cluster) visit(clients int) *visitors {
	c.t.Helper()
	var vs visitors
	for i := range clients {
		jar, err := cookiejar.New(nil)
		if err != nil {
			c.t.Fatal(err)
		}
		v := &visitor{cluster: c, name: fmt.Sprint("visitor-", i), at: i % len(c.nodes), http: &http.Client{
			Jar: jar, Timeout: limit, Transport: &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		c.t.Cleanup(v.http.CloseIdleConnections)
		c.await("the login of "+v.name, func() error { // a cluster that was just formed has no keys for cookies yet
			v.server, err = v.login()
			return err
		})
		vs.list = append(vs.list, v)
	}
	return &vs
}

// node is the one that the visitor goes to.
func (v *visitor) node() *clusterNode { return v.cluster.nodes[v.at] }

func (v *visitor) login() (server string, err error) {
	resp, err := v.http.PostForm("http://"+v.node().addr+"/webapp/login", url.Values{"user": {v.name}})
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("login: %s", resp.Status)
	}
	const sealed = 60 // characters at least
	if !slices.ContainsFunc(resp.Cookies(), func(k *http.Cookie) bool { return k.Name == "srv_id" && len(k.Value) > sealed }) {
		return "", fmt.Errorf("login: no sealed cookie: %q", resp.Header["Set-Cookie"])
	}
	return resp.Header.Get("X-Server"), nil
}

// me asks a node who one is; told says that a reply came.
func (v *visitor) me(ctx context.Context, n *clusterNode) (told bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.addr+"/webapp/me", nil)
	if err != nil {
		return false, err
	}
	resp, err := v.http.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	want := fmt.Sprintf(`{"server":%q,"user":%q}`, v.server, v.name)
	if resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != want {
		return true, fmt.Errorf("%s: %s, want %s", resp.Status, body, want)
	}
	return true, nil
}

// ask asks once, at another node where the first is gone. An error is a request or a login that was lost.
func (v *visitor) ask(ctx context.Context) (moved bool, err error) {
	n := v.node()
	before := n.ends.Load()
	told, err := v.me(ctx, n)
	if err == nil || told || n.runs.Load() && n.ends.Load() == before { // it may be back before the visitor has a look
		return false, err
	}
	for range v.cluster.nodes { // of those that are left, the next one
		if v.at = (v.at + 1) % len(v.cluster.nodes); v.node().runs.Load() {
			_, err = v.me(ctx, v.node())
			return true, err
		}
	}
	return false, err
}

// stay has all visitors ask until the story has been told, and at least once after it.
func (vs *visitors) stay(c *cluster, story func()) {
	c.t.Helper()
	told := make(chan struct{})
	var all sync.WaitGroup
	for _, v := range vs.list {
		all.Go(func() {
			for over := false; !over; {
				select {
				case <-told:
					over = true
				case <-time.After(10 * time.Millisecond):
				}
				vs.ask(c.t.Context(), v)
			}
		})
	}
	func() {
		defer close(told) // also when the story ends the test
		story()
	}()
	all.Wait()
	for i, line := range vs.lost {
		if i < 10 {
			c.t.Error("lost:", line)
		}
	}
	c.t.Logf("%d visitors, %d requests, %d moves to another node, %d lost", len(vs.list), vs.requests.Load(), vs.moves.Load(), len(vs.lost))
}

func (vs *visitors) ask(ctx context.Context, v *visitor) {
	from := v.node().name
	moved, err := v.ask(ctx)
	vs.requests.Add(1)
	if moved {
		vs.moves.Add(1)
	}
	if err != nil {
		vs.mu.Lock()
		vs.lost = append(vs.lost, fmt.Sprintf("%s from %s at %s: %v", v.name, from, v.node().name, err))
		vs.mu.Unlock()
	}
}
