package lb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// stickySite is a site of three servers that tell their names, and of one
// location for each upstream.
func stickySite(http string, upstreams ...string) string {
	conf := "events {} http { access_log off; " + http + "\n"
	for _, n := range []string{"1", "2", "3"} {
		conf += "server { listen unix:DIR/" + n + "; return 200 " + n + "; }\n"
	}
	site := "server { listen 127.0.0.1:8080;\n"
	for i, u := range upstreams {
		conf += fmt.Sprintf("upstream u%d { %s }\n", i, u)
		site += fmt.Sprintf("location /u%d { proxy_pass http://u%d; }\n", i, i)
	}
	return conf + site + "} }"
}

const threeServers = "server unix:DIR/1 route=one; server unix:DIR/2 route=two; server unix:DIR/3 route=three; "

// asked is what came of one request to a sticky site.
type asked struct {
	server string
	cookie string // the value of srv that was set; empty: none
	after  string // its attributes
}

// askSticky asks for a path with a value of the cookie srv.
func askSticky(t *testing.T, b *lbtest.Balancer, path, cookie string) asked {
	t.Helper()
	c := b.Dial(front)
	if cookie != "" {
		cookie = "Cookie: srv=" + cookie + "\r\n"
	}
	c.Send("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + cookie + "\r\n")
	r := c.Reply()
	if r.Status != 200 {
		t.Fatal(r)
	}
	value, after, _ := strings.Cut(strings.TrimPrefix(r.Field("Set-Cookie"), "srv="), ";")
	return asked{r.Body, value, after}
}

func writeKey(b *lbtest.Balancer, name, digit string) {
	b.Write(name, "# a key\n"+strings.Repeat(digit, 64)+"\n")
}

// TestSealedCookies: with a key nobody can tell or choose the server by the
// cookie, and it follows nginx's ids while they are accepted.
func TestSealedCookies(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writeKey(b, "a.key", "a")
	writeKey(b, "b.key", "b")
	conf := func(keys string) string {
		return strings.ReplaceAll(stickySite(keys, threeServers+"sticky cookie srv;",
			threeServers+"sticky cookie srv; sticky_accept nginx;", threeServers+"sticky cookie other;"), "DIR", b.Dir)
	}
	load(t, b, conf("sticky_key a.key;"))
	stays := func(path, cookie, want string) (same bool) {
		t.Helper()
		for range 4 {
			if got := askSticky(t, b, path, cookie); got.server != want {
				return false
			}
		}
		return true
	}
	first := askSticky(t, b, "/u0", "")
	if len(first.cookie) != 76 || strings.Contains(first.cookie, "one") {
		t.Errorf("the cookie is %q", first.cookie)
	}
	if other := askSticky(t, b, "/u0", ""); other.cookie[20:] == first.cookie[20:] {
		t.Error("two clients have the same cookie")
	}
	if !stays("/u0", first.cookie, first.server) {
		t.Error("the client is moved")
	}
	if again := askSticky(t, b, "/u0", first.cookie); again.cookie != first.cookie {
		t.Errorf("the cookie becomes %q", again.cookie)
	}
	if stays("/u0", "two", "2") || !stays("/u1", "two", "2") {
		t.Error("nginx's ids are followed where they are not accepted, or the other way round")
	}
	if got := askSticky(t, b, "/u1", "two"); len(got.cookie) != 76 || !stays("/u1", got.cookie, "2") {
		t.Errorf("an accepted id becomes %q", got.cookie)
	}
	if stays("/u1", first.cookie, first.server) {
		t.Error("a cookie is good for another upstream")
	}

	load(t, b, conf("sticky_key a.key; sticky_accept nginx;"))
	if !stays("/u0", "two", "2") {
		t.Error("sticky_accept in http does not reach the upstream")
	}

	// The key is replaced: old cookies are followed and renewed.
	load(t, b, conf("sticky_key b.key; sticky_key a.key;"))
	renewed := askSticky(t, b, "/u0", first.cookie)
	if renewed.server != first.server || renewed.cookie == first.cookie {
		t.Errorf("with the new key in front: %+v", renewed)
	}
	load(t, b, conf("sticky_key b.key;"))
	if !stays("/u0", renewed.cookie, first.server) || stays("/u0", first.cookie, first.server) {
		t.Error("the renewed cookie is not followed without the old key, or the old one is")
	}
	refused(t, b, conf("sticky_key none.key;"), `open() "`+b.Dir+`/none.key" failed (2: No such file or directory)`)
	b.Write("short.key", "abc")
	refused(t, b, conf("sticky_key short.key;"), "64 hexadecimal digits")
	refused(t, b, conf("sticky_key a.key; sticky_key a.key;"), "two sticky keys have the id")
}

// refused tells that a configuration is not taken.
func refused(t *testing.T, b *lbtest.Balancer, conf, words string) {
	t.Helper()
	if _, err := b.Reload(conf); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, not %q", err, words)
	}
}

