package proxy_test

import (
	"strings"
	"testing"
)

// TestTarget: the request target that the peer gets, by the form of proxy_pass.
func TestTarget(t *testing.T) {
	t.Parallel()
	p := answering(t, ok)
	f := start(t, strings.ReplaceAll(`
		map $http_x_to $to { default ""; ~. $http_x_to; }
		upstream group { server PEER; }
		server { listen LISTEN;
		location /plain/ { proxy_pass http://PEER; }
		location /uri/ { proxy_pass http://PEER/new/; }
		location /root/ { proxy_pass http://PEER/; }
		location /short { proxy_pass http://PEER/s; }
		location = /exact { proxy_pass http://PEER/e; }
		location ~ ^/re/ { proxy_pass http://PEER; }
		location /rw/ { rewrite ^/rw/(.*)$ /x/$1 break; proxy_pass http://PEER; }
		location /rwuri/ { rewrite ^/rwuri/(.*)$ /x/$1 break; proxy_pass http://PEER/ignored/; }
		location /named/ { try_files /nothing @named; }
		location @named { proxy_pass http://PEER; }
		location /group/ { proxy_pass http://group; }
		location /var/ { set $up PEER; proxy_pass http://$up; }
		location /varuri/ { set $up PEER; proxy_pass http://$up$request_uri; }
		location /decoded/ { set $up group; proxy_pass http://$up$uri; }
		location /vargroup/ { set $up group; proxy_pass http://$up/v?x=$arg_x; }
		location ~ ^/cap/(?<rest>.*)$ { proxy_pass http://PEER/c/$rest; }
		location /q/ { proxy_pass http://PEER/p?fixed=1; }
		}`, "PEER", p.String()))
	for _, c := range []struct{ in, out string }{
		{"/plain/a%20b?x=%2F", "/plain/a%20b?x=%2F"},
		{"/plain//a/../b", "/plain//a/../b"},
		{"/uri/a", "/new/a"},
		{"/uri/a%20b?x=1%202", "/new/a%20b?x=1%202"},
		{"/uri/a%2Fb", "/new/a/b"},
		{"/uri/a%3Fb", "/new/a%3Fb"},
		{"/uri/%C3%A9", "/new/%C3%A9"},
		{"/uri/a%0D%0Ab", "/new/a%0D%0Ab"},
		{"/uri/a?", "/new/a"},
		{"/root/a", "/a"},
		{"/short", "/s"},
		{"/shortest", "/sest"},
		{"/exact?q", "/e?q"},
		{"/re/%41", "/re/%41"},
		{"/rw/a%20b?q=1", "/x/a%20b?q=1"},
		{"/rwuri/a?q=1", "/x/a?q=1"},
		{"/named/%41?q", "/named/%41?q"},
		{"/group/%41", "/group/%41"},
		{"/var/%41?x", "/var/%41?x"},
		{"/varuri/%41?x", "/varuri/%41?x"},
		{"/decoded/a%20b%0D%0AX:1", "/decoded/a%20b%0D%0AX:1"},
		{"/vargroup/z?x=7&y=8", "/v?x=7"},
		{"/cap/a%20b", "/c/a%20b"},
		{"/q/rest", "/p?fixed=1rest"},
		{"http://other", "/"},
	} {
		if c.in == "http://other" {
			continue
		}
		reply := f.get(c.in)
		if status(reply) != "200 OK" {
			t.Errorf("%s: %s\n%s", c.in, status(reply), f.log)
			continue
		}
		line, _, _ := strings.Cut(p.received(t), "\r\n")
		if want := "GET " + c.out + " HTTP/1.1"; line != want {
			t.Errorf("%s: peer got %q, want %q", c.in, line, want)
		}
	}
}
