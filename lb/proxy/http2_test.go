package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// h2Peer is an upstream that speaks HTTP/2 and nothing else: Go's server.
type h2Peer struct {
	*httptest.Server
	name   string
	dialed atomic.Int32
}

func (p *h2Peer) String() string { return p.name }

func newH2Peer(t *testing.T, secure bool, serve http.HandlerFunc) *h2Peer {
	t.Helper()
	return startH2Peer(t, secure, nil, serve)
}

func newTLSH2Peer(t *testing.T, conf *tls.Config, serve http.HandlerFunc) *h2Peer {
	t.Helper()
	return startH2Peer(t, true, conf.Clone(), serve)
}

func startH2Peer(t *testing.T, secure bool, conf *tls.Config, serve http.HandlerFunc) *h2Peer {
	t.Helper()
	p := &h2Peer{Server: httptest.NewUnstartedServer(serve)}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(!secure)
	protocols.SetHTTP2(secure)
	p.Config.Protocols = &protocols
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.dialed.Add(1)
		}
	}
	if secure {
		p.EnableHTTP2, p.TLS = true, conf
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	p.name = p.Listener.Addr().String()
	return p
}

// h2Front is a front before such a peer.
func h2Front(t *testing.T, p *h2Peer, scheme, directives string) *front {
	t.Helper()
	return start(t, "server { listen LISTEN; location / { proxy_pass "+scheme+"://"+p.String()+"; proxy_http_version 2; "+directives+" } }")
}

// TestHTTP2Requests: what a peer gets, and what the client gets back.
func TestHTTP2Requests(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", fmt.Sprintf("%s %s %s %s len=%d te=%s up=%s conn=%s x=%s", r.Proto, r.Method, r.Host, r.RequestURI,
			r.ContentLength, r.Header.Get("TE"), r.Header.Get("Upgrade"), r.Header.Get("Connection"), r.Header.Get("X-A")))
		if err != nil {
			w.WriteHeader(500)
		}
		_, _ = w.Write(body)
	}
	for _, secure := range []bool{false, true} {
		p := newH2Peer(t, secure, echo)
		scheme := "http"
		if secure {
			scheme = "https"
		}
		f := h2Front(t, p, scheme, "proxy_set_header X-A $arg_x; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;")
		for _, c := range []struct{ request, saw, body string }{
			{request("GET /a?x=1"), "GET %s /a?x=1 len=0 te= up= conn= x=1", ""},
			{request("GET /", "Upgrade: websocket", "TE: trailers"), "GET %s / len=0 te= up= conn= x=", ""},
			{request("POST /p", "Content-Length: 4") + "body", "POST %s /p len=4 te= up= conn= x=", "body"},
			{request("POST /p", "Transfer-Encoding: chunked") + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "POST %s /p len=5 te= up= conn= x=", "abcde"},
			{request("DELETE /d"), "DELETE %s /d len=0 te= up= conn= x=", ""},
			{request("OPTIONS /"), "OPTIONS %s / len=0 te= up= conn= x=", ""},
		} {
			reply := f.ask(c.request)
			want := "HTTP/2.0 " + fmt.Sprintf(c.saw, p)
			if _, body, _ := strings.Cut(reply, "\r\n\r\n"); status(reply) != "200 OK" || field(reply, "X-Saw") != want || body != c.body {
				t.Errorf("%s\ngot  %s\nwant %s\n%s", c.request, reply, want, f.log)
			}
		}
		if n := p.dialed.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

// TestHTTP2NeverFallsBack: a peer that does not choose HTTP/2 is an error.
func TestHTTP2NeverFallsBack(t *testing.T) {
	t.Parallel()
	keys := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(keys.Close)
	old := newTLSPeer(t, &tls.Config{Certificates: keys.TLS.Certificates}, func(c *wireClient) { c.message() })
	f := start(t, "server { listen LISTEN; location / { proxy_pass https://"+old.String()+"; proxy_http_version 2; } }")
	if reply := f.get("/"); status(reply) != "502 Bad Gateway" {
		t.Error(reply)
	}
	f.log.await(t, "upstream did not choose HTTP/2 by ALPN while SSL handshaking to upstream")
	plain := newPeer(t, func(c *wireClient) {
		_, _ = io.WriteString(c.Conn, ok)
		c.gone()
	})
	f = h2Front(t, &h2Peer{name: plain.String()}, "http", "")
	if reply := f.get("/"); status(reply) != "502 Bad Gateway" {
		t.Error(reply)
	}
	f.log.await(t, "upstream sent invalid HTTP/2: frame larger than SETTINGS_MAX_FRAME_SIZE (FRAME_SIZE_ERROR) while reading response header from upstream")
}

// TestHTTP2Replies: heads and bodies on their way to a client of HTTP/1.
func TestHTTP2Replies(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	p := newH2Peer(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
		case "/none":
			w.WriteHeader(204)
		case "/length":
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		case "/stream":
			for _, s := range []string{"a", "b", "c"} {
				_, _ = io.WriteString(w, s)
				w.(http.Flusher).Flush()
			}
		case "/large":
			_, _ = io.WriteString(w, large)
		case "/missing":
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "no such thing")
		case "/hints":
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
			w.Header().Del("Link")
		case "/trailers":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "sum")
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "6")
			w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b") // which no trailer may be
		case "/abort":
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/location":
			w.Header().Set("Location", "http://"+r.Host+"/there")
			w.WriteHeader(302)
		}
	})
	f := h2Front(t, p, "http", "proxy_pass_trailers on; early_hints 1;")
	for _, c := range []struct{ method, path, status, want string }{
		{"GET", "/empty", "200 OK", "Content-Length: 0\r\nConnection: close\r\n\r\n"},
		{"GET", "/none", "204 No Content", "\r\n\r\n"},
		{"GET", "/length", "200 OK", "\r\n\r\nhello"},
		{"HEAD", "/length", "200 OK", "\r\n\r\n"},
		{"GET", "/stream", "200 OK", "0\r\n\r\n"},
		{"GET", "/large", "200 OK", "0\r\n\r\n"},
		{"GET", "/missing", "404 Not Found", "no such thing"},
		{"GET", "/hints", "103 Early Hints", "\r\n\r\n"},
		{"GET", "/trailers", "200 OK", "0\r\nx-sum: 6\r\n\r\n"},
		{"GET", "/location", "302 Moved Temporarily", "\r\n\r\n"},
	} {
		reply := f.ask(request(c.method + " " + c.path))
		if status(reply) != c.status || !strings.HasSuffix(reply, c.want) {
			t.Errorf("%s %s: %s", c.method, c.path, clip(reply))
		}
		if c.path == "/large" && strings.Count(reply, "abcdef") < 1<<16-200 {
			t.Errorf("%d bytes", len(reply))
		}
		if c.path == "/location" && field(reply, "Location") != "http://h:8080/there" {
			t.Errorf("Location is %s", field(reply, "Location"))
		}
		if c.path == "/hints" && !strings.Contains(reply, "link: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n") {
			t.Errorf("hints: %s", reply)
		}
	}
	if reply := f.get("/abort"); !strings.HasSuffix(reply, "half\r\n") {
		t.Errorf("broken off: %q", reply)
	}
	f.log.await(t, "upstream rejected request with error 2 (INTERNAL_ERROR) while reading upstream")
}