// TestStickyOverReloads: clients stay with servers that stay, whatever is
// added, removed or drained around them; learned sessions are kept, too.
func TestStickyOverReloads(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writeKey(b, "a.key", "a")
	conf := func(servers string) string {
		return strings.ReplaceAll(stickySite("sticky_key a.key;", servers+"sticky cookie srv;",
			servers+"sticky route $cookie_srv;",
			servers+"sticky learn create=$arg_new lookup=$cookie_srv zone=sessions:64k;"), "DIR", b.Dir)
	}
	one, two, three := "server unix:DIR/1 route=one; ", "server unix:DIR/2 route=two; ", "server unix:DIR/3 route=three; "
	load(t, b, conf(one+two))
	var home [3]asked
	for home[0] = (asked{}); home[0].server != "1"; {
		home[0] = askSticky(t, b, "/u0", "")
	}
	home[1].cookie = "one"
	for id := 0; home[2].server != "1"; id++ {
		home[2].cookie = fmt.Sprint("s", id)
		home[2].server = askSticky(t, b, "/u2?new="+home[2].cookie, "").server
	}
	for _, step := range []struct{ name, servers, want string }{
		{"added", two + one + three, "1"},
		{"removed another", one + three, "1"},
		{"drained", "server unix:DIR/1 route=one drain; " + three, "1"},
		{"weighed", "server unix:DIR/1 route=one weight=3; " + three, "1"},
		{"down", "server unix:DIR/1 route=one down; " + three, "3"},
	} {
		load(t, b, conf(step.servers))
		for i := range home {
			for range 3 {
				if got := askSticky(t, b, fmt.Sprint("/u", i), home[i].cookie); got.server != step.want {
					t.Errorf("%s: client %d is at %s, not %s", step.name, i, got.server, step.want)
				}
			}
		}
	}
}

