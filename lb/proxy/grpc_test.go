package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// grpcPeer answers as the path says, and tells in X-Saw what it was asked.
func grpcPeer(t *testing.T) *h2Peer {
	t.Helper()
	return newH2Peer(t, false, func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		h := w.Header()
		h.Set("X-Saw", fmt.Sprintf("%s %s x=%s te=%s from=%s", r.Host, r.Proto, r.Header.Get("X-A"), r.Header.Get("TE"), host))
		h.Set("X-One", "1")
		h.Set("X-Two", "2")
		h.Set("X-Three", "3")
		h.Set("X-Pad", "4")
		h.Set("Server", "peer")
		switch r.URL.Path {
		case "/redirect":
			h.Set("X-Accel-Redirect", "/elsewhere")
			h.Set("X-Accel-Charset", "koi8-r")
		case "/elsewhere":
			_, _ = io.WriteString(w, "elsewhere")
			return
		case "/missing":
			w.WriteHeader(404)
		case "/unavailable":
			w.WriteHeader(503)
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(patience):
			}
			return
		case "/big":
			h.Set("X-Big", strings.Repeat("b", 100<<10))
		case "/trailers":
			h.Set("Trailer", "Grpc-Status")
			_, _ = io.WriteString(w, "message")
			w.(http.Flusher).Flush()
			h.Set("Grpc-Status", "0")
			return
		}
		_, _ = io.WriteString(w, "peer")
	})
}

