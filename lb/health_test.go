package lb_test

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-lb/weir/lb"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/lbtest"
	"github.com/weir-lb/weir/lb/upstream"
)

// patient is a server that is well or not, and tells its probes from its other
// requests.
type patient struct {
	*lbtest.Backend
	ill    atomic.Bool
	probes atomic.Int32
	others atomic.Int32

	mu    sync.Mutex
	probe string // the head of the last one
}

func newPatient(t *testing.T) *patient {
	p := &patient{}
	p.Backend = lbtest.StartBackend(t, func(c *lbtest.Call) {
		if !strings.Contains(c.Field("User-Agent"), "(health check)") {
			p.others.Add(1)
			c.Answer(200, "app")
			return
		}
		p.mu.Lock()
		p.probe = c.Head
		p.mu.Unlock()
		status := 200
		if p.ill.Load() {
			status = 500
		}
		p.probes.Add(1) // before anybody can know of the answer
		c.Answer(status, "probe", "Content-Type: text/html")
	})
	return p
}

// verdicts waits until the servers of an upstream are judged as given.
func verdicts(t *testing.T, b *lbtest.Balancer, name string, want map[*patient]upstream.Verdict) {
	t.Helper()
	var got []health.PeerStatus
	lbtest.Await(t, func() bool {
		got = b.Checked(name)
		right := 0
		for _, s := range got {
			for p, v := range want {
				if s.Peer.Addr == p.Addr() && s.Verdict == v {
					right++
				}
			}
		}
		return right == len(want)
	}, func() string { return fmt.Sprintf("%+v", got) })
}

const (
	usable    = upstream.VerdictUsable
	unhealthy = upstream.VerdictUnhealthy
)

// checkedSite is a site of two servers with checks that come fast.
func checkedSite(a, b *patient, more, check string) string {
	return `events {} http { access_log off; match good { status 200; header Content-Type ~ text/html; body ~ "^probe$"; } ` + more + `
		upstream app { zone app 64k; server ` + a.Addr() + `; server ` + b.Addr() + `; }
		server { listen 127.0.0.1:8080; location / { proxy_pass http://app; proxy_set_header X-Site shop; ` + check + ` } } }`
}

// TestHealthCheck takes a server out when its check fails, and back in when it
// passes. After the probe that found it ill a server gets no request.
func TestHealthCheck(t *testing.T) {
	t.Parallel()
	well, ill := newPatient(t), newPatient(t)
	b := lbtest.Start(t, checkedSite(well, ill, "", "health_check match=good interval=50ms uri=/healthz?deep=1;"))
	ask := func(n int) {
		t.Helper()
		for range n {
			if r := b.Get(front, "/"); r.Status != 200 || r.Body != "app" {
				t.Fatal(r)
			}
		}
	}
	verdicts(t, b, "app", map[*patient]upstream.Verdict{well: usable, ill: usable})
	ask(10)
	if ill.others.Load() != 5 {
		t.Errorf("%d requests of 10", ill.others.Load())
	}
	for round := range int32(3) {
		ill.ill.Store(true)
		b.Errors.AwaitLines(t, int(2*round+1))
		before := ill.others.Load()
		ask(20)
		if n := ill.others.Load() - before; n != 0 {
			t.Errorf("%d requests after the probe that failed", n)
		}
		ill.ill.Store(false)
		b.Errors.AwaitLines(t, int(2*round+2))
		ask(20)
		if n := ill.others.Load() - before; n != 10 {
			t.Errorf("%d requests of 20 after recovery", n)
		}
	}
	ill.mu.Lock()
	want := "GET /healthz?deep=1 HTTP/1.1\nHost: app\nX-Site: shop\nUser-Agent: weir/1 (health check)\nConnection: close\n"
	if ill.probe != want {
		t.Errorf("probe %q, want %q", ill.probe, want)
	}
	ill.mu.Unlock()
	for i, line := range b.Errors.Lines() {
		want := []string{
			`[error] 1#1: peer is unhealthy (status: 500), health check "good" of peer ` + ill.Addr() + ` in upstream "app"`,
			`[notice] 1#1: peer is healthy, health check "good" of peer ` + ill.Addr() + ` in upstream "app"`,
		}[i%2]
		if !strings.Contains(line, want) {
			t.Errorf("line %q, want %q", line, want)
		}
	}
}

// TestHealthCheckReload keeps what is known of servers over a reload, checks
// new ones first where that is mandatory, and ends with the last health_check.
func TestHealthCheckReload(t *testing.T) {
	t.Parallel()
	well, ill := newPatient(t), newPatient(t)
	ill.ill.Store(true)
	site := func(check string) string { return checkedSite(well, ill, "", check) }
	b := lbtest.Start(t, site("health_check interval=1h mandatory;"))
	verdicts(t, b, "app", map[*patient]upstream.Verdict{well: usable, ill: unhealthy})
	probes := ill.probes.Load()
	load(t, b, site("health_check interval=1h mandatory;"))
	verdicts(t, b, "app", map[*patient]upstream.Verdict{well: usable, ill: unhealthy})
	if n := ill.probes.Load(); n != probes {
		t.Errorf("%d more probes for a reload without changes", n-probes)
	}
	for range 6 {
		if r := b.Get(front, "/"); r.Status != 200 {
			t.Fatal(r)
		}
	}
	if n := ill.others.Load(); n != 0 {
		t.Errorf("%d requests to the server that is ill", n)
	}
	load(t, b, site(""))
	if list := b.Checked("app"); list != nil {
		t.Errorf("still checked: %v", list)
	}
	for range 4 {
		b.Get(front, "/")
	}
	if n := ill.others.Load(); n != 2 {
		t.Errorf("%d of 4 requests where nothing is checked", n)
	}
}

