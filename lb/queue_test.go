package lb_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// TestQueue lets requests wait at a server that takes one at a time: in their
// order, no more than the queue holds, no longer than it allows or the client
// stays.
func TestQueue(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	app := lbtest.StartBackend(t, func(c *lbtest.Call) {
		if c.Target == "/first" {
			<-free
		}
		c.Answer(200, c.Target)
	})
	b := lbtest.Start(t, `events {} http {
		log_format times "$uri $status [$upstream_status] [$upstream_queue_time] [$upstream_addr]";
		access_log access.log times;
		upstream app { zone app 64k; server `+app.Addr()+` max_conns=1; queue 2 timeout=60s; }
		upstream brief { zone brief 64k; server `+app.Addr()+` down; queue 1 timeout=50ms; }
		server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } location /brief { proxy_pass http://brief; } } }`)
	ask := func(path string) *lbtest.Client {
		c := b.Dial(front)
		c.Send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		return c
	}
	queued := func(n int) {
		t.Helper()
		lbtest.Await(t, func() bool { return b.Queued("app") == n }, func() string { return "the queue has not come to its length" })
	}
	first := ask("/first")
	app.AwaitCalls(t, 1)
	second := ask("/second")
	queued(1)
	leaver := ask("/leaver")
	queued(2)
	if r := b.Get(front, "/overflow"); r.Status != 502 {
		t.Errorf("one too many: %v", r)
	}
	if r := b.Get(front, "/brief"); r.Status != 502 {
		t.Errorf("too late: %v", r)
	}
	_ = leaver.Conn.Close()
	queued(1)
	third := ask("/third")
	queued(2)
	close(free)
	for i, c := range []*lbtest.Client{first, second, third} {
		if r, want := c.Reply(), []string{"/first", "/second", "/third"}[i]; r.Status != 200 || r.Body != want {
			t.Errorf("%s: %v", want, r)
		}
	}
	if calls := strings.Join(app.Calls(), " "); !regexp.MustCompile(`(?s)/first.*/second.*/third`).MatchString(calls) || strings.Contains(calls, "/leaver") {
		t.Errorf("the server was asked %q", calls)
	}
	log := lbtest.FileLog(b.Dir + "/access.log")
	const seconds = `\d+\.\d{3}\]`
	for _, want := range []string{
		`/first 200 \[200\] \[-\] \[` + regexp.QuoteMeta(app.Addr()) + `\]`, `/overflow 502 \[502\] \[` + seconds, `/leaver 499 \[499\] \[` + seconds,
		`/brief 502 \[502\] \[(0\.0[5-9]|0\.[1-9]|[1-9])`, `/second 200 \[200\] \[` + seconds, // no less than the 50 ms that it may wait
	} {
		lbtest.Await(t, func() bool { return regexp.MustCompile(want).MatchString(log.String()) }, func() string { return want + " is not in\n" + log.String() })
	}
	for _, want := range []string{
		"upstream queue is full while connecting to upstream", "upstream queue timed out while connecting to upstream",
		"client prematurely closed connection while waiting in the upstream queue",
	} {
		b.Errors.Await(t, want)
	}
}
