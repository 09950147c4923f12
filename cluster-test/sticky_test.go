package clustertest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/measured"
	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/cluster-test/program"
)

const (
	stickyClients = 200
	stickyHands   = 8 // clients that ask at a time
)

// crowd is many clients, each signed in at one server of a farm.
type crowd struct {
	farm    *farm
	clients []*member
	http    *http.Client

	mu    sync.Mutex
	lives map[string]int // by server; one that is disturbed lives once more

	requests, moved atomic.Int64
	lost            []string // broken promises; under mu
}

// member is one client with its cookies.
type member struct {
	user, home string
	life       int // of home, at the login
	cookies    map[string]string
}

func newCrowd(f *farm) *crowd {
	c := &crowd{farm: f, lives: map[string]int{}, http: &http.Client{
		Timeout:       limit,
		Transport:     &http.Transport{MaxIdleConnsPerHost: stickyHands},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for i := range stickyClients {
		c.clients = append(c.clients, &member{user: fmt.Sprint("user", i), cookies: map[string]string{}})
	}
	return c
}

// disturb tells that a server is about to lose its clients.
func (c *crowd) disturb(s *farmServer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives[s.name]++
}

func (c *crowd) life(server string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lives[server]
}

func (c *crowd) lose(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = append(c.lost, fmt.Sprintf(format, args...))
}

// ask makes one request of a client and takes the cookies of the reply.
func (c *crowd) ask(ctx context.Context, m *member, method, path, form string) (status int, server, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.farm.addr+path, strings.NewReader(form))
	if err != nil {
		return 0, "", "", err
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range m.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for _, k := range resp.Cookies() {
		m.cookies[k.Name] = k.Value
	}
	c.requests.Add(1)
	return resp.StatusCode, resp.Header.Get("X-Server"), string(text), err
}

// login signs a client in wherever it is sent. It may have to wait: a server can be killed under a request, and one that
// was dead is tried by a single request first, while others find none.
func (c *crowd) login(ctx context.Context, m *member) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); time.Now().Before(end); <-tick.C {
		status, server, body, err := c.ask(ctx, m, "POST", "/webapp/login", "user="+m.user)
		if err == nil && status == http.StatusSeeOther {
			m.home, m.life = server, c.life(server)
			return
		}
		if err != nil || status != http.StatusBadGateway {
			c.lose("%s cannot sign in: %d %q %v", m.user, status, body, err)
			return
		}
	}
	c.lose("%s cannot sign in anywhere", m.user)
}

// visit asks who a client is. As long as its server was left in peace it must be there, signed in.
func (c *crowd) visit(ctx context.Context, m *member) {
	if m.home == "" {
		c.login(ctx, m)
		return
	}
	status, server, body, err := c.ask(ctx, m, "GET", "/webapp/me", "")
	peace := c.life(m.home) == m.life
	switch {
	case err == nil && status == http.StatusOK && server == m.home && strings.Contains(body, `"`+m.user+`"`):
	case peace:
		c.lose("%s of %s: %d from %s %q %v", m.user, m.home, status, server, body, err)
		m.home = ""
	default:
		c.moved.Add(1)
		c.login(ctx, m)
	}
}

// round lets every client visit once.
func (c *crowd) round(ctx context.Context) {
	var hands sync.WaitGroup
	var next atomic.Int64
	for range stickyHands {
		hands.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(c.clients); i = next.Add(1) - 1 {
				c.visit(ctx, c.clients[i])
			}
		})
	}
	hands.Wait()
}

// during lets the clients go on while something happens, and once more when it has.
func (c *crowd) during(t *testing.T, what string, happens func()) {
	t.Helper()
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c.round(t.Context())
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	happens()
	close(done)
	<-ended
	c.round(t.Context())
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, lost := range c.lost {
		if i < 10 {
			t.Errorf("%s: %s", what, lost)
		}
	}
	if len(c.lost) > 0 {
		t.Log(process.LastLines(filepath.Join(c.farm.dir, "error.log"), 20))
	}
	c.lost = nil
}

// at counts the clients of a server.
func (c *crowd) at(s *farmServer) (n int) {
	for _, m := range c.clients {
		if m.home == s.name {
			n++
		}
	}
	return n
}

