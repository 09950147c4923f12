package lb

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/request"
)

// Question is a made-up request, to see where it would go.
type Question struct {
	Method string
	URL    string     // absolute: http://example.com/path?query
	Header []string   // fields, "Name: value"
	Client netip.Addr // 127.0.0.1 if it is invalid

	// Answer tells upstreams what the names stand for that they would follow;
	// nil: they have no servers by these.
	Answer func(*Prepared)
}

// Explain tells which way a request takes through a configuration, step by
// step, and why: server, location, rewriting, access, upstream, and the peer
// that would be picked. Nothing listens, and no peer and no log hears of it.
// What only a running process knows, such as failed servers, is not part of it.
// The error is one of the question or of the configuration.
func Explain(o Options, conf *config.Config, q Question) (lines []string, err error) {
	head, err := q.head()
	if err != nil {
		return nil, err
	}
	o.Logs = nil
	b, err := New(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if bad := b.Close(); err == nil {
			err = bad
		}
	}()
	c, err := b.compile(conf)
	if err != nil {
		return nil, err
	}
	defer c.g.close()
	if q.Answer != nil {
		q.Answer(&Prepared{b: b, c: c})
	}
	c.takeOver()
	c.g.assumeHealthy()
	site, err := c.g.asked(&q)
	if err != nil {
		return nil, err
	}
	w := &askedWalk{}
	w.run(b, c.g, site, &q, head)
	return w.r.Explanation.Lines, nil
}

// head is the request as a client would write it.
func (q *Question) head() ([]byte, error) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the URL %q is not of the form http://HOST/PATH or https://HOST/PATH", q.URL)
	}
	_, path, _ := strings.Cut(q.URL, "://")
	path = strings.TrimPrefix(path, u.Host)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	path, _, _ = strings.Cut(path, "#")
	out := q.Method + " " + path + " HTTP/1.1\r\n"
	named := false
	for _, h := range q.Header {
		name, _, ok := strings.Cut(h, ":")
		if !ok || strings.ContainsAny(h, "\r\n") {
			return nil, fmt.Errorf("the field %q is not of the form NAME: VALUE", h)
		}
		named = named || strings.EqualFold(name, "Host")
		out += h + "\r\n"
	}
	if !named {
		out += "Host: " + u.Host + "\r\n"
	}
	return []byte(out + "\r\n"), nil
}

// asked finds the address that the request would reach: of those with the port
// of the URL the one that its host names, else one for every address, else the
// first.
func (g *generation) asked(q *Question) (*address, error) {
	u, err := url.Parse(q.URL)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	named, _ := netip.ParseAddr(u.Hostname())
	var best *address
	rank := 0
	var all []string
	for _, a := range g.sites {
		spec := &g.specs[a.spec]
		all = append(all, spec.Name())
		if !spec.Addr.IsValid() || strconv.Itoa(int(spec.Addr.Port())) != port {
			continue
		}
		r := 1
		switch {
		case spec.Addr.Addr() == named:
			r = 3
		case spec.Addr.Addr().IsUnspecified():
			r = 2
		}
		if r > rank {
			best, rank = a, r
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no server listens on port %s; the configuration has %s", port, strings.Join(all, ", "))
	}
	if u.Scheme == "https" && !best.secure() {
		return nil, fmt.Errorf("%s is not for TLS, but the URL begins with https", g.specs[best.spec].Name())
	}
	return best, nil
}

// askedWalk is the walk of a made-up request.
type askedWalk struct {
	walk
	conn conn
}

func (w *askedWalk) run(b *Balancer, g *generation, site *address, q *Question, head []byte) {
	c := &w.conn
	c.b, c.site = b, site
	secure := strings.HasPrefix(q.URL, "https:")
	c.misdirected = site.secure() && !secure
	client := q.Client
	if !client.IsValid() {
		client = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	c.Remote, c.Local = netip.AddrPortFrom(client, 50000), g.specs[site.spec].Addr
	c.RemoteText = client.AppendTo(nil)
	if secure {
		c.sni = site.named([]byte(strings.ToLower(q.host())))
		c.Conn.TLS = tlsInfo{&cert.Info{}}
	}
	w.begin(c, &c.Conn, g)
	r := &w.r
	r.Explanation = &request.Explanation{}
	r.Out = w
	r.Explainf("address: %s", g.specs[site.spec].Name())
	if _, bad := http1.ParseRequest(r, head, &site.def.limits); bad != nil {
		w.refuse(bad)
		return
	}
	r.Body.Source = w
	w.handle()
}

// host is the name in the URL.
func (q *Question) host() string {
	u, err := url.Parse(q.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