// TestHealthCheckOutlet tells the cluster what changes, once each.
func TestHealthCheckOutlet(t *testing.T) {
	t.Parallel()
	well, ill := newPatient(t), newPatient(t)
	ill.ill.Store(true)
	told := make(outlet, 100)
	b := lbtest.New(t, func(o *lb.Options) { o.Outlet = told })
	load(t, b, checkedSite(well, ill, "", "health_check interval=20ms fails=2 mandatory;"))
	verdicts(t, b, "app", map[*patient]upstream.Verdict{well: usable, ill: unhealthy})
	got := map[string]health.Report{}
	for range 2 {
		r := <-told
		got[r.Peer.Addr] = r
	}
	for p, status := range map[*patient]health.Status{well: health.StatusUp, ill: health.StatusDown} {
		if r := got[p.Addr()]; r.Status != status || r.Seq == 0 || r.Latency <= 0 || r.Since.IsZero() {
			t.Errorf("report %+v", r)
		}
	}
	if len(told) != 0 {
		t.Errorf("%d reports of nothing new", len(told))
	}
}

type outlet chan health.Report

// Report implements lb.Outlet.
func (o outlet) Report(r health.Report) { o <- r }

// Learned implements lb.Outlet.
func (outlet) Learned(string, []upstream.LearnedSession) {}

// Ask implements lb.Outlet.
func (outlet) Ask(context.Context, string, upstream.SessionKey) (l upstream.LearnedSession, ok bool) {
	return l, false
}

// AskKey implements lb.Outlet.
func (outlet) AskKey(context.Context, uint16) bool { return true }

// TestHealthCheckFoundServers checks servers that name servers bring.
func TestHealthCheckFoundServers(t *testing.T) {
	t.Parallel()
	app := newPatient(t)
	addr := netip.MustParseAddrPort(app.Addr())
	b := lbtest.Start(t, `events {} http { access_log off; resolver 127.0.0.1:1;
		upstream app { zone app 64k; server app.example:`+strconv.Itoa(int(addr.Port()))+` resolve; }
		server { listen 127.0.0.1:8080; location / { proxy_pass http://app; health_check interval=20ms mandatory; } } }`)
	if r := b.Get(front, "/"); r.Status != 502 {
		t.Error(r)
	}
	set := func(addrs ...netip.Addr) {
		q := upstream.Question{Host: "app.example"}
		if err := b.SetAnswer("app", q, upstream.Answer{Records: []upstream.Record{{Addrs: addrs}}}); err != nil {
			t.Fatal(err)
		}
	}
	set(addr.Addr())
	verdicts(t, b, "app", map[*patient]upstream.Verdict{app: usable})
	if r := b.Get(front, "/"); r.Status != 200 {
		t.Error(r)
	}
	app.ill.Store(true)
	verdicts(t, b, "app", map[*patient]upstream.Verdict{app: unhealthy})
	if r := b.Get(front, "/"); r.Status != 502 {
		t.Error(r)
	}
	set()
	lbtest.Await(t, func() bool { return len(b.Checked("app")) == 0 }, func() string { return "a server that is gone is checked" })
}

// TestHealthCheckSettings makes probes with all that a location may say about
// its requests, though there is no client.
func TestHealthCheckSettings(t *testing.T) {
	t.Parallel()
	app, other := newPatient(t), newPatient(t)
	b := lbtest.Start(t, checkedSite(app, other, "map $http_upgrade $connection_upgrade { default upgrade; '' close; }", `
		proxy_set_header Host www.example.com; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Real-IP $remote_addr;
		proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_set_header User-Agent "ours (health check)";
		proxy_set_header X-All "$arg_a$binary_remote_addr$body_bytes_sent$bytes_sent$connection$connection_requests$content_length$cookie_a$document_root$document_uri$host$hostname$is_args$limit_rate$pipe$proxy_protocol_addr$query_string$realpath_root$remote_user$request$request_body$request_filename$request_id$request_length$request_time$request_uri$scheme$server_addr$server_name$server_port$server_protocol$ssl_protocol$status$uri$upstream_addr$upstream_cache_status";
		health_check interval=1h keepalive_time=1m;`))
	verdicts(t, b, "app", map[*patient]upstream.Verdict{app: usable})
	lbtest.Await(t, func() bool { return app.probes.Load() > 0 }, func() string { return "no probe" })
	app.mu.Lock()
	defer app.mu.Unlock()
	if p := app.probe; !strings.HasPrefix(p, "GET / HTTP/1.1\nX-Site: shop\nHost: www.example.com\nConnection: close\nUser-Agent: ours (health check)\nX-All: ") || strings.Contains(p, "Upgrade:") {
		t.Errorf("probe %q", p)
	}
}