// newcomers signs new clients in and counts them by server.
func (c *crowd) newcomers(ctx context.Context, n int) map[string]int {
	went := map[string]int{}
	for i := range n {
		m := &member{user: fmt.Sprint("guest", i), cookies: map[string]string{}}
		c.login(ctx, m)
		went[m.home]++
	}
	return went
}

// TestClientsStayWithTheirServers: 200 clients with logins in the memory of Node.js servers keep them, whatever
// happens to the other servers.
func TestClientsStayWithTheirServers(t *testing.T) {
	t.Parallel()
	f := newFarm(t, "../examples/app/server.js", 4, 2)
	c := newCrowd(f)
	n1, n2, n3, n4 := f.servers[0], f.servers[1], f.servers[2], f.servers[3]
	c.during(t, "two servers", func() {})
	if c.at(n1) < 50 || c.at(n2) < 50 {
		t.Fatalf("%d and %d clients at two servers%s", c.at(n1), c.at(n2), process.LastLines(filepath.Join(f.dir, "error.log"), 20))
	}
	before := [2]int{c.at(n1), c.at(n2)}
	c.during(t, "two are added", func() { n3.listed, n4.listed = true, true; f.reload() })
	if now := [2]int{c.at(n1), c.at(n2)}; now != before {
		t.Errorf("%v clients became %v", before, now)
	}
	c.during(t, "one is drained", func() { n1.draining = true; f.reload() })
	if went := c.newcomers(t.Context(), 40); went["n1"] != 0 || went["n3"] == 0 || went["n4"] == 0 || c.at(n1) != before[0] {
		t.Errorf("while n1 is drained newcomers went to %v, and %d of %d of its own are there", went, c.at(n1), before[0])
	}
	c.during(t, "one is removed", func() { c.disturb(n2); n2.listed = false; f.reload() })
	if c.at(n2) != 0 || c.moved.Load() == 0 || c.at(n3) == 0 {
		t.Errorf("%d clients at a server that is removed, %d moved, %d elsewhere", c.at(n2), c.moved.Load(), c.at(n3))
	}
	c.during(t, "one is killed", func() { c.disturb(n3); f.kill(n3) })
	if c.at(n3) != 0 || c.at(n1) != before[0] {
		t.Errorf("%d clients at a server that is dead, %d at the one that is drained", c.at(n3), c.at(n1))
	}
	c.during(t, "it is back", func() { f.raise(n3); n1.draining = false; f.reload() })
	if c.at(n1) != before[0] {
		t.Errorf("%d clients of %d at n1", c.at(n1), before[0])
	}
}

// TestMeasureSticky lets ten minutes of everything happen to the servers.
func TestMeasureSticky(t *testing.T) {
	program.Measure(t)
	f := newFarm(t, "../examples/app/server.js", 6, 4)
	c := newCrowd(f)
	rng := rand.New(rand.NewPCG(1, 2))
	happened := map[string]int{}
	const length = 10 * time.Minute
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(length); time.Now().Before(end); <-tick.C {
		s := f.servers[rng.IntN(len(f.servers))]
		what := f.something(rng, s)
		happened[what]++
		c.during(t, what, func() { f.happen(c, s, what) })
		if t.Failed() {
			t.FailNow()
		}
	}
	figures := fmt.Sprintf("%d clients, %d requests; servers added %d, removed %d, drained %d, killed %d times; %d logins moved with their server, none lost",
		stickyClients, c.requests.Load(), happened["add"], happened["remove"], happened["drain"], happened["kill"], c.moved.Load())
	t.Log(figures)
	measured.Record(t, "sticky clients on moving ground", 1, figures)
}

// something chooses what may happen to a server so that at least one other takes new clients.
func (f *farm) something(rng *rand.Rand, s *farmServer) string {
	others := 0
	for _, o := range f.servers {
		if o != s && o.usable() {
			others++
		}
	}
	switch {
	case !s.listed:
		return "add"
	case others == 0:
		return "undrain"
	}
	return [...]string{"remove", "drain", "undrain", "kill"}[rng.IntN(4)]
}

// happen does it, and tells the crowd if clients lose their server.
func (f *farm) happen(c *crowd, s *farmServer, what string) {
	switch what {
	case "add":
		s.listed, s.draining = true, false
	case "remove":
		c.disturb(s)
		s.listed = false
	case "drain", "undrain":
		s.draining = what == "drain"
	case "kill":
		c.disturb(s)
		f.kill(s)
		f.raise(s)
		return
	}
	f.reload()
}
