package cache_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// TestPurgeHoldsForFetchesAtWork: what an upstream was asked for before a
// purge is neither stored nor given to anybody who asks after it, at whatever
// moment it comes.
func TestPurgeHoldsForFetchesAtWork(t *testing.T) {
	t.Parallel()
	const valid = "proxy_cache_valid 1h; proxy_cache_key $uri; proxy_cache_purge $http_x_purge; "
	for _, c := range []struct {
		name, conf string
		target     string        // of the purge
		old        string        // fields of a reply that is stored and too old
		think      time.Duration // of the upstream; its body takes 2 s more
		at         time.Duration // of the purge, after the first request
		first      string        // what that request gets
	}{
		{name: "before the head", target: "/a", think: 2 * time.Second, at: time.Second, first: "MISS old 4s"},
		{name: "before the head, by prefix", target: "/*", think: 2 * time.Second, at: time.Second, first: "MISS old 4s"},
		{name: "in the body", target: "/a", at: time.Second / 2, first: "MISS old 2s"},
		{name: "in the body, by prefix", target: "/*", at: time.Second / 2, first: "MISS old 2s"},
		{name: "before the head, under a lock", conf: "proxy_cache_lock on;", target: "/a", think: 2 * time.Second, at: time.Second, first: "MISS old 4s"},
		{name: "before the head, under a lock, by prefix", conf: "proxy_cache_lock on;", target: "/*", think: 2 * time.Second, at: time.Second, first: "MISS old 4s"},
		{name: "in the body, under a lock", conf: "proxy_cache_lock on;", target: "/a", at: time.Second / 2, first: "MISS old 2s"},
		{name: "in the body, under a lock, by prefix", conf: "proxy_cache_lock on;", target: "/*", at: time.Second / 2, first: "MISS old 2s"},
		{name: "a revalidation", target: "/a", old: `Cache-Control: max-age=1|ETag: "1"`, think: 2 * time.Second, at: time.Second, first: "REVALIDATED old 2s"},
		{name: "a revalidation, by prefix", target: "/*", old: `Cache-Control: max-age=1|ETag: "1"`, think: 2 * time.Second, at: time.Second, first: "REVALIDATED old 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, valid+c.conf)
				defer w.z.Close()
				var now atomic.Pointer[origin]
				w.fetch = func(r *request.Request) (request.Incoming, request.Verdict) { return now.Load().fetch(r) }
				if c.old != "" {
					now.Store(&origin{fields: c.old, pieces: []string{"old"}})
					w.crowd(1, "GET /a")
					time.Sleep(10 * time.Second)
				}
				now.Store(&origin{think: c.think, fields: strings.Replace(c.old, "=1|", "=1000|", 1), pieces: []string{"old"}})
				first := make(chan map[string]int, 1)
				go func() { first <- w.crowd(1, "GET /a") }()
				time.Sleep(c.at)
				synctest.Wait()
				now.Store(&origin{pieces: []string{"new"}})
				r := w.newRequest([]string{"GET " + c.target, "X-Purge: 1"})
				if body, _ := w.c.Fetch(r); body != nil || r.Reply.Status != 204 {
					t.Errorf("the purge is answered with %d", r.Reply.Status)
				}
				if got := w.crowd(1, "GET /a"); got["MISS new 2s"] != 1 {
					t.Errorf("after the purge: %v", got)
				}
				if got := <-first; got[c.first] != 1 {
					t.Errorf("the request before the purge: %v, want %s", got, c.first)
				}
				time.Sleep(time.Minute)
				if got := w.crowd(1, "GET /a"); got["HIT new 0s"] != 1 {
					t.Errorf("later: %v", got)
				}
			})
		})
	}
}
