package proxy_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/weir-lb/weir/cluster-test/program"
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

// TestBindTransparent: only a transparent connection may come from an address
// that is not this machine's. Here it leads nowhere, since nobody routes the
// answers back, so that the peer does not answer in time.
func TestBindTransparent(t *testing.T) {
	t.Parallel()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	const optionTransparent = 19 // of ip(7)
	tried := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, optionTransparent, 1)
	if err := syscall.Close(fd); err != nil {
		t.Fatal(err)
	}
	program.Permitted(t, "bind to any address", tried)
	for _, c := range []struct{ name, conf, status, log string }{
		{"not transparent", "proxy_bind 192.0.2.9;", "502 Bad Gateway", "failed (99: Cannot assign requested address) while connecting to upstream"},
		{"transparent", "proxy_bind 192.0.2.9 transparent;", "504 Gateway Time-out", "upstream timed out (110: Connection timed out) while connecting to upstream"},
		{"an address of this machine", "proxy_bind 127.0.0.9 transparent;", "200 OK", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := proxied(t, answering(t, ok), "proxy_connect_timeout 1s; "+c.conf)
			if s := status(f.get("/")); s != c.status {
				t.Errorf("%s, want %s\n%s", s, c.status, f.log)
			}
			f.log.await(t, c.log)
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
