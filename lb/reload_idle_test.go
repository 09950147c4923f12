package lb_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/lbtest"
)

// begin puts a configuration in force and returns it, held by nobody but the
// balancer.
func begin(t *testing.T, b *lbtest.Balancer, conf string) weak.Pointer[config.Server] {
	t.Helper()
	cfg, err := b.Load(conf)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.Start()
	return weak.Make(cfg.HTTP.Servers[0])
}

// Idle connections, also those that have not asked yet, let go of what the
// configuration before took.
func TestIdleConnectionsLetGoOfGenerations(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, told("zero"))
	first := begin(t, b, told("one"))
	c, fresh := b.Dial(front), b.Dial(front)
	if r := c.Ask(get); r.Body != "one" {
		t.Fatal(r)
	}
	begin(t, b, told("two"))
	for end := time.Now().Add(lbtest.Patience); first.Value() != nil; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("the old configuration is still held")
		}
	}
	for _, c := range []*lbtest.Client{c, fresh} {
		if r := c.Ask(get); r.Body != "two" {
			t.Error(r)
		}
	}
}

// So do connections of HTTP/2, which go on by the rules of the new one.
func TestIdleHTTP2LetsGoOfGenerations(t *testing.T) {
	t.Parallel()
	b := startH2(t, `location / { return 200 "zero"; }`)
	first := begin(t, b, h2Site(`location / { return 200 "one"; }`))
	f := speak(t, b.Dial(front))
	f.head(1, true, "GET /")
	if got := f.reply(1); got != "200 one" {
		t.Fatal(got)
	}
	begin(t, b, h2Site(`location / { return 200 "two"; }`))
	for end := time.Now().Add(lbtest.Patience); first.Value() != nil; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("the old configuration is still held")
		}
	}
	f.head(3, true, "GET /")
	if got := f.reply(3); got != "200 two" {
		t.Error(got)
	}
}

// Reloads do not prolong the time that a connection may be idle.
func TestReloadsLeaveKeepaliveTimeout(t *testing.T) {
	t.Parallel()
	conf := site(`keepalive_timeout 300ms; location / { return 200 one; }`)
	b := lbtest.Start(t, conf)
	c := b.Dial(front)
	if r := c.Ask(get); r.Body != "one" {
		t.Fatal(r)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Rest()
	}()
	for end := time.Now().Add(lbtest.Patience); pending(ended); {
		reload(t, b, conf)
		if time.Now().After(end) {
			t.Fatal("the idle connection outlives its time")
		}
	}
}
