package lb_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// firstSession is a client's memory of its first session only, however many
// follow.
type firstSession struct{ *tls.ClientSessionState }

func (f *firstSession) Get(string) (*tls.ClientSessionState, bool) {
	return f.ClientSessionState, f.ClientSessionState != nil
}

func (f *firstSession) Put(_ string, s *tls.ClientSessionState) {
	if f.ClientSessionState == nil {
		f.ClientSessionState = s
	}
}

// A server has the ssl_session_timeout of http unless it has its own.
func TestSessionTimeoutInheritance(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writeTestPKI(t, b)
	load(t, b, `events {} http { ssl_certificate certs/server.crt; ssl_certificate_key certs/server.key; ssl_session_timeout 1s;
		server { listen 127.0.0.1:8443 ssl; server_name inherits; return 200 ok; }
		server { listen 127.0.0.1:8443 ssl; server_name own; ssl_session_timeout 1h; return 200 ok; } }`)
	resumed := func(name string, first *firstSession) bool {
		cfg := &tls.Config{ServerName: name, MaxVersion: tls.VersionTLS12, ClientSessionCache: first}
		state, _, err := visit(t, b.Addr(secureFront), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return state.DidResume
	}
	var inherits, own firstSession
	resumed("own", &own)
	resumed("inherits", &inherits)
	lbtest.Await(t, func() bool { return !resumed("inherits", &inherits) }, b.Errors.String)
	if !resumed("own", &own) {
		t.Error("a session of an hour has ended with that of a second")
	}
}

// The password file of an inner block takes the place of the outer one: with
// the right one outside and a wrong one inside the key cannot be read, and the
// other way around it can.
func TestPasswordFilesAreReplaced(t *testing.T) {
	t.Parallel()
	b := lbtest.New(t)
	writeTestPKI(t, b)
	const server = `ssl_certificate certs/locked.crt; ssl_certificate_key certs/locked.key; ssl_password_file certs/%s;
		server { listen 127.0.0.1:8443 ssl; ssl_password_file certs/%s; return 200 ok; }`
	const proxy = `proxy_ssl_certificate certs/locked.crt; proxy_ssl_certificate_key certs/locked.key; `
	for _, tt := range []struct{ name, conf string }{
		{"http, server", server},
		{"http, server to peers", proxy + `proxy_ssl_password_file certs/%s;
			server { listen 127.0.0.1:8080; proxy_ssl_password_file certs/%s; location / { proxy_pass https://127.0.0.1:1; } }`},
		{"server, location", proxy + `server { listen 127.0.0.1:8080; proxy_ssl_password_file certs/%s;
			location / { proxy_ssl_password_file certs/%s; proxy_pass https://127.0.0.1:1; } }`},
		{"location, location in it", proxy + `server { listen 127.0.0.1:8080; location / { proxy_ssl_password_file certs/%s;
			location /a { proxy_ssl_password_file certs/%s; proxy_pass https://127.0.0.1:1; } } }`},
	} {
		for _, inner := range []string{"password", "wrong"} {
			outer := map[string]string{"password": "wrong", "wrong": "password"}[inner]
			cfg, err := b.Load("events {} http { " + fmt.Sprintf(tt.conf, outer, inner) + " }")
			if err != nil {
				t.Fatal(err)
			}
			err = b.Check(cfg)
			if inner == "password" && err != nil {
				t.Errorf("%s: with the right file inside: %v", tt.name, err)
			}
			if inner == "wrong" && (err == nil || !strings.Contains(err.Error(), "bad decrypt")) {
				t.Errorf("%s: with the wrong file inside: %v", tt.name, err)
			}
		}
	}
}

// What an upstream says of its idle connections holds for it alone.
func TestUpstreamKeepalive(t *testing.T) {
	t.Parallel()
	for _, directive := range []string{"keepalive_timeout 1ms;", "keepalive_time 1ms;"} {
		t.Run(directive, func(t *testing.T) {
			t.Parallel()
			short, plain := lbtest.StartBackend(t, lbtest.Mirror), lbtest.StartBackend(t, lbtest.Mirror)
			b := lbtest.Start(t, `events {} http {
				upstream short { server `+short.Addr()+`; `+directive+` } upstream plain { keepalive_requests 1000000; server `+plain.Addr()+`; }
				server { listen 127.0.0.1:8080; keepalive_timeout 1h; keepalive_time 1h; keepalive_requests 1000000;
					location /short { proxy_pass http://short; } location / { proxy_pass http://plain; } } }`)
			c := b.Dial(front)
			lbtest.Await(t, func() bool {
				c.Ask("GET / HTTP/1.1\nHost: a")
				c.Ask("GET /short HTTP/1.1\nHost: a")
				return short.Conns() > 2
			}, b.Errors.String)
			if n := plain.Conns(); n != 1 {
				t.Errorf("an upstream without %s used %d connections", directive, n)
			}
		})
	}
}
