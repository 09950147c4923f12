//go:build !race

// The race detector makes pools forget, and so everything allocate.

package lb_test

import (
	"bytes"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// steady is an upstream that allocates nothing: to each head it sends the same
// reply, once it has read body bytes.
func steady(tb testing.TB, reply string, body int) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				out, in := []byte(reply), make([]byte, 64<<10)
				for n := 0; ; {
					m, err := conn.Read(in[n:])
					if err != nil {
						return
					}
					n += m
					if end := bytes.Index(in[:n], []byte("\r\n\r\n")); end >= 0 && n >= end+4+body {
						n = 0
						if _, err := conn.Write(out); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// asker sends the same request again and again, and allocates nothing.
type asker struct {
	conn    net.Conn
	request []byte
	in      []byte
	length  int // of a whole reply
}

func newAsker(tb testing.TB, b *lbtest.Balancer, request string) *asker {
	c := b.Dial(front)
	c.Send(request)
	r := c.Reply()
	if r.Status != 200 || r.Field("Connection") != "keep-alive" {
		tb.Fatal(r)
	}
	conn, err := net.Dial("tcp", b.Addr(front))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	a := &asker{conn: conn, request: []byte(request), in: make([]byte, 128<<10)}
	if _, err := conn.Write(a.request); err != nil {
		tb.Fatal(err)
	}
	end := "\r\n\r\n" + r.Body
	if r.Field("Transfer-Encoding") != "" {
		end = "\r\n0\r\n\r\n"
	}
	for !strings.HasSuffix(string(a.in[:a.length]), end) {
		n, err := conn.Read(a.in[a.length:])
		if err != nil {
			tb.Fatal(err)
		}
		a.length += n
	}
	return a
}

func (a *asker) ask() error {
	if _, err := a.conn.Write(a.request); err != nil {
		return err
	}
	_, err := io.ReadFull(a.conn, a.in[:a.length])
	return err
}

// steadyCase is one kind of request in its steady state.
type steadyCase struct {
	name, http, location string
	group                string  // further directives of the upstream
	request              string  // GET if empty
	reply                string  // of the upstream; 1 KB if empty
	groups               float64 // regular expressions with groups, each of which costs package regexp one allocation
}

func steadyCases() []steadyCase {
	post := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n" + strings.Repeat("x", 200)
	return []steadyCase{
		{name: "proxy"},
		{name: "post", request: post},
		{name: "chunked", reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{name: "access_log", http: "access_log access.log combined;"},
		{name: "access_log upstream variables", http: `log_format f '$remote_addr [$time_local] "$request" $status $upstream_addr $upstream_status $upstream_response_time $request_time'; access_log access.log f;`},
		{name: "access_log buffer", http: "access_log access.log combined buffer=64k;"},
		{name: "add_header", location: "add_header X-Addr $upstream_addr; add_header X-Id fixed always;"},
		{name: "map", http: `map $http_upgrade $up { default upgrade; '' ""; } map $uri $area { ~^/(?<part>\w+) $part; default none; }`, location: "proxy_set_header Connection $up; proxy_set_header X-Area $area;", groups: 1},
		{name: "proxy_set_header", location: "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;"},
		{name: "rules", location: "allow 127.0.0.0/8; deny all; proxy_hide_header X-Powered-By; proxy_cookie_path / /a; expires 1h;"},
		{name: "rewrite", location: "rewrite ^/(.*)$ /x/$1 break; if ($args) { return 403; } set $v $uri; proxy_set_header X-V $v;", groups: 1},
		{name: "browser", request: "GET /a/b?c=d HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n" +
			"Accept: text/html\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\nCookie: a=b; c=d\r\nReferer: http://example.com/\r\nConnection: keep-alive\r\n\r\n"},
		{name: "sticky cookie", group: "sticky cookie srv expires=1h domain=$host path=/;"},
		{name: "sticky learn", group: "sticky learn create=$arg_s lookup=$arg_s zone=s:64k;", request: "GET /?s=1 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{name: "cache", http: "proxy_cache_path cache keys_zone=c:1m; proxy_cache c; proxy_cache_valid 1h;"},
		{name: "cache of a file", http: "proxy_cache_path cache keys_zone=c:1m; proxy_cache c; proxy_cache_valid 1h;",
			reply: "HTTP/1.1 200 OK\r\nContent-Length: 66000\r\n\r\n" + strings.Repeat("y", 66000)},
		{name: "cache bypassed", http: "proxy_cache_path cache keys_zone=c:1m; proxy_cache c;"},
		{name: "return", location: "return 200 $uri;"},
	}
}

// start runs the case and returns a client of it.
func (c *steadyCase) start(tb testing.TB) *asker {
	request, reply := c.request, c.reply
	if request == "" {
		request = "GET /index HTTP/1.1\r\nHost: a\r\n\r\n"
	}
	if reply == "" {
		reply = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\nServer: x\r\n\r\n" + strings.Repeat("y", 1024)
	}
	_, body, _ := strings.Cut(request, "\r\n\r\n")
	http := c.http
	if !strings.Contains(http, "access_log ") {
		http += " access_log off;"
	}
	content := ""
	if !strings.Contains(c.location, "return 200") {
		content = "proxy_pass http://u;"
	}
	conf := "error_log stderr error; events {} http { keepalive_requests 1000000000; " + http + " upstream u { keepalive 8; keepalive_requests 1000000000; server " + steady(tb, reply, len(body)) + "; server " + steady(tb, reply, len(body)) + "; " + c.group + " }" +
		" server { listen 127.0.0.1:8080; location / { " + content + c.location + " } } }"
	return newAsker(tb, lbtest.Start(tb, conf), request)
}

// TestSteadyRequestsAllocateNothing counts every allocation of the process
// while requests run through it, so it must run alone.
func TestSteadyRequestsAllocateNothing(t *testing.T) {
	const warm, rounds, n = 200, 10, 100
	for _, c := range steadyCases() {
		t.Run(c.name, func(t *testing.T) {
			a := c.start(t)
			run := func(n int) {
				for range n {
					if err := a.ask(); err != nil {
						t.Fatal(err)
					}
				}
			}
			run(warm)
			// A collection empties pools, and the next requests fill them: what each
			// request allocates, all rounds show.
			least := math.Inf(1)
			for range rounds {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				run(n)
				runtime.ReadMemStats(&after)
				least = min(least, float64(after.Mallocs-before.Mallocs)/n)
			}
			if least >= c.groups+0.05 {
				t.Errorf("%.2f allocations per request", least)
			}
		})
	}
}

// BenchmarkRequest is one client's requests through weir, the time of client
// and upstream included.
func BenchmarkRequest(b *testing.B) {
	for _, c := range steadyCases() {
		b.Run(c.name, func(b *testing.B) {
			a := c.start(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := a.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
