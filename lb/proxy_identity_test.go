package lb_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// The client certificate shown to an upstream may be named by variables; no
// request uses a connection that was made with another one.
func TestClientCertificateByVariable(t *testing.T) {
	t.Parallel()
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprint(w, name, r.TLS.DidResume)
	}))
	backend.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	backend.StartTLS()
	t.Cleanup(backend.Close)
	b := lbtest.New(t)
	writePair(t, b, "alice", ecKey(t))
	writePair(t, b, "bob", ecKey(t))
	load(t, b, `events {} http { proxy_ssl_certificate $file; proxy_ssl_certificate_key $arg_who.key;
		map $arg_who $file { "" ""; default $arg_who.crt; }
		server { listen 127.0.0.1:8080; location / { proxy_pass `+backend.URL+`; } } }`)
	for _, c := range [][2]string{
		{"alice", "200 alicefalse"}, {"bob", "200 bobfalse"}, {"alice", "200 alicefalse"}, {"", "200 nobodyfalse"},
	} {
		if r := b.Get(front, "/?who="+c[0]); fmt.Sprint(r.Status, " ", r.Body) != c[1] {
			t.Errorf("%q: %v", c[0], r)
		}
	}
	if r := b.Get(front, "/?who=carol"); r.Status != 500 {
		t.Error(r)
	}
	b.Errors.Await(t, `cannot load certificate "`+b.Dir+`/carol.crt": BIO_new_file() failed`)
	if strings.Contains(b.Errors.String(), "[crit]") {
		t.Error("a missing certificate is critical")
	}
}
