package clustertest

import (
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/cluster-test/process"
	"github.com/weir-lb/weir/examples/app"
)

// checkedApp is the example application with the page that the guide's health check asks for.
func checkedApp(t *testing.T, name, page string) (addr string) {
	t.Helper()
	inner := app.New(name)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			inner.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// startGuide runs the guide's enhanced configuration in front of two servers, of which the second has the given page; it
// returns the address for TLS, and theirs.
func startGuide(t *testing.T, page string) (secure string, servers map[string]string, log string) {
	t.Helper()
	const file = "nodejs-guide-enhanced.conf"
	dir := t.TempDir()
	main := writeGuide(t, dir, file)
	secure, servers = freeAddress(t), map[string]string{"one": checkedApp(t, "one", "Hello world"), "two": checkedApp(t, "two", page)}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer("192.168.33.11:8080", servers["one"], "192.168.33.12:8080", servers["two"],
		"127.0.0.1:18080", freeAddress(t), "127.0.0.1:18443", secure).Replace(string(text))
	if err := os.WriteFile(filepath.Join(dir, file), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	weir, err := process.Start(process.Options{
		Name: "weir", Program: buildWeir(t), Args: []string{"-p", dir, "-c", main}, Log: filepath.Join(dir, "output"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { weir.Stop(syscall.SIGTERM, limit) })
	if err := weir.Await(t.Context(), limit, func() error { return answers(secure) }); err != nil {
		t.Fatal(err)
	}
	return secure, servers, filepath.Join(dir, "error.log")
}

// guideClient asks the site of the guide over TLS.
type guideClient struct {
	http.Client
	t    *testing.T
	addr string
}

func newGuideClient(t *testing.T, addr string) *guideClient {
	c := &guideClient{t: t, addr: addr, Client: http.Client{
		Timeout:       limit,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{ServerName: "example.com", InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func (c *guideClient) ask(method, path, form, cookies string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, "https://"+c.addr+path, strings.NewReader(form))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Host = "example.com"
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Cookie", cookies)
	resp, err := c.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// TestGuideEnhancedKeepsClients: the guide's enhanced configuration runs, and its cookie, in nginx's exact text, keeps
// clients at the server that knows them.
func TestGuideEnhancedKeepsClients(t *testing.T) {
	t.Parallel()
	secure, servers, _ := startGuide(t, "Hello world")
	c := newGuideClient(t, secure)
	homes := map[string]bool{}
	for i := range 4 {
		login := c.ask("POST", "/webapp/login", fmt.Sprint("user=u", i), "")
		home := login.Header.Get("X-Server")
		homes[home] = true
		var cookies []string
		for _, line := range login.Header.Values("Set-Cookie") {
			pair, _, _ := strings.Cut(line, ";")
			cookies = append(cookies, pair)
			if strings.HasPrefix(pair, "srv_id=") {
				checkGuideCookie(t, line, servers[home])
			}
		}
		for range 5 {
			if me := c.ask("GET", "/webapp/me", "", strings.Join(cookies, "; ")); me.StatusCode != 200 || me.Header.Get("X-Server") != home {
				t.Errorf("a client of %s: %s from %s", home, me.Status, me.Header.Get("X-Server"))
			}
		}
	}
	if len(homes) != 2 {
		t.Errorf("all clients are at %v", homes)
	}
}

// TestGuideEnhancedChecksHealth: the guide's health check, as printed, finds a server whose page is another one, and no
// client is sent there.
func TestGuideEnhancedChecksHealth(t *testing.T) {
	t.Parallel()
	secure, servers, log := startGuide(t, "Goodbye world")
	want := fmt.Sprintf(`peer is unhealthy (body: 13 bytes were looked at), health check "nodejs_check" of peer %s in upstream "nodejs"`, servers["two"])
	err := waitFor(t.Context(), func() error {
		text, err := os.ReadFile(log)
		if err == nil && !strings.Contains(string(text), want) {
			err = fmt.Errorf("not in the log: %s\n%s", want, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newGuideClient(t, secure)
	for range 10 {
		if r := c.ask("GET", "/webapp/me", "", ""); r.Header.Get("X-Server") != "one" {
			t.Errorf("%s from %q", r.Status, r.Header.Get("X-Server"))
		}
	}
}

// checkGuideCookie compares a cookie with nginx's text of "expires=1h domain=.example.com path=/".
func checkGuideCookie(t *testing.T, line, addr string) {
	t.Helper()
	sum := md5.Sum([]byte(addr))
	want := "^srv_id=" + hex.EncodeToString(sum[:]) +
		`; expires=(\w{3}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT); max-age=3600; domain=\.example\.com; path=/$`
	m := regexp.MustCompile(want).FindStringSubmatch(line)
	if m == nil {
		t.Errorf("the cookie of %s is %q", addr, line)
		return
	}
	at, err := time.Parse("Mon, 02-Jan-06 15:04:05 GMT", m[1])
	if left := time.Until(at); err != nil || left > time.Hour+time.Second || left < 55*time.Minute {
		t.Errorf("%q ends in %v (%v)", line, left, err)
	}
}
