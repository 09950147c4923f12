package lb_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// Heads that are too large, in one piece or many, are refused and nothing
// hangs, whatever the buffers' sizes.
func TestHeadLimits(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, site("large_client_header_buffers 2 1k; location / { return 200 ok; }"))
	line := func(n int) string { return "X: " + strings.Repeat("x", n-5) + "\r\n" }
	for _, tt := range []struct {
		name, send string
		want       int
	}{
		{"a line that just fits", "GET /" + strings.Repeat("x", 1024-len("GET / HTTP/1.1\r\n")) + " HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"a line too long", "GET /" + strings.Repeat("x", 1024) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"a line without an end", "GET /" + strings.Repeat("x", 3000), 414},
		{"a field that just fits", "GET / HTTP/1.1\r\nHost: a\r\n" + line(1024) + "\r\n", 200},
		{"a field too long", "GET / HTTP/1.1\r\nHost: a\r\n" + line(1025) + "\r\n", 400},
		{"a field without an end", "GET / HTTP/1.1\r\nHost: a\r\nX:" + strings.Repeat("x", 3000), 400},
		{"fields too large together", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(line(512), 5) + "\r\n", 400},
		{"fields that fill the buffers", "GET / HTTP/1.1\r\n" + line(1024-len("GET / HTTP/1.1\r\n")) + line(1024), 400},
	} {
		for _, piece := range []int{1 << 20, 100} {
			c := b.Dial(front)
			for rest := tt.send; rest != ""; {
				n := min(piece, len(rest))
				if _, err := io.WriteString(c, rest[:n]); err != nil {
					break // refused already
				}
				rest = rest[n:]
			}
			if tt.name == "fields that fill the buffers" { // the end of the head has no place
				_, _ = io.WriteString(c, "\r\n\r\n") // it may be refused already
			}
			if r := c.Reply(); r.Status != tt.want {
				t.Errorf("%s, pieces of %d: %d", tt.name, piece, r.Status)
			}
		}
	}
}

func TestHeadByteByByte(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := lbtest.Start(t, site("location / { proxy_pass http://"+be.Addr()+"; }"))
	c := b.Dial(front)
	request := "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n"
	for i := range len(request) {
		c.Send(request[i : i+1])
	}
	if r := c.Reply(); !strings.HasSuffix(r.Body, "\n\nabc0123456789abcdef") {
		t.Error(r)
	}
	if r := c.Reply(); !strings.HasPrefix(r.Body, "GET /y ") {
		t.Error(r)
	}
}

