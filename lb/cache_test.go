package lb_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// cached is a configuration with a cache in front of an upstream; more goes
// into its location, and others follow it.
func cached(be *lbtest.Backend, more, others string) string {
	return `events {} http { access_log off; error_log stderr debug; proxy_cache_path cache keys_zone=backcache:10m max_size=2m;
		upstream up { server ` + be.Addr() + `; sticky cookie srv_id; }
		server { listen 127.0.0.1:8080; add_header X-Cache $upstream_cache_status;
		location / { proxy_pass http://up; proxy_cache backcache; ` + more + ` } ` + others + ` } }`
}

// TestStoredIsTheUpstreams: what is stored is the upstream's reply, to which
// each location does its own.
func TestStoredIsTheUpstreams(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		c.Send("HTTP/1.1 200 Fine\r\nCache-Control: max-age=100\r\nX-A: 1\r\nX-B: 2\r\nConnection: x-hop, keep-alive\r\nX-Hop: 1\r\n" +
			"Keep-Alive: timeout=5\r\nServer: up\r\nX-Accel-Limit-Rate: 1000000\r\nContent-Length: 2\r\n\r\nok")
	})
	b := lbtest.Start(t, cached(be, "proxy_cache_key $arg_k; proxy_hide_header X-A;", `location /b { proxy_pass http://up; proxy_cache backcache;
		proxy_cache_key $arg_k; proxy_pass_header Server; add_header X-C 3; }`))
	first := b.Get(front, "/?k=1")
	if first.Field("X-Cache") != "MISS" || !strings.HasPrefix(first.Field("Set-Cookie"), "srv_id=") || first.Field("X-A") != "" || first.Field("X-Hop") != "" {
		t.Error(first)
	}
	// A client may have the whole reply before it is stored. What is not from the cache has a cookie.
	r := b.Get(front, "/b?k=1")
	for late := time.Now().Add(lbtest.Patience); r.Field("Set-Cookie") != "" && time.Now().Before(late); {
		r = b.Get(front, "/b?k=1")
	}
	asked := len(be.Calls())
	r = b.Get(front, "/b?k=1")
	for name, want := range map[string]string{
		"X-A": "1", "X-B": "2", "X-C": "3", "Server": "up", "Set-Cookie": "", "X-Hop": "", "X-Accel-Limit-Rate": "", "Content-Length": "2", "Age": "0",
	} {
		if got := r.Field(name); got != want && name != "Age" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.Line != "HTTP/1.1 200 Fine" || r.Body != "ok" || r.Field("Age") == "" || len(be.Calls()) != asked {
		t.Errorf("%v, %d calls after %d", r, len(be.Calls()), asked)
	}
}

// TestNeverStored: replies and requests that could serve one client's words to
// others.
func TestNeverStored(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\n"
	for _, c := range []struct{ name, request, reply, log string }{
		{"broken off", "", ok + "Content-Length: 9\r\n\r\npart", "not stored: broke off"},
		{"chunks broken off", "", ok + "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", "not stored: broke off"},
		{"two lengths", "", ok + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nwhole", "upstream sent"},
		{"length and chunks", "", ok + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "upstream sent"},
		{"two hosts", "Host: a\nHost: b", ok + "Content-Length: 2\r\n\r\nok", "client sent"},
		{"a field that ends its line", "", ok + "X: a\rb\r\nContent-Length: 2\r\n\r\nok", ""},
		{"larger than max_size", "", ok + "Content-Length: 9000\r\n\r\n" + strings.Repeat("x", 9000), "not stored: too large"},
		{"101", "", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "without being asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			be := lbtest.StartBackend(t, func(call *lbtest.Call) {
				call.Send(c.reply)
				call.Close()
			})
			b := lbtest.Start(t, strings.Replace(cached(be, "", ""), "max_size=2m", "max_size=8k", 1))
			request := "GET / HTTP/1.1\nHost: a\nConnection: close"
			if c.request != "" {
				request = "GET / HTTP/1.1\nConnection: close\n" + c.request
			}
			for range 2 {
				if r := b.Dial(front).Ask(request); r.Field("X-Cache") == "HIT" || strings.Contains(r.String(), "a\rb") {
					t.Error(r)
				}
			}
			if c.log != "" {
				b.Errors.Await(t, c.log)
			}
		})
	}
}

// TestCacheOutlivesReload: entries are found again by a new configuration, by
// another process, and after another zone has gone.
func TestCacheOutlivesReload(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, "ok", "Cache-Control: max-age=1000") })
	b := lbtest.New(t)
	reload(t, b, cached(be, "", ""))
	if r := b.Get(front, "/"); r.Field("X-Cache") != "MISS" {
		t.Fatal(r)
	}
	await(t, "the old generation", reload(t, b, cached(be, "add_header X-New $upstream_cache_status;", "")))
	if r := b.Get(front, "/"); r.Field("X-New") != "HIT" {
		t.Error(r)
	}
	other := lbtest.New(t)
	reload(t, other, strings.Replace(cached(be, "", ""), "proxy_cache_path cache ", "proxy_cache_path "+b.Dir+"/cache ", 1))
	if r := other.Get(front, "/"); r.Field("X-Cache") != "HIT" {
		t.Error(r)
	}
	if _, err := b.Reload(strings.Replace(cached(be, "", ""), "keys_zone", "levels=1:2 keys_zone", 1)); err == nil || !strings.Contains(err.Error(), "previously different levels") {
		t.Error(err)
	}
}

