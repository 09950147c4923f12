package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/program"
	"github.com/weir-lb/weir/examples/app"
)

// forBoth runs a test against the Go application and against server.js, both called "one".
func forBoth(t *testing.T, test func(t *testing.T, base string)) {
	t.Parallel()
	t.Run("go", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(app.New("one"))
		t.Cleanup(server.Close)
		test(t, server.URL)
	})
	t.Run("node", func(t *testing.T) {
		t.Parallel()
		test(t, startNode(t))
	})
}

// startNode runs server.js on a free port until the test ends and returns its address.
func startNode(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program.Need(t, "node"), "server.js")
	cmd.Env = append(os.Environ(), "PORT=0", "HOST=127.0.0.1", "NAME=one")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait() // killed: its error is not news
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("server.js said nothing: %v", err)
	}
	_, base, ok := strings.Cut(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("server.js said %q, want the address it listens on", line)
	}
	return base
}

// client neither follows redirects nor waits for ever.
func client() *http.Client {
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func do(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the body: %v", req.Method, req.URL, err)
	}
	return resp, string(body)
}

func newRequest(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestPages(t *testing.T) {
	cases := []struct {
		method, path string
		code         int
		field        string // one field of the reply, as "Name: value"
		body         string // a part of the body
	}{
		{"GET", "/webapp/", 200, "Content-Type: text/html; charset=utf-8", "Hello world"},
		{"GET", "/webapp/", 200, "X-Server: one", `<strong id="server">one</strong>`},
		{"HEAD", "/webapp/", 200, "Content-Type: text/html; charset=utf-8", ""},
		{"GET", "/webapp/me", 401, "Content-Type: application/json", `"user":null`},
		{"GET", "/webapp/cached?s=9", 200, "Cache-Control: max-age=9", `"count":1`},
		{"GET", "/webapp/cached", 200, `ETag: "v1"`, `"server":"one"`},
		{"GET", "/webapp/slow?ms=3", 200, "X-Server: one", "one waited 3 ms\n"},
		{"GET", "/webapp/stream?n=2&ms=1", 200, "Content-Type: text/plain; charset=utf-8", "line 1 of 2 from one\nline 2 of 2 from one\n"},
		{"GET", "/webapp/stream?n=0", 200, "X-Server: one", ""},
		{"GET", "/webapp/big?kb=3", 200, "Content-Length: 3072", strings.Repeat(strings.Repeat("x", 1023)+"\n", 3)},
		{"GET", "/webapp/big?kb=200", 200, "Content-Length: 204800", strings.Repeat("x", 1023) + "\n"},
		{"HEAD", "/webapp/big?kb=3", 200, "Content-Length: 3072", ""},
		{"GET", "/webapp/status?code=503", 503, "X-Server: one", "503 from one"},
		{"GET", "/webapp/status?code=204", 204, "X-Server: one", ""},
		{"GET", "/webapp/status?code=99999", 599, "X-Server: one", "599 from one"},
		{"GET", "/webapp/status?code=x", 200, "X-Server: one", "200 from one"},
		{"GET", "/webapp/health", 200, "X-Server: one", "ok one"},
		{"GET", "/health", 200, "X-Server: one", "ok one"},
		{"GET", "/nowhere", 404, "X-Server: one", "no such page on one"},
		{"POST", "/webapp/login", 400, "X-Server: one", "the form has no user"},
	}
	forBoth(t, func(t *testing.T, base string) {
		for _, c := range cases {
			resp, body := do(t, newRequest(t, c.method, base+c.path, ""))
			name, value, _ := strings.Cut(c.field, ": ")
			if resp.StatusCode != c.code || resp.Header.Get(name) != value || !strings.Contains(body, c.body) {
				t.Errorf("%s %s: %d, %s %q, body %.80q; want %d, %q, body with %.80q",
					c.method, c.path, resp.StatusCode, name, resp.Header.Get(name), body, c.code, value, c.body)
			}
		}
	})
}

func TestLoginLivesInOneServer(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		req := newRequest(t, "POST", base+"/webapp/login", url.Values{"user": {"Ann <a>"}}.Encode())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, _ := do(t, req)
		if resp.StatusCode != 303 || resp.Header.Get("Location") != "/webapp/" || len(resp.Cookies()) != 1 {
			t.Fatalf("login: %s, %v", resp.Status, resp.Header)
		}
		cookie := resp.Cookies()[0]

		see := func(base, path string) (int, string) {
			req := newRequest(t, "GET", base+path, "")
			req.AddCookie(cookie)
			resp, body := do(t, req)
			return resp.StatusCode, body
		}
		if code, body := see(base, "/webapp/me"); code != 200 || !strings.Contains(body, "Ann") {
			t.Errorf("me: %d %s", code, body)
		}
		if _, body := see(base, "/webapp/"); !strings.Contains(body, "Ann &#60;a&#62;") && !strings.Contains(body, "Ann &lt;a&gt;") {
			t.Errorf("the page does not show the user, escaped: %s", body)
		}
		other := httptest.NewServer(app.New("two"))
		t.Cleanup(other.Close)
		if code, _ := see(other.URL, "/webapp/me"); code != 401 {
			t.Errorf("another server knows the session: %d", code)
		}
		out := newRequest(t, "POST", base+"/webapp/logout", "")
		out.AddCookie(cookie)
		do(t, out)
		if code, _ := see(base, "/webapp/me"); code != 401 {
			t.Errorf("signed out, but still known: %d", code)
		}
	})
}

