package lb

import (
	"net"
	"testing"

	"github.com/weir-lb/weir/lb/errorlog"
)

// A request that meets a fault in weir is no longer one in work. Here it has no
// generation, which no code expects.
func TestFaultsLeaveNoRequestInWork(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(c *conn){
		"HTTP/1": func(c *conn) {
			defer c.survive()
			c.job = newJob()
			c.job.c = c
			c.serveRequest()
		},
		"HTTP/2": func(c *conn) {
			j := newStreamJob()
			j.c, j.client = c, c.Conn
			j.serve()
		},
	} {
		near, far := tcpPair(t)
		defer func() { _ = far.Close() }()
		faults := 0
		log := errorlog.NewFunc(errorlog.Alert, func(errorlog.Level, uint64, string) { faults++ })
		c := &conn{b: &Balancer{options: Options{Log: log}}}
		if err := c.Init(near); err != nil {
			t.Fatal(err)
		}
		serve(c)
		if n := c.b.busy.Load(); n != 0 || faults != 1 {
			t.Errorf("%s: %d requests in work after %d faults", name, n, faults)
		}
	}
}

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return near, far
}
