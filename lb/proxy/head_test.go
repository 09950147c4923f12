package proxy_test

import (
	"strings"
	"testing"
)

// request is a client's, with more fields.
func request(line string, fields ...string) string {
	return line + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + lines(fields) + "\r\n"
}

func lines(fields []string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	return b.String()
}

// TestRequestHead: what of a request reaches the peer. PEER is its address.
func TestRequestHead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, conf string
		in         []string // fields beside Host and Connection
		want       string   // the peer's head without the request line; | ends a line
	}{
		{"defaults", "", nil, "Host: PEER|"},
		{"passed as they are", "", []string{"X-a: 1", "Cookie:  c=1 ", "x-A: 2"}, "Host: PEER|X-a: 1|Cookie: c=1|x-A: 2|"},
		{"hop by hop", "", []string{"TE: trailers", "Keep-Alive: 5", "Proxy-Connection: x", "Upgrade: h2c", "X: 1"}, "Host: PEER|X: 1|"},
		{"named by Connection", "", []string{"Connection: x-one, X-Two", "X-One: 1", "X-Two: 2", "X-Three: 3"}, "Host: PEER|X-Three: 3|"},
		{"Connection cannot name Host or Cookie", "", []string{"Connection: host, cookie", "Cookie: c"}, "Host: PEER|Cookie: c|"},
		{"set", "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;", nil, "Host: h|X-Real-IP: 127.0.0.1|"},
		{"set keeps the default Host", "proxy_set_header X-A b;", nil, "Host: PEER|X-A: b|"},
		{"set replaces the client's", "proxy_set_header X-A b;", []string{"x-a: 1", "X-A: 2"}, "Host: PEER|X-A: b|"},
		{"an empty value removes", `proxy_set_header X-A ""; proxy_set_header Accept $http_none;`, []string{"X-A: 1", "Accept: 2"}, "Host: PEER|"},
		{"an empty Host removes", `proxy_set_header Host "";`, nil, ""},
		{"forwarded", "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", []string{"X-Forwarded-For: 192.0.2.1"}, "Host: PEER|X-Forwarded-For: 192.0.2.1, 127.0.0.1|"},
		{"no fields", "proxy_pass_request_headers off; proxy_set_header X-A b;", []string{"X-B: 1"}, "Host: PEER|X-A: b|"},
		{"HTTP/1.0", "proxy_http_version 1.0;", []string{"X-B: 1"}, "Host: PEER|Connection: close|X-B: 1|"},
		{"Connection set for keepalive", `proxy_http_version 1.0; proxy_set_header Connection "";`, nil, "Host: PEER|"},
		{"upgrade recipe", `proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`, []string{"Upgrade: websocket"}, "Host: PEER|Upgrade: websocket|Connection: upgrade|"},
		{"injection through decoded bytes", "proxy_set_header X-Path $uri;", nil, "Host: PEER|X-Path: /a  X-Evil: 1|"},
		{"framing is not to be set", "proxy_set_header Content-Length 7; proxy_set_header Transfer-Encoding chunked;", nil, "Host: PEER|"},
		{"body of length 0", "", []string{"Content-Length: 0"}, "Host: PEER|Content-Length: 0|"},
		{"set body", "proxy_set_body <$arg_x>;", nil, "Host: PEER|Content-Length: 2|"},
		{"Expect ends here", "", []string{"Expect: 100-continue", "Content-Length: 0"}, "Host: PEER|Content-Length: 0|"},
		{"proxy_host and port", "proxy_set_header X-H $proxy_host; proxy_set_header X-P $proxy_port;", nil, "Host: PEER|X-H: PEER|X-P: PORT|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, ok)
			f := proxied(t, p, c.conf)
			if s := status(f.ask(request("GET /a%0D%0AX-Evil:%201", c.in...))); s != "200 OK" {
				t.Fatalf("%s\n%s", s, f.log)
			}
			got, _, _ := strings.Cut(p.received(t), "\r\n\r\n")
			_, got, _ = strings.Cut(got+"\r\n", "\r\n")
			got = strings.ReplaceAll(got, "\r\n", "|")
			_, port, _ := strings.Cut(p.String(), ":")
			want := strings.NewReplacer("PEER", p.String(), "PORT", port).Replace(c.want)
			if got != want {
				t.Errorf("peer got %q, want %q", got, want)
			}
		})
	}
}

// TestSetHeaderInheritance: the fields of a level hold below it until one is
// set there.
func TestSetHeaderInheritance(t *testing.T) {
	t.Parallel()
	p := answering(t, ok)
	f := start(t, strings.ReplaceAll(`proxy_set_header X-A http;
		server { listen LISTEN; proxy_set_header X-B server;
			location /in { proxy_pass http://PEER; }
			location /own { proxy_set_header X-C location; proxy_pass http://PEER; }
		}`, "PEER", p.String()))
	for _, c := range []struct{ path, want string }{{"/in", "|server|"}, {"/own", "||location"}} {
		f.get(c.path)
		got := p.received(t)
		if s := field(got, "X-A") + "|" + field(got, "X-B") + "|" + field(got, "X-C"); s != c.want {
			t.Errorf("%s: %q, want %q", c.path, s, c.want)
		}
	}
}

// TestRequestLine: proxy_method and what becomes of it.
func TestRequestLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, conf, in, want string }{
		{"fixed", "proxy_method POST;", request("GET /a"), "POST /a HTTP/1.1"},
		{"variable", "proxy_method $arg_m;", request("GET /a?m=PUT"), "PUT /a?m=PUT HTTP/1.1"},
		{"version", "proxy_http_version 1.0;", request("GET /"), "GET / HTTP/1.0"},
		{"other method", "", request("PROPFIND /"), "PROPFIND / HTTP/1.1"},
		{"absolute form", "", request("GET http://other/x"), "GET /x HTTP/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, ok)
			f := proxied(t, p, c.conf)
			f.ask(c.in)
			if line, _, _ := strings.Cut(p.received(t), "\r\n"); line != c.want {
				t.Errorf("peer got %q, want %q", line, c.want)
			}
		})
	}
	t.Run("no method", func(t *testing.T) {
		t.Parallel()
		f := proxied(t, answering(t, ok), `set $m "GET /evil HTTP/1.0"; proxy_method $m;`)
		if s := status(f.get("/")); s != "500 Internal Server Error" {
			t.Error(s)
		}
		f.log.await(t, "invalid method for upstream")
	})
}
