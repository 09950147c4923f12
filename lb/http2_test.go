package lb_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/lbtest"
)

// h2Site is a site that speaks HTTP/2, plain on one port and over TLS on
// another.
func h2Site(server string) string {
	return `events {} http { log_format f '$request|$status|$http2|$server_protocol|$ssl_alpn_protocol|$request_length';
		access_log access.log f; http2 on;
		ssl_certificate open.crt; ssl_certificate_key open.key;
		server { listen 127.0.0.1:8080; listen 127.0.0.1:8443 ssl; ` + server + ` } }`
}

func startH2(t *testing.T, server string) *lbtest.Balancer {
	t.Helper()
	b := lbtest.New(t)
	writePair(t, b, "open", ecKey(t))
	reload(t, b, h2Site(server))
	return b
}

// replies is a site with all that the chain can make, and its upstream.
func replies(t *testing.T) *lbtest.Balancer {
	t.Helper()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		switch c.Target {
		case "/hidden":
			c.Answer(200, "", "X-Accel-Redirect: /inner/x")
		case "/chunks":
			c.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\nX-End: yes\r\n\r\n")
		case "/hints":
			c.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			c.Answer(200, "hinted")
		case "/hop":
			c.Answer(200, "hop", "Connection: X-Hop, close", "X-Hop: 1", "Keep-Alive: 1", "X-Stays: a\tb")
		default:
			lbtest.Mirror(c)
		}
	})
	b := startH2(t, `root html;
		location /up/ { proxy_pass http://`+be.Addr()+`/; proxy_pass_trailers on; early_hints 1; }
		location /inner/ { internal; return 200 "inner"; }
		location /text { return 200 "text"; }
		location /none { return 204; }
		location /to { return 302 /there; }
		location /page { error_page 404 =410 /text; return 404; }
		location /slow { limit_rate 1m; }
		location /small { client_max_body_size 3; proxy_pass http://`+be.Addr()+`; }
		location /end { add_trailer X-Sum $body_bytes_sent; }
		location /vars { return 200 "$http2 $scheme $server_protocol $request_method $request_uri $host $http_host $http_x_a $connection_requests"; }`)
	b.Write("html/big", longText())
	b.Write("html/end", "trailed")
	b.Write("html/slow", "slow")
	return b
}

// longText is more than a window of the usual size holds.
func longText() string { return strings.Repeat("0123456789abcdef", 40_000) }

// pager asks one server by one client.
type pager struct {
	t      *testing.T
	client *http.Client
	origin string
	n      int // requests so far
}

// ask makes a request and returns its reply, of which status and body must
// begin as want says.
func (a *pager) ask(line, body, want string) *http.Response {
	a.t.Helper()
	a.n++
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequestWithContext(context.Background(), method, a.origin+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if body == "" {
		req.Body, req.ContentLength = nil, 0
	}
	req.Header.Set("X-A", "b")
	res, err := a.client.Transport.RoundTrip(req)
	if err != nil {
		a.t.Fatalf("%s: %v", line, err)
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Errorf("%s: %v", line, err)
	}
	if said := fmt.Sprintf("%d %s", res.StatusCode, got); !strings.HasPrefix(said, want) {
		a.t.Errorf("%s: %.300q, want %.100q", line, said, want)
	}
	return res
}

// TestHTTP2Replies asks for what the chain can make over one connection, with
// a client that is not ours.
func TestHTTP2Replies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ front, scheme, h2, alpn string }{{front, "http", "h2c", "-"}, {secureFront, "https", "h2", "h2"}} {
		t.Run(c.scheme, func(t *testing.T) {
			t.Parallel()
			b := replies(t)
			a := &pager{t: t, client: browser(t, b, c.front), origin: c.scheme + "://Site.Example:80"}
			a.ask("GET /text", "", "200 text")
			a.ask("GET /vars?q", "", "200 "+c.h2+" "+c.scheme+" HTTP/2.0 GET /vars?q site.example Site.Example:80 b 2")
			a.ask("HEAD /text", "", "200 ")
			a.ask("GET /none", "", "204 ")
			a.ask("GET /missing", "", "404 <html>")
			a.ask("GET /page", "", "410 text")
			a.ask("GET /slow", "", "200 slow")
			a.ask("GET /big", "", "200 "+longText())
			a.ask("GET /up/a?b=c", "", "200 GET /a?b=c HTTP/1.1\n")
			a.ask("POST /up/", "body of the post", "200 POST / HTTP/1.1\n")
			a.ask("PUT /up/", longText(), "200 PUT / HTTP/1.1\n")
			a.ask("GET /up/hidden", "", "200 inner")
			a.ask("GET /up/hints", "", "200 hinted")
			a.ask("POST /small", "four", "413 <html>")
			a.ask("TRACE /text", "", "405 <html>")
			if to := a.ask("GET /to", "", "302 <html>").Header.Get("Location"); !strings.HasPrefix(to, c.scheme+"://site.example") || !strings.HasSuffix(to, "/there") {
				t.Error(to)
			}
			if h := a.ask("GET /up/hop", "", "200 hop").Header; h.Get("X-Hop") != "" || h.Get("Keep-Alive") != "" || h.Get("X-Stays") != "a\tb" {
				t.Error(h)
			}
			if trailer := a.ask("GET /up/chunks", "", "200 abcdef").Trailer.Get("X-End"); trailer != "yes" {
				t.Error(trailer)
			}
			if trailer := a.ask("GET /end", "", "200 trailed").Trailer.Get("X-Sum"); trailer != "7" {
				t.Error(trailer)
			}
			lines := b.Access.AwaitLines(t, a.n)
			if want := "GET /text HTTP/2.0|200|" + c.h2 + "|HTTP/2.0|" + c.alpn + "|"; !strings.HasPrefix(lines[0], want) {
				t.Errorf("%q, want %q", lines[0], want)
			}
		})
	}
}