func TestEcho(t *testing.T) {
	cases := []struct{ method, body, wantBody string }{
		{"GET", "", ""},
		{"POST", "hello", "hello"},
		{"PUT", strings.Repeat("a", 64<<10), strings.Repeat("a", 64<<10)},
		{"PUT", strings.Repeat("a", 64<<10+1), ""}, // too long to be given back
	}
	forBoth(t, func(t *testing.T, base string) {
		for _, c := range cases {
			req := newRequest(t, c.method, base+"/webapp/echo?a=%20b", c.body)
			req.Header.Add("X-Twice", "1")
			req.Header.Add("X-Twice", "2")
			_, text := do(t, req)
			var got struct {
				Server, Method, URL, Version, Body, Sha256 string
				Bytes                                      int
				Headers                                    map[string][]string
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatalf("%v in %.200s", err, text)
			}
			if got.Server != "one" || got.Method != c.method || got.URL != "/webapp/echo?a=%20b" || got.Version != "1.1" ||
				got.Bytes != len(c.body) || got.Body != c.wantBody || len(got.Sha256) != 64 {
				t.Errorf("%s of %d bytes: %.300s", c.method, len(c.body), text)
			}
			if strings.Join(got.Headers["x-twice"], ",") != "1,2" || len(got.Headers["host"]) != 1 {
				t.Errorf("headers: %v", got.Headers)
			}
		}
	})
}

func TestEchoOfTrailers(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		req := newRequest(t, "POST", base+"/webapp/echo", "")
		req.Body = io.NopCloser(strings.NewReader("chunks"))
		req.ContentLength = -1
		req.Trailer = http.Header{"X-Sum": {"7"}}
		_, text := do(t, req)
		for _, want := range []string{`"x-sum":["7"]`, `"transfer-encoding":["chunked"]`, `"body":"chunks"`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
	})
}

func TestTrailers(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		resp, body := do(t, newRequest(t, "GET", base+"/webapp/trailers", ""))
		if sum := resp.Trailer.Get("X-Checksum"); len(sum) != 64 || !strings.Contains(body, "from one") {
			t.Errorf("trailer %q after %q", sum, body)
		}
	})
}

func TestNotModified(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		req := newRequest(t, "GET", base+"/webapp/cached", "")
		req.Header.Set("If-None-Match", `"v1"`)
		resp, body := do(t, req)
		if resp.StatusCode != 304 || body != "" || resp.Header.Get("Cache-Control") != "max-age=60" {
			t.Errorf("%s %v %q", resp.Status, resp.Header, body)
		}
	})
}

func TestDropBreaksTheBody(t *testing.T) {
	forBoth(t, func(t *testing.T, base string) {
		resp, err := client().Do(newRequest(t, "GET", base+"/webapp/drop?kb=2", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil || len(body) != 2048 {
			t.Errorf("%d bytes, error %v; want 2,048 bytes and a broken body", len(body), err)
		}
	})
}
