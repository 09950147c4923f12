package proxy_test

import (
	"strings"
	"testing"
)

// TestBind: the address that connections come from.
func TestBind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, conf, from, log string }{
		{"fixed", "proxy_bind 127.0.0.9;", "127.0.0.9", ""},
		{"variable", "proxy_bind $arg_from;", "127.0.0.8", ""},
		{"off", "proxy_bind off;", "127.0.0.1", ""},
		{"no address", "proxy_bind $arg_x;", "127.0.0.1", ""},
		{"rubbish", "proxy_bind $request_method;", "127.0.0.1", `invalid local address "GET"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			from := make(chan string, 2)
			p := newPeer(t, func(cl *wireClient) {
				host, _, _ := strings.Cut(cl.RemoteAddr().String(), ":")
				from <- host
				cl.message()
				cl.send(ok)
			})
			f := proxied(t, p, c.conf)
			if s := status(f.get("/?from=127.0.0.8")); s != "200 OK" {
				t.Fatalf("%s\n%s", s, f.log)
			}
			if got := <-from; got != c.from {
				t.Errorf("from %s, want %s", got, c.from)
			}
			if c.log != "" {
				f.log.await(t, c.log)
			}
		})
	}
}

// TestBodyCannotBeKept: a folder that cannot be written to is a 500, told in
// the log, and no peer is asked.
func TestBodyCannotBeKept(t *testing.T) {
	t.Parallel()
	p := answering(t, ok)
	f := proxied(t, p, "client_body_buffer_size 8k; client_body_temp_path DIR/weir.conf/x;")
	reply := f.ask(request("POST /", "Content-Length: 100000") + strings.Repeat("x", 100000))
	if status(reply) != "500 Internal Server Error" || p.dialed.Load() != 0 {
		t.Errorf("%q, %d connections", status(reply), p.dialed.Load())
	}
	f.log.await(t, "client request body could not be kept")
}