// The settings are told to the client, and kept to.
func TestHTTP2Limits(t *testing.T) {
	t.Parallel()
	b := startH2(t, `http2_max_concurrent_streams 2; http2_body_preread_size 70000; root html;
		large_client_header_buffers 2 1k; max_headers 20;
		location / { http2_chunk_size 1000; }
		location /wait { client_body_timeout 1h; proxy_pass http://127.0.0.1:1; }`)
	b.Write("html/big", longText())
	f := speak(t, b.Dial(front))
	f.window = true
	settings := f.until(http2.FrameSettings, 0)[0].payload
	s := http2.DefaultSettings()
	if err := s.Apply([]byte(settings)); err != nil || s.MaxStreams != 2 || s.InitialWindow != 70000 || !s.ConnectProtocol {
		t.Errorf("%+v %v", s, err)
	}
	f.head(1, true, "GET /big")
	for _, got := range f.until(http2.FrameData, 1)[1:] {
		if got.Type == http2.FrameData && got.Length > 1000 {
			t.Errorf("a frame of %d bytes", got.Length)
		}
	}
	f = speak(t, b.Dial(front))
	f.head(1, false, "POST /wait")
	f.head(3, false, "POST /wait")
	f.head(5, true, "GET /")
	if got := f.reply(5); got != "reset REFUSED_STREAM" {
		t.Errorf("one stream too many: %s", got)
	}
	f = speak(t, b.Dial(front))
	f.head(1, true, "GET /", "x: "+strings.Repeat("y", 1100))
	if got := f.reply(1); !strings.Contains(got, "400 <html>") || !strings.Contains(got, "Request Header Or Cookie Too Large") {
		t.Errorf("one large field: %s", got)
	}
}

