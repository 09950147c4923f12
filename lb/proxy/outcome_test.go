package proxy_test

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestInterceptErrors: replies that an error_page answers for.
func TestInterceptErrors(t *testing.T) {
	t.Parallel()
	const denied = "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nX-Own: 1\r\nContent-Length: 3\r\n\r\n401"
	for _, c := range []struct{ name, conf, reply, want string }{
		{"off", "error_page 404 /page;", answer(404), "404 X 404"},
		{"on", "proxy_intercept_errors on; error_page 404 /page;", answer(404), "404 Not Found page"},
		{"another status", "proxy_intercept_errors on; error_page 404 =200 /page;", answer(404), "200 OK page"},
		{"no page for it", "proxy_intercept_errors on; error_page 404 /page;", answer(403), "403 X 403"},
		{"a challenge goes along", "proxy_intercept_errors on; error_page 401 /page;", denied, "401 Unauthorized page Basic realm=\"x\""},
		{"weir's own failure", "error_page 502 /page;", "", "502 Bad Gateway page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := answering(t, c.reply)
			f := start(t, "server { listen LISTEN; location / { proxy_pass http://"+p.String()+"; "+c.conf+" } location = /page { return 200 page; } }")
			reply := f.get("/")
			_, body, _ := strings.Cut(reply, "\r\n\r\n")
			got := strings.TrimSpace(status(reply) + " " + body + " " + field(reply, "WWW-Authenticate"))
			if got != c.want || field(reply, "X-Own") != "" {
				t.Errorf("%q, want %q\n%s", got, c.want, f.log)
			}
		})
	}
}

// TestUpstreamVariables: how attempts show in the log, joined over tries and
// internal redirects.
func TestUpstreamVariables(t *testing.T) {
	t.Parallel()
	bad, good := refusing(t), answering(t, ok, ok, answer(404))
	f := start(t, `log_format up "$status [$upstream_addr] [$upstream_status] [$upstream_response_length] [$upstream_bytes_received]";
		upstream u { server `+bad+` weight=100 max_fails=0; server `+good.String()+`; }
		server { listen LISTEN; access_log DIR/up.log up;
			location /next { proxy_pass http://u; }
			location /page { proxy_pass http://`+bad+`; error_page 502 = @other; }
			location @other { proxy_pass http://`+good.String()+`; }
			location /plain { return 204; }
		}`)
	for _, path := range []string{"/next", "/page", "/plain"} {
		f.get(path)
	}
	g := good.String()
	want := "200 [BAD, GOOD] [502, 200] [0, 2] [0, 40]\n" +
		"200 [BAD : GOOD] [502 : 200] [0 : 2] [0 : 40]\n" +
		"204 [-] [-] [-] [-]\n"
	want = strings.NewReplacer("BAD", bad, "GOOD", g).Replace(want)
	if got := f.file("up.log", strings.Count(want, "\n")); got != want {
		t.Errorf("logged\n%swant\n%s", got, want)
	}
}

// TestAbortIsLogged: a client that left before its reply is a 499.
func TestAbortIsLogged(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	p := newPeer(t, func(c *wireClient) {
		c.head()
		close(arrived)
		c.gone()
	})
	f := start(t, "log_format s \"$status $upstream_status\"; server { listen LISTEN; access_log DIR/s.log s; location / { proxy_pass http://"+p.String()+"; } }")
	c := f.dial()
	c.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-arrived
	_ = c.Close()
	if got := f.file("s.log", 1); got != "499 499\n" && got != "499 -\n" {
		t.Errorf("logged %q", got)
	}
}

// file waits until a file of the test has so many lines.
func (f *front) file(name string, lines int) string {
	f.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); ; {
		text, _ := os.ReadFile(f.dir + "/" + name)
		if strings.Count(string(text), "\n") >= lines {
			return string(text)
		}
		select {
		case <-tick.C:
		case <-end:
			f.t.Errorf("%s has too few lines:\n%s", name, text)
			return string(text)
		}
	}
}

// TestLargeHead: proxy_buffer_size alone bounds the head of a reply.
func TestLargeHead(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("v", 100<<10)
	p := answering(t, "HTTP/1.1 200 OK\r\nX-Large: "+value+"\r\nContent-Length: 2\r\n\r\nok")
	f := proxied(t, p, "proxy_buffer_size 128k; proxy_buffers 4 128k; proxy_busy_buffers_size 256k;")
	reply := f.get("/")
	if status(reply) != "200 OK" || field(reply, "X-Large") != value || !strings.HasSuffix(reply, "\r\n\r\nok") {
		t.Errorf("%s\n%s", clip(reply), f.log)
	}
}
