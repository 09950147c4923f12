package lb_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
	"github.com/weir-lb/weir/lb/upstream"
)

// tell answers the one question of an upstream with SRV records of backends.
func tell(t *testing.T, b *lbtest.Balancer, backends ...*lbtest.Backend) {
	t.Helper()
	var a upstream.Answer
	for _, backend := range backends {
		at := netip.MustParseAddrPort(backend.Addr())
		a.Records = append(a.Records, upstream.Record{Target: "t.", Port: at.Port(), Addrs: []netip.Addr{at.Addr()}})
	}
	q := b.Queries()[0]
	if err := b.SetAnswer(q.Upstream, q.Question, a); err != nil {
		t.Fatal(err)
	}
}

const following = `events {} http { resolver 127.0.0.1; upstream app { zone app 64k; server app.example resolve service=http; }
	server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } } }`

// A request whose servers all left while they were tried goes on to those that
// have come meanwhile.
func TestServersChangeDuringRequest(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, following)
	good := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, "good") })
	bad := lbtest.StartBackend(t, func(c *lbtest.Call) {
		tell(t, b, good)
		c.Close()
	})
	tell(t, b, bad)
	if r := b.Get("127.0.0.1:8080", "/"); r.Status != 200 || r.Body != "good" {
		t.Error(r)
	}
	// Where nobody has come, the failure is what it is.
	alone := lbtest.StartBackend(t, func(c *lbtest.Call) {
		tell(t, b)
		c.Close()
	})
	tell(t, b, alone)
	if r := b.Get("127.0.0.1:8080", "/"); r.Status != 502 {
		t.Error(r)
	}
	b.Errors.Await(t, "upstream prematurely closed connection while reading response header from upstream")
	if r := b.Get("127.0.0.1:8080", "/"); r.Status != 502 {
		t.Error(r)
	}
	b.Errors.Await(t, "no live upstreams while connecting to upstream")
}

// The servers of a state file are read at the start and at each reload.
func TestStateFile(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	conf := `events {} http { upstream app { zone app 64k; state ` + b.Write("app.state", "") + `; } server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } } }`
	for _, name := range []string{"one", "two"} {
		backend := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, name) })
		b.Write("app.state", "server "+backend.Addr()+" max_fails=2;\n")
		if _, err := b.Reload(conf); err != nil {
			t.Fatal(err)
		}
		if r := b.Get("127.0.0.1:8080", "/"); r.Body != name {
			t.Error(r)
		}
	}
	state := b.Write("app.state", "server 127.0.0.1;\nserver;\n")
	if _, err := b.Reload(conf); err == nil || err.Error() != `invalid number of arguments in "server" directive in `+state+":2" {
		t.Error(err)
	}
}

// A state file says what was changed at run time, so that the next start begins
// with it; nothing else does it write.
func TestStateFileFollowsChanges(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	const before = "server 127.0.0.1:1; # as it was\nserver 127.0.0.2:1 slow_start=5s;\n"
	file := b.Write("state/app.state", before)
	conf := `events {} http { resolver 127.0.0.1; upstream app { zone app 64k; state ` + file + `; }
		server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } } }`
	if _, err := b.Reload(conf); err != nil {
		t.Fatal(err)
	}
	lay := func(index uint64, e upstream.Edits) error {
		return b.SetOverlay(upstream.Overlay{Index: index, Upstreams: map[string]upstream.Edits{"app": e}})
	}
	says := func(want string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil || string(text) != want {
			t.Errorf("the file says %q, want %q (%v)", text, want, err)
		}
	}
	if err := lay(1, upstream.Edits{}); err != nil {
		t.Error(err)
	}
	says(before)
	plain := upstream.Server{Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second}
	byName := plain
	byName.Name, byName.Question = "app.example", upstream.Question{Host: "app.example", Service: "http"}
	changes := upstream.Edits{
		Removed: map[upstream.ServerID]bool{upstream.NewServerID("app", "127.0.0.1:1"): true},
		Added:   []upstream.Addition{{Index: 2, Server: byName}},
		Orders:  map[upstream.ServerID]upstream.Order{upstream.NewServerID("app", "127.0.0.2:1"): upstream.OrderDown},
	}
	if err := lay(2, changes); err != nil {
		t.Error(err)
	}
	const after = "server 127.0.0.2:1 slow_start=5s down;\nserver app.example service=http resolve;\n"
	says(after)
	if q := b.Queries(); len(q) != 1 || q[0].Question != byName.Question || q[0].Timeout != 30*time.Second {
		t.Errorf("queries %+v", q)
	}
	// The file and the overlay now say the same, and that is no change.
	if _, err := b.Reload(conf); err != nil {
		t.Fatal(err)
	}
	if err := lay(3, changes); err != nil {
		t.Error(err)
	}
	says(after)
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	changes.Removed = map[upstream.ServerID]bool{upstream.NewServerID("app", "127.0.0.1:1"): true, upstream.NewServerID("app", "127.0.0.2:1"): true}
	if err := lay(4, changes); err == nil || !strings.Contains(err.Error(), "state file: open ") {
		t.Error(err)
	}
}

// A state file that is out of date is written anew as soon as a configuration
// with it serves.
func TestStateFileOfANodeThatWasAway(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	file := b.Write("app.state", "server 127.0.0.1:1;\nserver 127.0.0.2:1;\n")
	added := upstream.Server{
		Name: "127.0.0.3:1", Addrs: []upstream.Addr{{AddrPort: netip.MustParseAddrPort("127.0.0.3:1")}}, Weight: 1, MaxFails: 1, FailTimeout: 10 * time.Second,
	}
	agreed := map[string]upstream.Edits{"app": {Seeded: true, Added: []upstream.Addition{{Index: 7, Server: added}}}}
	if err := b.SetOverlay(upstream.Overlay{Index: 1, Upstreams: agreed}); err != nil {
		t.Fatal(err)
	}
	load(t, b, `events {} http { upstream app { zone app 64k; state `+file+`; } server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } } }`)
	if text, err := os.ReadFile(file); err != nil || string(text) != "server 127.0.0.3:1;\n" {
		t.Errorf("the file says %q (%v)", text, err)
	}
}