// What a client is too slow for, what it is told, and what the logs say.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := lbtest.Start(t, `events {} http { log_format f '$status "$request"'; access_log access.log f; server { listen 127.0.0.1:8080;
		client_header_timeout 2s; client_body_timeout 100ms; keepalive_timeout 100ms; lingering_timeout 100ms;
		location / { return 200 ok; } location /p { proxy_pass http://`+be.Addr()+`; } } }`)
	for _, tt := range []struct {
		name, send   string
		replies      []int
		errors, line string
	}{
		{"nothing", "", nil, "client timed out (110: Connection timed out) while waiting for request, client: 127.0.0.1, server: 127.0.0.1:", ""},
		{"half a line", "GET / HT", nil, "client timed out (110: Connection timed out) while reading client request line, client: 127.0.0.1, server: , request: \"GET / HT\"\n", `408 "GET / HT"`},
		{"half a head", "GET / HTTP/1.1\r\nHost: a\r\n", nil, "client timed out (110: Connection timed out) while reading client request headers, client: 127.0.0.1, server: , request: \"GET / HTTP/1.1\", host: \"a\"", `408 "GET / HTTP/1.1"`},
		{"half a body", "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx", nil, `client timed out (110: Connection timed out), client: 127.0.0.1, server: , request: "POST /p HTTP/1.1"`, `408 "POST /p HTTP/1.1"`},
		{"the next request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", []int{200}, "", `200 "GET / HTTP/1.1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := b.Dial(front)
			c.Send(tt.send)
			for _, want := range tt.replies {
				if r := c.Reply(); r.Status != want {
					t.Error(r)
				}
			}
			if !c.Ended() {
				t.Error("the connection was reset")
			}
			if tt.errors != "" {
				b.Errors.Await(t, tt.errors)
			}
			if tt.line != "" {
				b.Access.Await(t, tt.line+"\n")
			}
		})
	}
	t.Cleanup(func() { // after all of them
		if calls := be.Calls(); len(calls) > 0 {
			t.Errorf("an unfinished request reached the upstream: %q", calls)
		}
	})
}

// A reply that comes before the request's body has been sent reaches the
// client, though the client goes on sending.
func TestEarlyReplyIsReceived(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, site("client_max_body_size 1k; location / { return 200 ok; } location /chunked { proxy_pass http://127.0.0.1:1; }"))
	const size = 8 << 20
	body := strings.Repeat("x", size)
	for _, head := range []string{
		fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size),
		fmt.Sprintf("POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", size),
		"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		c := b.Dial(front)
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c, head+body)
			sent <- err
		}()
		if r := c.Reply(); r.Status < 400 || r.Field("Connection") != "close" || r.Broken {
			t.Error(r)
		}
		if err := <-sent; err != nil {
			t.Errorf("%.20q: %v", head, err)
		}
	}
}

// A client that is gone before its reply is no fault of anybody.
func TestClientGone(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		c.Hang()
		close(gone)
	})
	b := lbtest.Start(t, `events {} http { log_format f '$status'; access_log access.log f; server { listen 127.0.0.1:8080;
		location / { proxy_pass http://`+be.Addr()+`; } } }`)
	c := b.Dial(front)
	c.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	be.AwaitCalls(t, 1)
	c.Close()
	await(t, "the upstream request's end", gone)
	if got := b.Access.AwaitLines(t, 1)[0]; got != "499" {
		t.Error(got)
	}
}

// A client that leaves while its reply is held to limit_rate is noticed at
// once, not at the end of a pause, which here is an hour.
func TestClientGoneUnderLimitRate(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 8000)
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, body) })
	b := lbtest.New(t)
	b.Write("html/f", body)
	reload(t, b, `events {} http { log_format f '$uri $status $body_bytes_sent'; access_log access.log f; server { listen 127.0.0.1:8080;
		limit_rate 1; limit_rate_after 4000; location / { } location /p { proxy_pass http://`+be.Addr()+`; } } }`)
	for i, path := range []string{"/f", "/p"} {
		c := b.Dial(front)
		c.Send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if _, err := io.ReadFull(c, make([]byte, 3000)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if got := b.Access.AwaitLines(t, i+1)[i]; !strings.HasPrefix(got, path+" 200 3") {
			t.Error(got)
		}
	}
	b.Errors.Await(t, `client prematurely closed connection, client: 127.0.0.1, server: , request: "GET /f HTTP/1.1"`)
}

func TestKeepaliveTime(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, site("keepalive_time 500ms; location / { return 200 ok; }"))
	c := b.Dial(front)
	if r := c.Ask(get); r.Field("Connection") != "keep-alive" {
		t.Fatal(r)
	}
	for end := time.Now().Add(lbtest.Patience); ; {
		if r := c.Ask(get); r.Field("Connection") == "close" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the connection is kept for ever")
		}
	}
	if !c.Ended() {
		t.Error("the connection was reset")
	}
}

func TestResetTimedoutConnection(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	for _, reset := range []bool{false, true} {
		flag := map[bool]string{false: "off", true: "on"}[reset]
		b := lbtest.Start(t, site("client_body_timeout 50ms; lingering_close off; reset_timedout_connection "+flag+"; location / { proxy_pass http://"+be.Addr()+"; }"))
		c := b.Dial(front)
		c.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx")
		_, err := io.ReadAll(c)
		if errors.Is(err, syscall.ECONNRESET) != reset {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Hang() })
	b := lbtest.Start(t, site("location / { return 200 ok; } location /slow { proxy_pass http://"+be.Addr()+"; }"))
	idle, slow := b.Dial(front), b.Dial(front)
	idle.Ask(get)
	slow.Send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
	be.AwaitCalls(t, 1)
	addr := b.Addr(front)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	idle.Ended()
	slow.Ended()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
	if err := b.Close(); err != nil {
		t.Error("a second Close:", err)
	}
}

func TestStubStatus(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, site("location /s { stub_status; } location / { return 200 '$connections_active $connections_waiting'; }"))
	idle := b.Dial(front)
	if r := idle.Ask(get); r.Body != "1 0" {
		t.Error(r)
	}
	c := b.Dial(front)
	// A client may read its reply before the request's end is counted.
	lbtest.Await(t, func() bool { return c.Ask(get).Body == "2 1" }, func() string { return "the first connection is not waiting" })
	want := "Active connections: 2 \nserver accepts handled requests\n 2 2 N \nReading: 0 Writing: 1 Waiting: 1 \n"
	r := c.Ask("GET /s HTTP/1.1\nHost: a")
	if regexp.MustCompile(`2 2 [0-9]+ \n`).ReplaceAllString(r.Body, "2 2 N \n") != want || r.Field("Content-Type") != "text/plain" {
		t.Error(r)
	}
	if r := c.Ask("POST /s HTTP/1.1\nHost: a\nContent-Length: 0"); r.Status != 405 {
		t.Error(r)
	}
}