// A connection gives way in two steps when it has served enough, when the
// balancer drains, and when its listener goes: then there is no place for more,
// and the client may ask elsewhere.
func TestHTTP2GoAway(t *testing.T) {
	t.Parallel()
	const plain = `keepalive_requests 2; location / { return 200 "ok"; }`
	for _, c := range []struct {
		name string
		act  func(b *lbtest.Balancer, f *framer)
		want string
	}{
		{"requests", func(b *lbtest.Balancer, f *framer) { f.head(3, true, "GET /") }, "goaway 2147483647, ping, headers 3, data 3, headers 5, data 5, goaway 5"},
		{"drain", func(b *lbtest.Balancer, f *framer) { go b.Drained() }, "goaway 2147483647, ping, headers 5, data 5, goaway 5"},
		{"reload", func(b *lbtest.Balancer, f *framer) {
			reload(t, b, strings.Replace(h2Site(plain), "listen 127.0.0.1:8080", "listen 127.0.0.1:8081", 1))
		}, "goaway 2147483647, ping, reset 5, goaway 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startH2(t, plain)
			f := speak(t, b.Dial(front))
			f.head(1, true, "GET /")
			if got := f.reply(1); got != "200 ok" {
				t.Fatal(got)
			}
			c.act(b, f)
			var list []string
			for got, ok := f.next(); ok; got, ok = f.next() {
				switch got.Type {
				case http2.FrameGoAway:
					list = append(list, fmt.Sprint("goaway ", binary.BigEndian.Uint32([]byte(got.payload))))
				case http2.FramePing:
					list = append(list, "ping")
					f.head(5, true, "GET /") // underway when the client hears of it
					f.Send(string(http2.AppendPing(nil, [8]byte([]byte(got.payload)), true)))
				case http2.FrameHeaders:
					list = append(list, fmt.Sprint("headers ", got.Stream))
				case http2.FrameData:
					list = append(list, fmt.Sprint("data ", got.Stream))
				case http2.FrameRSTStream:
					list = append(list, fmt.Sprint("reset ", got.Stream))
				}
			}
			if c.name == "requests" || c.name == "drain" { // the second step need not wait for replies
				slices.Sort(list)
				want := strings.Split(c.want, ", ")
				slices.Sort(want)
				c.want = strings.Join(want, ", ")
			}
			if got := strings.Join(list, ", "); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// TestHTTP2WebSocket: an extended CONNECT becomes an Upgrade for an upstream
// of HTTP/1, and its bytes pass both ways.
func TestHTTP2WebSocket(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		if c.Field("Upgrade") != "websocket" || !strings.EqualFold(c.Field("Connection"), "upgrade") || c.Method != "GET" || len(c.Field("Sec-WebSocket-Key")) != 24 {
			c.Answer(200, "no upgrade: "+c.Head)
			return
		}
		c.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
		buf := make([]byte, 5)
		if _, err := io.ReadFull(c.Conn, buf); err != nil {
			t.Error(err)
		}
		c.Send(strings.ToUpper(string(buf)))
		c.Hang()
		c.Close()
	})
	b := startH2(t, `location / { proxy_pass http://`+be.Addr()+`; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection; }
		location /plain { proxy_pass http://`+be.Addr()+`; }`)
	f := speak(t, b.Dial(front))
	f.head(1, false, "CONNECT /chat", ":protocol: websocket", "sec-websocket-version: 13")
	got := last(f.until(http2.FrameHeaders, 1))
	if all := strings.Join(got.fields, "\n"); got.Has(http2.FlagEndStream) || got.fields[0] != ":status: 200" ||
		!strings.Contains(all, "sec-websocket-protocol: chat") || strings.Contains(all, "accept") || strings.Contains(all, "upgrade") {
		t.Fatalf("%+v", got)
	}
	f.data(1, false, "hello")
	if got := last(f.until(http2.FrameData, 1)); got.payload != "HELLO" {
		t.Errorf("%+v", got)
	}
	f.data(1, true, "")
	if got := last(f.until(http2.FrameData, 1)); !got.Has(http2.FlagEndStream) {
		t.Errorf("%+v", got)
	}
	f.head(3, false, "CONNECT /plain", ":protocol: websocket")
	if got := f.reply(3); !strings.HasPrefix(got, "502 ") {
		t.Errorf("an upstream that did not switch: %s", got)
	}
}

// A stream that its client resets ends the upstream's work, and no other's.
func TestHTTP2Reset(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	be := lbtest.StartBackend(t, func(c *lbtest.Call) {
		if c.Target == "/wait" {
			c.Hang()
			ended <- struct{}{}
			return
		}
		c.Answer(200, "ok")
	})
	b := startH2(t, `location / { proxy_pass http://`+be.Addr()+`; }`)
	f := speak(t, b.Dial(front))
	f.head(1, true, "GET /wait")
	f.head(3, true, "GET /other")
	if got := f.reply(3); got != "200 ok" {
		t.Error(got)
	}
	be.AwaitCalls(t, 2) // streams begin beside each other: the second may overtake the first
	f.Send(string(http2.AppendRSTStream(nil, 1, http2.Cancel)))
	await(t, "the upstream's end", ended)
	f.head(5, true, "GET /other")
	if got := f.reply(5); got != "200 ok" {
		t.Error(got)
	}
	lines := b.Access.AwaitLines(t, 3) // streams end beside each other: that of the second may be logged last
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "GET /wait HTTP/2.0|499|") }) {
		t.Error(lines)
	}
}

