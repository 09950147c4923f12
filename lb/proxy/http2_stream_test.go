package proxy_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestHTTP2BothWays: bytes pass in both directions before either has ended.
func TestHTTP2BothWays(t *testing.T) {
	t.Parallel()
	p := newH2Peer(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintf(w, "<%s>", lines.Text())
			w.(http.Flusher).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"X-End", "yes")
	})
	for _, pass := range []string{
		"grpc_pass " + p.String(),
		"proxy_pass http://" + p.String() + "; proxy_http_version 2; proxy_request_buffering off; proxy_buffering off; proxy_pass_trailers on",
	} {
		f := start(t, "server { listen LISTEN; location / { "+pass+"; } }")
		c := f.dial()
		c.send("POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n")
		if head := c.head(); status(head) != "200 OK" {
			t.Fatalf("head %q\n%s", head, f.log)
		}
		for _, line := range []string{"one", "two", "three"} {
			c.send(fmt.Sprintf("%x\r\n%s\n\r\n", len(line)+1, line))
			want := fmt.Sprintf("%x\r\n<%s>\r\n", len(line)+2, line)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
				t.Fatalf("%q %v, want %q\n%s", got, err, want, f.log)
			}
		}
		c.send("0\r\n\r\n")
		if rest := c.rest(); rest != "0\r\nx-end: yes\r\n\r\n" {
			t.Errorf("end %q", rest)
		}
	}
}

// TestHTTP2Uploads: bodies that no window holds arrive as they are.
func TestHTTP2Uploads(t *testing.T) {
	t.Parallel()
	p := newH2Peer(t, false, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		_, _ = fmt.Fprintf(w, "%d %x %v %d", n, sum.Sum(nil), err, r.ContentLength)
	})
	body := strings.Repeat("0123456789abcdef", 5<<16) // 5 MiB
	want := fmt.Sprintf("%d %x <nil> ", len(body), sha256.Sum256([]byte(body)))
	for _, c := range []struct{ name, conf, framing, length string }{
		{"kept in memory", "client_body_buffer_size 8m;", "length", "5242880"},
		{"kept in a file", "", "length", "5242880"},
		{"kept, chunked", "", "chunked", "5242880"},
		{"passed on", "proxy_request_buffering off;", "length", "5242880"},
		{"passed on, chunked", "proxy_request_buffering off;", "chunked", "-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := h2Front(t, p, "http", "client_max_body_size 0; add_header X-Sent $upstream_bytes_sent; "+c.conf)
			raw := request("POST /", fmt.Sprintf("Content-Length: %d", len(body))) + body
			if c.framing == "chunked" {
				raw = request("POST /", "Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			}
			reply := f.ask(raw)
			if _, got, _ := strings.Cut(reply, "\r\n\r\n"); !strings.Contains(got, want+c.length) {
				t.Errorf("the peer got %s, want %s%s\n%s", clip(got), want, c.length, f.log)
			}
		})
	}
}

// TestHTTP2LeavesPeerAlone: a client that leaves, or whose body breaks off,
// ends its exchange at the peer, and no other one.
func TestHTTP2LeavesPeerAlone(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan bool, 4), make(chan string, 4)
	p := newH2Peer(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			begun <- true
			<-r.Context().Done()
			ended <- "wait"
		case "/body":
			begun <- true
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				ended <- "body"
			}
		case "/slow":
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			for range 2 {
				select {
				case s := <-ended:
					_, _ = io.WriteString(w, s+" ")
				case <-time.After(patience):
				}
			}
		}
	})
	f := h2Front(t, p, "http", "proxy_request_buffering off;")
	slow := f.dial()
	slow.send(request("GET /slow"))
	gone := f.dial()
	gone.send(request("GET /wait"))
	half := f.dial()
	half.send(request("POST /body", "Content-Length: 100") + "half")
	<-begun
	<-begun
	_ = gone.Close()
	_ = half.Close()
	reply := slow.rest()
	if !strings.Contains(reply, "wait ") || !strings.Contains(reply, "body ") {
		t.Errorf("reply %s\n%s", reply, f.log)
	}
	if n := p.dialed.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestHTTP2Timeouts of one exchange leave the others alone.
func TestHTTP2Timeouts(t *testing.T) {
	t.Parallel()
	p := newH2Peer(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent", "/unread":
			<-r.Context().Done()
		case "/stops":
			_, _ = io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
	conf := "proxy_pass http://" + p.String() + "; proxy_http_version 2; "
	f := start(t, "server { listen LISTEN; location / { "+conf+" } "+
		"location /silent { proxy_read_timeout 60ms; "+conf+" } location /stops { proxy_read_timeout 2s; "+conf+" } "+
		"location /unread { client_max_body_size 0; proxy_send_timeout 60ms; "+conf+" } "+
		"location /grpc/ { rewrite ^/grpc(/.*) $1 break; client_max_body_size 0; grpc_send_timeout 60ms; grpc_pass "+p.String()+"; } }")
	for _, c := range []struct{ request, want, log string }{
		{request("GET /silent"), "504", "upstream timed out (110: Connection timed out) while reading response header from upstream"},
		{request("GET /stops"), "200", "upstream timed out (110: Connection timed out) while reading upstream"},
		{request("POST /unread", "Content-Length: 8000000") + strings.Repeat("x", 8000000), "504", "upstream timed out (110: Connection timed out) while sending request to upstream"},
		{request("POST /grpc/unread", "Content-Length: 8000000") + strings.Repeat("x", 8000000), "504", "upstream timed out (110: Connection timed out) while sending request to upstream"},
		{request("GET /"), "200", ""},
	} {
		c1 := f.dial()
		go func() { _, _ = io.WriteString(c1.Conn, c.request) }()
		head := c1.head()
		if !strings.HasPrefix(status(head), c.want) {
			t.Errorf("%.30q: %s, want %s\n%s", c.request, head, c.want, f.log)
		}
		if c.log != "" {
			f.log.await(t, c.log)
		}
	}
	if n := p.dialed.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
