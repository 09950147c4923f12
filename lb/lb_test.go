package lb_test

import (
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// site is a configuration of one server on 127.0.0.1:8080.
func site(body string) string {
	return "events {} http { server { listen 127.0.0.1:8080; " + body + " } }"
}

const front = "127.0.0.1:8080"

func TestProxyKeepsConnections(t *testing.T) {
	t.Parallel()
	be := lbtest.StartBackend(t, lbtest.Mirror)
	b := lbtest.Start(t, site("location / { proxy_pass http://"+be.Addr()+"; }"))
	c := b.Dial(front)
	for range 3 {
		if r := c.Ask("GET /x?y HTTP/1.1\nHost: a"); r.Status != 200 || r.Body != "GET /x?y HTTP/1.1\nHost: "+be.Addr()+"\n\n" {
			t.Fatal(r)
		}
	}
	if be.Conns() != 1 {
		t.Errorf("%d connections to the backend", be.Conns())
	}
	b.Access.AwaitLines(t, 3)
}