// A question about the server as a whole is refused, as over HTTP/1, and harms no other stream.
func TestHTTP2OptionsOfAll(t *testing.T) {
	t.Parallel()
	b := startH2(t, `location / { return 200 "ok"; }`)
	f := speak(t, b.Dial(front))
	f.head(1, true, "OPTIONS *")
	if got := f.reply(1); !strings.HasPrefix(got, "400 ") {
		t.Error(got)
	}
	f.head(3, true, "GET *")
	if got := last(f.until(http2.FrameRSTStream, 3)); got.Type != http2.FrameRSTStream {
		t.Errorf("%+v", got)
	}
	f.head(5, true, "OPTIONS /")
	if got := f.reply(5); got != "200 ok" {
		t.Error(got)
	}
	b.Errors.Await(t, `client sent invalid :path header: "*"`)
}

// A client that asks before it sends its body is told to go on, once its body is wanted.
func TestHTTP2Continue(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := startH2(t, `location / { return 200 "ok"; } location /up { proxy_pass http://`+be.Addr()+`; }`)
	f := speak(t, b.Dial(front))
	f.head(1, false, "POST /up", "expect: 100-continue", "content-length: 4")
	if got := last(f.until(http2.FrameHeaders, 1)); !slices.Contains(got.fields, ":status: 100") || got.Has(http2.FlagEndStream) {
		t.Errorf("%+v", got)
	}
	f.data(1, true, "body")
	if got := f.reply(1); !strings.HasPrefix(got, "200 POST /up ") || !strings.HasSuffix(got, "\nbody") || strings.Contains(got, "expect") {
		t.Error(got)
	}
	f.head(3, false, "POST /", "expect: 100-continue", "content-length: 4")
	if got := last(f.until(http2.FrameHeaders, 3)); !slices.Contains(got.fields, ":status: 200") { // nobody wants the body
		t.Errorf("%+v", got)
	}
}

// HTTP/1.1 stays possible on the same ports, and HTTP/2 is not spoken where it
// is not on.
func TestHTTP2IsAgreedOn(t *testing.T) {
	t.Parallel()
	b := startH2(t, `http2_recv_buffer_size 100; location / { return 200 "$server_protocol"; }`[len("http2_recv_buffer_size 100; "):])
	if r := b.Get(front, "/"); r.Body != "HTTP/1.1" {
		t.Error(r)
	}
	c := b.Dial(front)
	c.Send("P")
	c.Send("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nUpgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAA\r\n\r\n")
	if r := c.Reply(); r.Body != "HTTP/1.1" {
		t.Error(r)
	}
	for conf, want := range map[string]string{
		"http2 on":                      "h2",
		"http2 off":                     "http/1.1",
		"listen 127.0.0.1:8443 http2":   "h2",
		"http2 on; http2_chunk_size 1k": "h2",
	} {
		text := strings.Replace(h2Site(`location / { return 200 "$server_protocol"; }`), "http2 on", "http2_recv_buffer_size 64", 1)
		text = strings.Replace(text, "listen 127.0.0.1:8080;", "listen 127.0.0.1:8080; "+strings.TrimPrefix(conf, "listen 127.0.0.1:8443 http2")+";", 1)
		if strings.HasPrefix(conf, "listen") {
			text = strings.Replace(strings.Replace(text, "; ;", ";", 1), "8443 ssl", "8443 ssl http2", 1)
		}
		reload(t, b, text)
		c, err := b.Dial(secureFront).TLS(&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != want {
			t.Errorf("%s: %q", conf, got)
		}
		if want != "h2" {
			continue
		}
		f := speak(t, c)
		f.head(1, true, "GET /")
		if got := f.reply(1); got != "200 HTTP/2.0" {
			t.Errorf("%s: %s", conf, got)
		}
	}
}

func last(list []frame) frame { return list[len(list)-1] }

// A client of HTTP/2, whose replies are read in large pieces otherwise, gets one
// under proxy_limit_rate in small ones.
func TestHTTP2ProxyLimitRate(t *testing.T) {
	t.Parallel()
	const size = 100_000
	be := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, strings.Repeat("x", size)) })
	b := startH2(t, `location / { proxy_pass http://`+be.Addr()+`; proxy_limit_rate 200k; }`)
	begun := time.Now()
	(&pager{t: t, client: browser(t, b, "127.0.0.1:8080"), origin: "http://a"}).ask("GET /", "", "200 "+strings.Repeat("x", size))
	// All but the last 16 KB need so long.
	if took := time.Since(begun); took < 400*time.Millisecond {
		t.Errorf("%d bytes in %v", size, took)
	}
}
