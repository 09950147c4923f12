package proxy_test

import (
	"strings"
	"testing"
)

// TestReply: what the client gets of a reply. In want, | ends a line; the
// fields Server, Date and Connection are left out.
func TestReply(t *testing.T) {
	t.Parallel()
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
	for _, c := range []struct{ name, conf, request, reply, want string }{
		{"length", "", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 OK|Content-Length: 2||ok"},
		{"reason", "", "", "HTTP/1.1 404 Nowhere\r\nContent-Length: 0\r\n\r\n", "404 Nowhere|Content-Length: 0||"},
		{"strange status", "", "", "HTTP/1.1 799\r\nContent-Length: 0\r\n\r\n", "799 |Content-Length: 0||"},
		{"chunked", "", "", chunked + "\r\n2\r\nok\r\n0\r\n\r\n", "200 OK|Transfer-Encoding: chunked||2|ok|0||"},
		{"until close", "", "", "HTTP/1.1 200 OK\r\n\r\nok", "200 OK|Transfer-Encoding: chunked||2|ok|0||"},
		{"HTTP/1.0 reply", "", "", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 OK|Content-Length: 2||ok"},
		{"chunked for HTTP/1.0", "", "GET / HTTP/1.0\r\n\r\n", chunked + "\r\n2\r\nok\r\n0\r\n\r\n", "200 OK||ok"},
		{"HEAD", "", request("HEAD /"), "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "200 OK|Content-Length: 7||"},
		{"HEAD, chunked", "", request("HEAD /"), chunked + "\r\n", "200 OK||"},
		{"204", "", "", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content||"},
		{"304", "", "", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n", "304 Not Modified|Content-Length: 9|ETag: \"x\"||"},
		{"trailers stay behind", "", "", chunked + "\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n", "200 OK|Transfer-Encoding: chunked||2|ok|0||"},
		{"trailers pass", "proxy_pass_trailers on;", "", chunked + "Trailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n", "200 OK|Transfer-Encoding: chunked|Trailer: X-T||2|ok|0|X-T: 1||"},
		{"interim replies are passed over", "", "", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\n\r\n" + ok, "200 OK|Content-Length: 2||ok"},
		{"early hints stay behind", "", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok, "200 OK|Content-Length: 2||ok"},
		{"early hints", "early_hints $http_host;", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n" + ok, "103 Early Hints|Link: </a>||HTTP/1.1 200 OK|Content-Length: 2||ok"},
		{"hop by hop", "", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-A\r\nX-A: 1\r\nX-B: 1\r\nKeep-Alive: 1\r\nUpgrade: x\r\n\r\nok", "200 OK|Content-Length: 2|X-B: 1||ok"},
		{"hidden by default", "", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pad: 1\r\nX-Accel-Buffering: no\r\nX-Accel-Expires: 1\r\nX-B: 1\r\n\r\nok", "200 OK|Content-Length: 2|X-B: 1||ok"},
		{"pass", "proxy_pass_header X-Pad; proxy_pass_header X-Accel-Buffering;", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pad: 1\r\nX-Accel-Buffering: no\r\n\r\nok", "200 OK|Content-Length: 2|X-Pad: 1|X-Accel-Buffering: no||ok"},
		{"hide", "proxy_hide_header x-powered-by; proxy_hide_header ETag;", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Powered-By: php\r\nETag: x\r\n\r\nok", "200 OK|Content-Length: 2||ok"},
		{"redirect by default", "", "", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://PEER/x\r\n\r\n", "302 Found|Content-Length: 0|Location: http://h:8080/x||"},
		{"redirect elsewhere", "", "", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://other/x\r\n\r\n", "302 Found|Content-Length: 0|Location: http://other/x||"},
		{"relative redirect stays", "", "", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /x\r\n\r\n", "302 Found|Content-Length: 0|Location: /x||"},
		{"redirect off", "proxy_redirect off;", "", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://PEER/x\r\n\r\n", "302 Found|Content-Length: 0|Location: http://PEER/x||"},
		{"redirect to a URL", "proxy_redirect http://a/ https://b/$host/;", "", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://a/x\r\n\r\n", "302 Found|Content-Length: 0|Location: https://b/h/x||"},
		{"redirect by regex", "proxy_redirect ~*^http://A/(.*)$ http://b/$1/;", "", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://a/x\r\n\r\n", "302 Found|Content-Length: 0|Location: http://b/x/||"},
		{"refresh", "proxy_redirect http://a/ http://b/;", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRefresh: 5; URL=http://a/x\r\n\r\n", "200 OK|Content-Length: 0|Refresh: 5; URL=http://b/x||"},
		{"cookie domain", "proxy_cookie_domain a.example b.example;", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=1; Domain=.A.example; Path=/\r\nSet-Cookie: t=1\r\n\r\n", "200 OK|Content-Length: 0|Set-Cookie: t=1|Set-Cookie: s=1; Domain=.b.example; Path=/||"},
		{"cookie path", "proxy_cookie_path /app/ /;", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=1; path=/app/x; HttpOnly\r\n\r\n", "200 OK|Content-Length: 0|Set-Cookie: s=1; path=/x; HttpOnly||"},
		{"cookie path by regex", "proxy_cookie_path ~^/(.*)$ /pre/$1;", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=1; Path=/x\r\n\r\n", "200 OK|Content-Length: 0|Set-Cookie: s=1; Path=/pre/x||"},
		{"cookie flags", "proxy_cookie_flags s secure samesite=strict nohttponly;", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=1; HttpOnly\r\n\r\n", "200 OK|Content-Length: 0|Set-Cookie: s=1; Secure; SameSite=Strict||"},
		{"cookie flags of others", "proxy_cookie_flags ~^x secure;", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s=1;a\r\n\r\n", "200 OK|Content-Length: 0|Set-Cookie: s=1;a||"},
		{"unbuffered", "proxy_buffering off;", "", chunked + "\r\n2\r\nok\r\n0\r\n\r\n", "200 OK|Transfer-Encoding: chunked||2|ok|0||"},
		{"Set-Cookie twice", "", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n", "200 OK|Content-Length: 0|Set-Cookie: a|Set-Cookie: b||"},
		{"bytes behind the reply are dropped", "", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 evil\r\n\r\n", "200 OK|Content-Length: 2||ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var reply string
			p := newPeer(t, func(cl *wireClient) {
				cl.message()
				cl.send(reply)
			})
			reply = strings.ReplaceAll(c.reply, "PEER", p.String())
			f := proxied(t, p, c.conf)
			raw := c.request
			if raw == "" {
				raw = request("GET /")
			}
			got := visible(f.ask(raw))
			if want := strings.ReplaceAll(c.want, "PEER", p.String()); got != want {
				t.Errorf("client got %q\n      want %q\n%s", got, want, f.log)
			}
		})
	}
}

// visible shows a reply on one line, without fields that are always there.
func visible(reply string) string {
	head, body, _ := strings.Cut(strings.TrimPrefix(reply, "HTTP/1.1 "), "\r\n\r\n")
	var out strings.Builder
	for _, line := range strings.Split(head, "\r\n") {
		if name, _, _ := strings.Cut(line, ":"); name != "Server" && name != "Date" && name != "Connection" {
			out.WriteString(line + "|")
		}
	}
	if strings.HasPrefix(body, "HTTP/1.1 ") {
		return out.String() + "|HTTP/1.1 " + visible(body)
	}
	return out.String() + "|" + strings.ReplaceAll(body, "\r\n", "|")
}

// TestBadReply: replies that cannot be passed on are 502, with nginx's words.
func TestBadReply(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, conf, reply, status, log string }{
		{"nothing", "", "", "502 Bad Gateway", "upstream prematurely closed connection while reading response header from upstream"},
		{"half a head", "", "HTTP/1.1 200 OK\r\nX:", "502 Bad Gateway", "upstream prematurely closed connection while reading response header from upstream"},
		{"no HTTP", "", "SSH-2.0\r\n\r\n", "502 Bad Gateway", "upstream sent no valid HTTP/1.0 header"},
		{"invalid field", "", "HTTP/1.1 200 OK\r\nbad field\r\n\r\n", "502 Bad Gateway", "upstream sent invalid header"},
		{"NUL", "", "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", "502 Bad Gateway", "upstream sent invalid header"},
		{"too big", "proxy_buffer_size 1k; proxy_buffers 4 1k;", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 2000) + "\r\n\r\n", "502 Bad Gateway", "upstream sent too big header while reading response header from upstream"},
		{"both framings", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "502 Bad Gateway", `upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time`},
		{"two lengths", "", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "502 Bad Gateway", `upstream sent invalid "Content-Length" header`},
		{"no length", "", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "502 Bad Gateway", `upstream sent invalid "Content-Length" header`},
		{"unknown coding", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "502 Bad Gateway", `upstream sent unknown "Transfer-Encoding"`},
		{"unasked upgrade", "", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "502 Bad Gateway", "upstream switched protocols without being asked to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(cl *wireClient) {
				cl.message()
				cl.send(c.reply)
			})
			f := proxied(t, p, c.conf)
			if s := status(f.get("/")); s != c.status {
				t.Errorf("status %q, want %q", s, c.status)
			}
			f.log.await(t, c.log)
		})
	}
}

// TestBrokenOff: a reply that ends early never looks complete.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, conf, reply, want, log string }{
		{"length", "", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "200 OK|Content-Length: 9||ok", "upstream prematurely closed connection while reading upstream"},
		{"chunked", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", "200 OK|Transfer-Encoding: chunked||2|ok|", "upstream prematurely closed connection while reading upstream"},
		{"in a chunk", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok", "200 OK|Transfer-Encoding: chunked||2|ok|", "upstream prematurely closed connection while reading upstream"},
		{"invalid chunk", "", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n", "200 OK|Transfer-Encoding: chunked||2|ok|", "upstream sent invalid chunked response"},
		{"timeout", "proxy_read_timeout 1s;", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhang", "200 OK|Content-Length: 9||hang", "upstream timed out (110: Connection timed out) while reading upstream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t, func(cl *wireClient) {
				cl.message()
				cl.send(c.reply)
				if c.name == "timeout" {
					cl.gone()
				}
			})
			f := proxied(t, p, c.conf)
			if got := visible(f.get("/")); got != c.want {
				t.Errorf("client got %q, want %q", got, c.want)
			}
			f.log.await(t, c.log)
		})
	}
}

// TestAccelRedirect: X-Accel-Redirect hands the request to another location.
func TestAccelRedirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, conf, fields, want string }{
		{"to a location", "", "X-Accel-Redirect: /inner/a%20b?q=1\r\n", "200 OK|/inner/a b|q=1|GET"},
		{"to a named one", "", "X-Accel-Redirect: @named\r\n", "200 OK|named||POST"},
		{"fields go along", "", "X-Accel-Redirect: /inner/\r\nContent-Type: a/b\r\nSet-Cookie: c\r\nContent-Disposition: inline\r\nX-Own: 1\r\n", "200 OK|/inner/||GET a/b c inline"},
		{"ignored", "proxy_ignore_headers X-Accel-Redirect;", "X-Accel-Redirect: /inner/\r\n", "200 OK|"},
		{"empty", "", "X-Accel-Redirect:\r\n", "200 OK|"},
		{"unsafe", "", "X-Accel-Redirect: /../x\r\n", "502 Bad Gateway|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"+c.fields+"\r\n")
			seen := answering(t, ok)
			f := start(t, "server { listen LISTEN; location / { proxy_pass http://"+p.String()+"; "+c.conf+" }"+
				"location /inner/ { internal; proxy_set_header X-Seen $uri|$args; proxy_pass http://"+seen.String()+"; }"+
				"location @named { proxy_set_header X-Seen named|$args; proxy_pass http://"+seen.String()+"; } }")
			reply := f.ask(request("POST /", "Content-Length: 0"))
			got := status(reply) + "|"
			if len(seen.heads) > 0 {
				head := seen.received(t)
				method, _, _ := strings.Cut(head, " ")
				got += field(head, "X-Seen") + "|" + method
				if ct := field(reply, "Content-Type"); ct != "" {
					got += " " + ct + " " + field(reply, "Set-Cookie") + " " + field(reply, "Content-Disposition")
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q\n%s", got, c.want, f.log)
			}
		})
	}
}
