package lb

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/weir-lb/weir/config"
	"github.com/weir-lb/weir/lb/accesslog"
	"github.com/weir-lb/weir/lb/cert"
	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/lb/health"
	"github.com/weir-lb/weir/lb/http1"
	"github.com/weir-lb/weir/lb/http2"
	"github.com/weir-lb/weir/lb/listen"
	"github.com/weir-lb/weir/lb/route"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/lb/variable"
)

// generation is one configuration, compiled whole and never changed. It ends
// when another has taken its place and its last request is done.
type generation struct {
	number   uint64
	conf     *config.Config
	table    *variable.Table
	slots    int // memos of a request
	sites    []*address
	specs    []listen.Spec
	bindings map[*listen.Socket]*listen.Binding
	zones    map[string]*pool     // upstreams in use, by name
	folded   map[string]*pool     // the same, by names in lower case
	sessions map[string]*sessions // zones of learned sessions, by name
	keys     *upstream.Keys       // of sticky_key files; nil: there are none

	plans  []health.Plan // what of the upstreams is checked
	caches caches
	logs   *accesslog.Set
	errors []*errorlog.Logger // to be given back

	users   atomic.Int64 // requests in work, and one for being current
	tunnels atomic.Int64 // upgraded connections, and one while there are users
	retired chan struct{}
	end     sync.Once
}

// address is a listening address with its virtual servers.
type address struct {
	spec          int
	ssl           bool
	http2         bool // by its listen directive; a server's own setting counts as well
	proxyProtocol bool
	def           *server
	hosts         *route.Hosts[*server]
	headLimit     int  // bytes of a request's head
	notesHello    bool // variables need what a client's hello offers
}

// server is one compiled virtual server.
type server struct {
	conf      *config.Server
	name      []byte
	limits    http1.Limits
	own       *location // its settings where no location's hold
	script    *route.Script
	locations *route.Locations[*location]
	tls       *cert.Server // nil: no ssl address is its own
	alpn      *cert.Server // the same, with HTTP/2 on offer
	http2     http2.Limits
	input     *sync.Pool // of the buffers that connections of HTTP/2 are read into

	certificates *certificates // found at the handshake; nil: tls has them
}

// secure tells whether connections to the address begin with a handshake.
func (a *address) secure() bool { return a.ssl }

// named returns the server that a name in a handshake leads to; nil is none.
func (a *address) named(name []byte) *server {
	if name == nil {
		return a.def
	}
	return a.hosts.Find(name, nil)
}

// front returns what a handshake begins with; the server that the client's
// name leads to is noted in c.
func (a *address) front(c *conn) *tls.Config {
	return cert.Front(func(hello *tls.ClientHelloInfo) *cert.Server {
		name := hello.ServerName
		c.asked = &asked{}
		if a.notesHello {
			c.asked.hello = cert.NewHello(hello)
		}
		if host, _, ok := http1.NormalizeHost(nil, []byte(name)); ok && name != "" {
			c.asked.name = host
		}
		c.sni = a.named(c.asked.name)
		s := c.sni
		t := s.tls
		if a.http2 || s.conf.HTTP2.On {
			t = s.alpn
		}
		if s.certificates != nil {
			return t.WithCertificate(func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return c.find(s, hello) })
		}
		return t
	})
}

// verifies tells whether the server asks for client certificates.
func (s *server) verifies() bool { return s.conf.TLS.VerifyClient != config.VerifyOff }

// sameAs tells whether both are the same server block.
func (s *server) sameAs(o *server) bool { return s.conf.Pos == o.conf.Pos && s.sameClientRules(o) }

// sameClientRules tells whether a client accepted by one of the servers may
// stay connected to the other.
func (s *server) sameClientRules(o *server) bool {
	a, b := &s.conf.TLS, &o.conf.TLS
	return a.VerifyClient == b.VerifyClient && a.VerifyDepth == b.VerifyDepth && a.ClientCertificate == b.ClientCertificate &&
		a.TrustedCertificate == b.TrustedCertificate && a.CRL == b.CRL
}

// site finds the address that a connection reached; nil where the generation
// does not listen there.
func (g *generation) site(socket *listen.Socket, local net.Addr) *address {
	b := g.bindings[socket]
	if b == nil {
		return nil
	}
	return g.sites[b.Spec(local)]
}

// acquire returns the current generation for one request, which must release
// it.
func (b *Balancer) acquire() *generation {
	for {
		g := b.current.Load()
		g.users.Add(1)
		if b.current.Load() == g {
			return g
		}
		g.release() // it was replaced in this moment and may have ended
	}
}

// release lets a generation go; the last one to do so ends it.
func (g *generation) release() {
	if g.users.Add(-1) == 0 {
		g.end.Do(func() {
			g.leaveTunnel()
			close(g.retired)
		})
	}
}

// enterTunnel is release for a request that leaves HTTP: it holds the
// generation no longer, only the logs in which its end is written.
func (g *generation) enterTunnel() {
	g.tunnels.Add(1)
	g.release()
}

// leaveTunnel lets the logs go.
func (g *generation) leaveTunnel() {
	if g.tunnels.Add(-1) == 0 {
		g.close()
	}
}

// close gives back what the generation has opened.
func (g *generation) close() {
	g.caches.close()
	if g.logs != nil {
		_ = g.logs.Close() // a log that cannot be written has said so
	}
	for _, l := range g.errors {
		_ = l.Close() // likewise
	}
}

// discard undoes the building of a generation that never served.
func (g *generation) discard() error {
	g.close()
	return errors.Join()
}