// TestLongReplies: bodies that go to files while they arrive and by sendfile
// afterwards, whole and in ranges, to many clients at once.
func TestLongReplies(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789abcdef", 64<<10)
	for _, length := range []bool{true, false} {
		t.Run(strconv.FormatBool(length), func(t *testing.T) {
			t.Parallel()
			be := lbtest.StartBackend(t, func(c *lbtest.Call) {
				if length {
					c.Answer(200, body, "Cache-Control: max-age=1000")
					return
				}
				c.Send("HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\nTransfer-Encoding: chunked\r\n\r\n" +
					strconv.FormatInt(int64(len(body)), 16) + "\r\n" + body + "\r\n0\r\n\r\n")
			})
			b := lbtest.Start(t, cached(be, "proxy_cache_lock on;", ""))
			var wg sync.WaitGroup
			for range 8 {
				c := b.Dial(front)
				wg.Go(func() {
					for range 2 {
						if r := c.Ask(get); r.Body != body || r.Broken {
							t.Errorf("%s: %d bytes", r.Line, len(r.Body))
						}
					}
				})
			}
			wg.Wait()
			if n := len(be.Calls()); n != 1 {
				t.Errorf("%d calls", n)
			}
			c := b.Dial(front)
			if r := c.Ask(get + "\nRange: bytes=700000-700015,5-9"); r.Status != 206 || !strings.Contains(r.Body, body[700000:700016]) || !strings.Contains(r.Body, "\r\n\r\n56789\r\n") {
				t.Errorf("%s, %d bytes", r.Line, len(r.Body))
			}
			if r := c.Ask(get + "\nRange: bytes=-100"); r.Body != body[len(body)-100:] {
				t.Error(r)
			}
		})
	}
}

// TestCacheWithoutItsDirectory: requests go through when nothing can be
// stored, and the log says so once.
func TestCacheWithoutItsDirectory(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, "ok", "Cache-Control: max-age=1000") })
	b := lbtest.New(t)
	if err := os.WriteFile(filepath.Join(b.Dir, "cache"), nil, 0o600); err != nil { // a file in its place
		t.Fatal(err)
	}
	reload(t, b, cached(be, "", ""))
	for range 3 {
		if r := b.Get(front, "/"); r.Status != 200 || r.Field("X-Cache") != "MISS" {
			t.Error(r)
		}
	}
	if n := strings.Count(b.Errors.String(), "[crit]"); n == 0 || n > 3 { // one for each of reading the directory, opening and writing
		t.Errorf("%d lines:\n%s", n, b.Errors)
	}
}

// TestCacheVariables: what is asked about can be told to the upstream.
func TestCacheVariables(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		c.Answer(200, c.Field("X-Tag")+"|"+c.Field("X-Date")+"|"+c.Field("If-None-Match"), "Cache-Control: no-cache", `ETag: "1"`,
			"Last-Modified: Mon, 06 May 2024 07:08:09 GMT")
	})
	b := lbtest.Start(t, cached(be, "proxy_set_header X-Tag $upstream_cache_etag; proxy_set_header X-Date $upstream_cache_last_modified;", ""))
	for _, want := range []string{"||", `"1"|Mon, 06 May 2024 07:08:09 GMT|"1"`} {
		if r := b.Get(front, "/"); r.Body != want {
			t.Errorf("%q, want %q", r.Body, want)
		}
	}
}

// TestCacheLetsOthersPass: a connection that leaves HTTP is not stored.
func TestCacheLetsOthersPass(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		if c.Field("Upgrade") == "" {
			c.Answer(200, "plain")
			return
		}
		c.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
		c.Echo()
	})
	b := lbtest.Start(t, cached(be, `proxy_cache_valid any 1h; proxy_cache_lock on; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;`, ""))
	for range 2 {
		c := b.Dial(front)
		c.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		if r := c.HeadReply(); r.Status != 101 {
			t.Fatal(r)
		}
		c.Send("ping")
		c.Expect("ping")
	}
	b.Errors.Await(t, "not stored: another protocol")
}

// TestKeyTellsUpstreamsApart: proxy_cache_key as it is without one names the
// upstream, so that sites which share a zone do not answer for each other.
func TestKeyTellsUpstreamsApart(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		c.Send("HTTP/1.1 200 Fine\r\nCache-Control: max-age=100\r\nContent-Length: 2\r\n\r\nok")
	})
	b := lbtest.Start(t, cached(be, "", "} upstream other { server "+be.Addr()+`; }
		server { listen 127.0.0.1:8081; proxy_cache backcache; add_header X-Cache $upstream_cache_status;
		location / { proxy_pass http://other; }
		location /v { set $name other; if ($arg_up) { set $name up; } proxy_pass http://$name; proxy_cache_key $proxy_host/v; }`))
	for _, c := range []struct{ addr, uri, want string }{
		{front, "/a", "MISS"}, {"127.0.0.1:8081", "/a", "MISS"}, {front, "/a", "HIT"}, {"127.0.0.1:8081", "/a", "HIT"},
		{"127.0.0.1:8081", "/v?up=1", "MISS"}, {"127.0.0.1:8081", "/v", "MISS"}, {"127.0.0.1:8081", "/v?up=1", "HIT"},
	} {
		if r := b.Get(c.addr, c.uri); r.Field("X-Cache") != c.want {
			t.Errorf("%s%s: %s, want %s", c.addr, c.uri, r.Field("X-Cache"), c.want)
		}
	}
}