// TestCookieTimes: what expires does to the attributes.
func TestCookieTimes(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	load(t, b, strings.ReplaceAll(stickySite("", threeServers+"sticky cookie srv expires=1h domain=.example.com path=/;",
		threeServers+"sticky cookie srv expires=20y;"), "DIR", b.Dir))
	check := func(path, rest, layout string, lasts time.Duration) {
		t.Helper()
		got := askSticky(t, b, path, "").after
		text, after, _ := strings.Cut(strings.TrimPrefix(got, " expires="), "; ")
		at, err := time.Parse(layout, text)
		if ahead := time.Until(at); err != nil || ahead > lasts+time.Second || ahead < lasts-time.Minute || after != rest {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	check("/u0", "max-age=3600; domain=.example.com; path=/", "Mon, 02-Jan-06 15:04:05 GMT", time.Hour)
	check("/u1", "max-age=630720000", "Mon, 02-Jan-2006 15:04:05 GMT", 20*365*24*time.Hour)
}

// TestLearnWhen: a session is tied with the end of the reply that made it, with
// "header" as soon as its head is here; a failed attempt ties none. A reply
// that leaves HTTP has the cookie, too.
func TestLearnWhen(t *testing.T) {
	t.Parallel()
	going, release := make(chan bool, 2), make(chan bool)
	serve := func(name string) func(*lbtest.Call) {
		return func(c *lbtest.Call) {
			_, path, _ := strings.Cut(c.Target[1:], "/")
			switch path {
			case "login":
				c.Send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nSet-Cookie: sid=s" + c.Target[1:3] + "\r\n\r\n" + "01234")
				going <- true
				<-release
				c.Send("56789")
			case "bad":
				if name == "1" {
					c.Answer(502, "", "Set-Cookie: sid=bad")
				} else {
					c.Answer(200, "")
				}
			case "tunnel":
				c.Send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			default:
				c.Answer(200, name)
			}
		}
	}
	one, two := lbtest.StartBackend(t, serve("1")), lbtest.StartBackend(t, serve("2"))
	both := "server " + one.Addr() + " max_fails=0; server " + two.Addr() + " max_fails=0; "
	learn := "sticky learn create=$upstream_cookie_sid lookup=$cookie_sid zone="
	b := lbtest.Start(t, "events {} http { access_log off; proxy_next_upstream error http_502; proxy_buffering off; "+
		"upstream u0 { "+both+learn+"a:64k; } upstream u1 { "+both+learn+"b:64k header; } upstream u2 { "+both+"sticky cookie srv; }"+
		"server { listen 127.0.0.1:8080; location /u0 { proxy_pass http://u0; } location /u1 { proxy_pass http://u1; }"+
		"location /u2 { proxy_pass http://u2; proxy_set_header Upgrade x; proxy_set_header Connection upgrade; } } }")
	tied := func(upstream, sid string) bool {
		t.Helper()
		c, who := b.Dial(front), map[string]bool{}
		for range 4 {
			c.Send("GET /" + upstream + "/who HTTP/1.1\r\nHost: a\r\nCookie: sid=" + sid + "\r\n\r\n")
			who[c.Reply().Body] = true
		}
		return len(who) == 1
	}
	for i, upstream := range []string{"u0", "u1"} {
		c := b.Dial(front)
		c.Send("GET /" + upstream + "/login HTTP/1.1\r\nHost: a\r\n\r\n")
		<-going
		readUntil(t, c, "01234") // weir has seen the head
		if early := tied(upstream, "s"+upstream); early != (i == 1) {
			t.Errorf("%s: tied before the end of the reply: %t", upstream, early)
		}
		release <- true
		readUntil(t, c, "56789")
		lbtest.Await(t, func() bool { return tied(upstream, "s"+upstream) }, func() string { return upstream + ": not tied after the end" })
	}
	b.Get(front, "/u0/bad") // one of both begins with the first server
	b.Get(front, "/u0/bad")
	if tied("u0", "bad") {
		t.Error("an attempt that failed ties a session")
	}
	c := b.Dial(front)
	c.Send("GET /u2/tunnel HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
	if head := readUntil(t, c, "\r\n\r\n"); !strings.Contains(head, "\r\nSet-Cookie: srv=") {
		t.Errorf("the tunnel begins with %q", head)
	}
}

// readUntil reads up to the end of a text and returns all of it.
func readUntil(t *testing.T, c *lbtest.Client, text string) string {
	t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), text) {
		p := make([]byte, 1)
		if _, err := c.Read(p); err != nil {
			t.Fatalf("%q, then %v", got, err)
		}
		got = append(got, p...)
	}
	return string(got)
}

// TestBalancersShareCookies: whoever has the key follows the cookie, however
// its list of servers is ordered and weighed.
func TestBalancersShareCookies(t *testing.T) {
	t.Parallel()
	one, two := lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, "1") }), lbtest.StartBackend(t, func(c *lbtest.Call) { c.Answer(200, "2") })
	start := func(key, servers string) *lbtest.Balancer {
		b := lbtest.New(t)
		writeKey(b, "s.key", key)
		load(t, b, strings.NewReplacer("ONE", one.Addr(), "TWO", two.Addr()).Replace("events {} http { access_log off; sticky_key s.key; upstream u { "+
			servers+" sticky cookie srv; } server { listen 127.0.0.1:8080; location / { proxy_pass http://u; } } }"))
		return b
	}
	a := start("a", "server ONE; server TWO;")
	b := start("a", "least_conn; server 127.0.0.1:1 down; server TWO weight=5; server ONE max_conns=100;")
	stranger := start("b", "server ONE; server TWO;")
	for range 8 {
		home := askSticky(t, a, "/", "")
		for range 3 {
			if got := askSticky(t, b, "/", home.cookie); got != home {
				t.Errorf("%+v at one, %+v at the other", home, got)
			}
		}
		if x, y := askSticky(t, stranger, "/", home.cookie), askSticky(t, stranger, "/", home.cookie); x.server == y.server || x.cookie == home.cookie {
			t.Errorf("without the key the client is at %+v, then at %+v", x, y)
		}
	}
}