// TestGRPCDirectives: each grpc_* directive in http, replaced in a server and
// in a location.
func TestGRPCDirectives(t *testing.T) {
	t.Parallel()
	p := grpcPeer(t)
	tell := func(reply string) string {
		_, body, _ := strings.Cut(reply, "\r\n\r\n")
		code, _, _ := strings.Cut(status(reply), " ")
		return code + " " + body
	}
	fields := func(names ...string) func(string) string {
		return func(reply string) (all string) {
			for _, name := range names {
				all += field(reply, name) + ","
			}
			return all
		}
	}
	dead := refusing(t)
	for _, c := range []struct {
		name, more, request string
		values              [3]string // in http, in the server, in the location
		tell                func(reply string) string
		want                [3]string
	}{
		{"grpc_set_header", "", "GET /", [3]string{"X-A 1", "X-A 2", "X-A $arg_x"}, func(reply string) string {
			_, saw, _ := strings.Cut(field(reply, "X-Saw"), "x=")
			return saw[:1]
		}, [3]string{"1", "2", " "}},
		{"grpc_set_header", "", "GET /", [3]string{"Host one", "Host $server_name", "X-B y"}, func(reply string) string {
			host, _, _ := strings.Cut(field(reply, "X-Saw"), " ")
			return host
		}, [3]string{"one", "b", p.String()}},
		{"grpc_hide_header", "", "GET /", [3]string{"X-One", "X-Two", "X-Three"}, fields("X-One", "X-Two", "X-Three"), [3]string{",2,3,", "1,,3,", "1,2,,"}},
		{"grpc_pass_header", "", "GET /", [3]string{"Server", "X-Pad", "Server"}, fields("Server", "X-Pad"), [3]string{"peer,4,", "weir/1.0,4,", "peer,4,"}},
		{"grpc_ignore_headers", "", "GET /redirect", [3]string{"X-Accel-Redirect", "X-Accel-Charset", "X-Accel-Redirect Vary"}, tell, [3]string{"200 peer", "200 elsewhere", "200 peer"}},
		{"grpc_intercept_errors", "error_page 404 = /elsewhere;", "GET /missing", [3]string{"on", "off", "on"}, tell, [3]string{"200 elsewhere", "404 peer", "200 elsewhere"}},
		{"grpc_read_timeout", "", "GET /slow", [3]string{"60ms", "70ms", "80ms"}, status, [3]string{"504 Gateway Time-out", "504 Gateway Time-out", "504 Gateway Time-out"}},
		{"grpc_buffer_size", "", "GET /big", [3]string{"4k", "256k", "64k"}, status, [3]string{"502 Bad Gateway", "200 OK", "502 Bad Gateway"}},
		{"grpc_bind", "", "GET /", [3]string{"127.0.0.9", "off", "$arg_from"}, func(reply string) string {
			_, from, _ := strings.Cut(field(reply, "X-Saw"), "from=")
			return from
		}, [3]string{"127.0.0.9", "127.0.0.1", "127.0.0.1"}},
		{"grpc_next_upstream", "upstream u { server " + p.String() + " max_fails=0; server " + p.String() + " max_fails=0; }", "GET /unavailable", [3]string{"http_503", "error", "http_503 non_idempotent"},
			fields("X-Status"), [3]string{"503, 503,", "503,", "503, 503,"}},
		{"grpc_next_upstream_tries", "upstream u { server " + dead + " max_fails=0; server " + dead + " max_fails=0; server " + dead + " max_fails=0; }", "GET /", [3]string{"1", "2", "0"},
			fields("X-Status"), [3]string{"502,", "502, 502,", "502, 502, 502,"}},
		{"grpc_next_upstream_timeout", "upstream u { server " + p.String() + " max_fails=0; server " + p.String() + " max_fails=0; } grpc_read_timeout 50ms;", "GET /slow", [3]string{"20ms", "1m", "0"},
			fields("X-Status"), [3]string{"504,", "504, 504,", "504, 504,"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			to := p.String()
			if strings.Contains(c.more, "upstream u ") {
				to = "u"
			}
			pass := "grpc_pass grpc://" + to + "; "
			f := start(t, "add_header X-Status $upstream_status always; "+c.more+c.name+" "+c.values[0]+"; "+
				"server { listen LISTEN; server_name a; location / { "+pass+"} } "+
				"server { listen LISTEN; server_name b; "+c.name+" "+c.values[1]+"; location / { "+pass+"} } "+
				"server { listen LISTEN; server_name c; "+c.name+" "+c.values[1]+"; location / { "+c.name+" "+c.values[2]+"; "+pass+"} }")
			for i, host := range []string{"a", "b", "c"} {
				reply := f.ask(c.request + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
				if got := c.tell(reply); got != c.want[i] {
					t.Errorf("%s: %q, want %q\n%s%s", host, got, c.want[i], clip(reply), f.log)
				}
			}
		})
	}
}

// TestGRPCPass: how the peer may be named.
func TestGRPCPass(t *testing.T) {
	t.Parallel()
	p := grpcPeer(t)
	_, port, _ := net.SplitHostPort(p.String())
	f := start(t, "upstream Group { server "+p.String()+"; } server { listen LISTEN; "+
		"location /plain { grpc_pass "+p.String()+"; } location /scheme { grpc_pass GRPC://"+p.String()+"; } "+
		"location /group { grpc_pass Group; } location /vars { grpc_pass grpc://$arg_h:"+port+"; } "+
		"location /bare { grpc_pass $arg_h; } location /if { if ($arg_h) { grpc_pass "+p.String()+"; } } }")
	for _, c := range []struct{ path, want, log string }{
		{"/plain", p.String(), ""},
		{"/scheme", p.String(), ""},
		{"/group", "Group", ""},
		{"/vars?h=127.0.0.1", p.String(), ""},
		{"/bare?h=group", "group", ""},
		{"/bare?h=grpc://127.0.0.1:" + port, p.String(), ""},
		{"/bare?h=127.0.0.1", "500", "no port in upstream \"127.0.0.1\""},
		{"/bare?h=127.0.0.1:" + port + "/x", "500", "invalid host in upstream"},
		{"/bare?h=127.0.0.1:99999", "500", "invalid port in upstream"},
		{"/if?h=1", p.String(), ""},
	} {
		reply := f.get(c.path)
		got, _, _ := strings.Cut(field(reply, "X-Saw"), " ")
		if got == "" {
			got, _, _ = strings.Cut(status(reply), " ")
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s\n%s", c.path, got, c.want, f.log)
		}
		if c.log != "" {
			f.log.await(t, c.log)
		}
	}
}

// TestGRPCTrailers: they pass without being asked for, and so does the client's
// word that it takes them.
func TestGRPCTrailers(t *testing.T) {
	t.Parallel()
	p := grpcPeer(t)
	f := start(t, "server { listen LISTEN; location / { grpc_pass "+p.String()+"; } location /no { grpc_set_header TE ''; grpc_pass "+p.String()+"; } }")
	reply := f.ask(request("POST /trailers", "TE: trailers", "Content-Length: 2") + "ab")
	if !strings.HasSuffix(reply, "message\r\n0\r\ngrpc-status: 0\r\n\r\n") {
		t.Errorf("reply %s", reply)
	}
	for path, want := range map[string]string{"/": "te=trailers", "/no": "te= "} {
		if saw := field(f.ask(request("GET "+path, "TE: trailers")), "X-Saw"); !strings.Contains(saw, want) {
			t.Errorf("%s: the peer saw %s", path, saw)
		}
	}
	if saw := field(f.get("/"), "X-Saw"); !strings.Contains(saw, "te= ") {
		t.Errorf("the peer saw %s", saw)
	}
}

// TestGRPCConnectTimeout and what it is called in the log.
func TestGRPCConnectTimeout(t *testing.T) {
	t.Parallel()
	addr := crowded(t)
	f := start(t, "grpc_connect_timeout 1h; server { listen LISTEN; location / { grpc_connect_timeout 60ms; grpc_pass "+addr+"; } }")
	if reply := f.get("/"); status(reply) != "504 Gateway Time-out" {
		t.Error(reply)
	}
	f.log.await(t, `upstream timed out (110: Connection timed out) while connecting to upstream, client: 127.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "grpc://`+addr+`/"`)
}
