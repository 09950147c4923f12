package lb_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/lbtest"
)

// Which virtual server a request gets, by address, name and order.
func TestServerChoice(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	server := func(word, names, listens string) string {
		return "server { " + listens + " server_name " + names + "; location / { return 200 '" + word + " $host $server_name'; } } "
	}
	both := "listen 127.0.0.1:8080; listen unix:" + socket + ";"
	b := lbtest.Start(t, "events {} http { "+
		server("exact", "www.example.com example.org", both)+
		server("front", "*.example.com", both)+
		server("long", "*.deep.example.com", both)+
		server("behind", "mail.*", both)+
		server("regex", `~^(?<user>.+)\.users\.net$`, both)+
		server("empty", `""`, "listen 127.0.0.1:8080;")+
		server("default", "_", "listen 127.0.0.1:8080 default_server; listen 127.0.0.1:8081;")+
		server("other", "www.example.com", "listen 127.0.0.1:8081;")+" }")
	for _, tt := range []struct{ addr, host, want string }{
		{front, "www.example.com", "exact www.example.com www.example.com"},
		{front, "WWW.Example.Com.:8080", "exact www.example.com www.example.com"},
		{front, "example.org", "exact example.org www.example.com"},
		{front, "a.example.com", "front a.example.com *.example.com"},
		{front, "a.deep.example.com", "long a.deep.example.com *.deep.example.com"},
		{front, "mail.x.y", "behind mail.x.y mail.*"},
		{front, "mail.example.com", "front mail.example.com *.example.com"},
		{front, "joe.users.net", `regex joe.users.net ~^(?<user>.+)\.users\.net$`},
		{front, "unknown", "default unknown _"},
		{front, "", "empty  "},
		{"127.0.0.1:8081", "www.example.com", "other www.example.com www.example.com"},
		{"127.0.0.1:8081", "example.org", "default example.org _"},
		{"unix:" + socket, "mail.x", "behind mail.x mail.*"},
		{"unix:" + socket, "unknown", "exact unknown www.example.com"},
	} {
		request := "GET / HTTP/1.1\nHost: " + tt.host
		if tt.host == "" {
			request = "GET / HTTP/1.0"
		}
		if r := b.Dial(tt.addr).Ask(request); r.Status != 200 || r.Body != tt.want {
			t.Errorf("%s %q: %d %q, want %q", tt.addr, tt.host, r.Status, r.Body, tt.want)
		}
	}
	// The host of an absolute target comes before Host.
	if r := b.Dial(front).Ask("GET http://Example.org/x HTTP/1.1\nHost: unknown"); !strings.HasPrefix(r.Body, "exact example.org") {
		t.Error(r)
	}
}
