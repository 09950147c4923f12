package request_test

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/variable"
)

var env = request.Env{
	Hostname: "box", PID: 4711, Version: "1.2.3",
	Counts: func() (int64, int64, int64, int64) { return 100, 1, 20, 79 },
}

// newTable is a table of every request variable.
func newTable() *variable.Table {
	t := variable.NewTable()
	request.AddVariables(t, env)
	return t
}

func newConn() *request.Conn {
	return &request.Conn{
		Number: 7, Requests: 3, Start: time.Now(),
		Remote:     netip.MustParseAddrPort("192.0.2.7:40001"),
		Local:      netip.MustParseAddrPort("198.51.100.1:8080"),
		RemoteText: []byte("192.0.2.7"),
	}
}

// parse makes a request of a head in HTTP/1's form, as the codec leaves it.
func parse(t testing.TB, conn *request.Conn, head string) *request.Request {
	t.Helper()
	r := &request.Request{}
	r.Reset(conn, 64)
	line, fields, _ := strings.Cut(head, "\n")
	r.Head.Reset([]byte(line + "\r\n"))
	words := strings.Fields(line)
	at := uint32(len(words[0]) + 1)
	r.Line = request.Span{End: uint32(len(line))}
	r.Method = request.Span{End: uint32(len(words[0]))}
	r.Target = request.Span{Off: at, End: at + uint32(len(words[1]))}
	r.Version = request.HTTP11
	path, args, found := strings.Cut(words[1], "?")
	r.Path, r.Args, r.HasArgs = []byte(path), []byte(args), found
	for f := range strings.SplitSeq(fields, "\n") {
		if name, value, ok := strings.Cut(f, ": "); ok {
			r.Head.Add([]byte(name), []byte(value))
		}
	}
	if i := r.Head.First(request.FieldHost); i >= 0 {
		r.HostRaw = r.Head.Fields[i].Value
		host, _, _ := strings.Cut(strings.ToLower(string(r.Head.Bytes(r.HostRaw))), ":")
		r.Host = []byte(host)
	}
	r.ServerName = []byte("server.example")
	r.Length = int64(len(r.Head.Buf)) + 2
	r.Start = conn.Start
	return r
}

// value evaluates a variable as a log does: "-" where it has no value.
func value(t testing.TB, table *variable.Table, r *request.Request, name string) string {
	t.Helper()
	v, err := table.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	b, found := v.Get(r)
	if !found {
		return "-"
	}
	return string(b)
}

// check compares variables with what is wanted, "name value" a line.
func check(t *testing.T, r *request.Request, want string) {
	t.Helper()
	table := newTable()
	for line := range strings.SplitSeq(strings.TrimSpace(want), "\n") {
		name, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		if got := value(t, table, r, name); got != strings.Trim(want, " '") {
			t.Errorf("$%s = %q, want %q", name, got, want)
		}
	}
}

const someHead = `GET /ret?a=1&b=&empty&A=2&c=3 HTTP/1.1
Host: Example.COM:8098
X-Foo: 1
X-Foo: 2
Cookie: x=1, a=first; b = 2
Cookie: d=4; a=second; c
X-Forwarded-For: 1.1.1.1
X-Forwarded-For: 2.2.2.2
Authorization: basic  am9lOnB3
User-Agent: tester
Content-Type: text/x
Content-Length: 3`

func TestRequestVariables(t *testing.T) {
	t.Parallel()
	check(t, parse(t, newConn(), someHead), `
		request GET /ret?a=1&b=&empty&A=2&c=3 HTTP/1.1
		request_method GET
		request_uri /ret?a=1&b=&empty&A=2&c=3
		uri /ret
		document_uri /ret
		args a=1&b=&empty&A=2&c=3
		query_string a=1&b=&empty&A=2&c=3
		is_args ?
		arg_a 1
		arg_b
		arg_C 3
		arg_empty -
		arg_x -
		host example.com
		request_port 8098
		is_request_port :
		http_host Example.COM:8098
		http_x_foo 1, 2
		http_none -
		http_user_agent tester
		http_cookie x=1, a=first; b = 2; d=4; a=second; c
		cookie_a first
		cookie_B 2
		cookie_c -
		cookie_d 4
		proxy_add_x_forwarded_for 1.1.1.1, 2.2.2.2, 192.0.2.7
		remote_user joe
		content_type text/x
		content_length 3
		server_protocol HTTP/1.1
		server_name server.example
		request_length `+strconv.Itoa(len(strings.ReplaceAll(someHead, "\n", "\r\n"))+4)+`
		pipe .
		scheme http
		https
		http2
		http3
	`)
}

func TestVariablesOfLittle(t *testing.T) {
	t.Parallel()
	r := parse(t, newConn(), "GET / HTTP/1.0\n")
	r.Version = request.HTTP10
	r.Pipelined = true
	check(t, r, `
		args -
		is_args
		arg_a -
		host server.example
		request_port
		is_request_port
		http_host -
		proxy_add_x_forwarded_for 192.0.2.7
		remote_user -
		content_length -
		request_body -
		request_body_file -
		server_protocol HTTP/1.0
		status 000
		body_bytes_sent 0
		request_completion
		upstream_addr -
		upstream_status -
		upstream_response_time -
		upstream_last_server_name -
		upstream_http_x -
		upstream_cookie_x -
		upstream_trailer_x -
		sent_http_x -
		sent_trailer_x -
		gzip_ratio -
		limit_rate 0
		ssl_protocol -
		ssl_client_verify -
		proxy_protocol_addr -
		proxy_protocol_port -
		pipe p
		1 -
	`)
	unread := &request.Request{}
	unread.Reset(newConn(), 64)
	check(t, unread, `
		request -
		request_method -
		request_uri -
		uri -
		args -
		server_protocol -
	`)
}

func TestConnectionVariables(t *testing.T) {
	t.Parallel()
	c := newConn()
	c.Proxied = &request.Proxied{netip.MustParseAddrPort("[2001:db8::1]:55"), netip.MustParseAddrPort("[2001:db8::2]:443")}
	r := parse(t, c, "GET / HTTP/1.1")
	r.Client, r.ClientPort, r.ClientText = netip.MustParseAddr("2001:db8::9"), 9, []byte("2001:db8::9")
	check(t, r, `
		remote_addr 2001:db8::9
		remote_port 9
		realip_remote_addr 192.0.2.7
		realip_remote_port 40001
		server_addr 198.51.100.1
		server_port 8080
		connection 7
		connection_requests 3
		proxy_protocol_addr 2001:db8::1
		proxy_protocol_port 55
		proxy_protocol_server_addr 2001:db8::2
		proxy_protocol_server_port 443
		hostname box
		pid 4711
		nginx_version 1.2.3
		weir_version 1.2.3
		connections_active 100
		connections_reading 1
		connections_writing 20
		connections_waiting 79
	`)
	table := newTable()
	if got := value(t, table, r, "binary_remote_addr"); got != "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09" {
		t.Errorf("binary IPv6 address %q", got)
	}
	r.Client = netip.MustParseAddr("1.2.3.4")
	if got := value(t, table, r, "binary_remote_addr"); got != "\x01\x02\x03\x04" {
		t.Errorf("binary IPv4 address %q", got)
	}
	unix := parse(t, &request.Conn{UnixPath: "/run/s", RemoteText: []byte("unix:")}, "GET / HTTP/1.1")
	check(t, unix, `
		remote_addr unix:
		remote_port
		binary_remote_addr unix:
		server_addr unix:/run/s
		server_port
		proxy_add_x_forwarded_for unix:
	`)
}

// tlsState gives the names of what it is asked.
type tlsState struct{}

func (tlsState) Value(name string) (string, bool) { return "<" + name + ">", name != "server_name" }
func (tlsState) Verified() string                 { return "NONE" }

func TestTLSVariables(t *testing.T) {
	t.Parallel()
	c := newConn()
	c.TLS = tlsState{}
	r := parse(t, c, "GET / HTTP/2.0")
	r.Version = request.HTTP20
	check(t, r, `
		scheme https
		https on
		http2 h2
		server_protocol HTTP/2.0
		ssl_protocol <protocol>
		ssl_client_s_dn <client_s_dn>
		ssl_client_v_remain <client_v_remain>
		ssl_server_name -
		ssl_client_verify NONE
	`)
}

func TestReplyVariables(t *testing.T) {
	t.Parallel()
	r := parse(t, newConn(), "GET / HTTP/1.1")
	p := &r.Reply
	p.Status, p.BodySent, p.Sent, p.Completed = 404, 12345, 12399, true
	p.ContentType, p.Location, p.ETag = []byte("text/html"), []byte("/x"), []byte(`"e"`)
	p.LastModified = time.Date(2026, 11, 3, 1, 2, 3, 0, time.FixedZone("", 3600))
	p.Length = 99
	p.Add("X-Add", []byte("one"))
	p.Add("x-add", []byte("two"))
	var up request.Head
	up.Add([]byte("X-Add"), []byte("three"))
	up.Add([]byte("X-Hidden"), []byte("no"))
	up.Fields[1].Skip = true
	p.Head = &up
	var trailers request.Head
	trailers.Add([]byte("X-Sum"), []byte("42"))
	p.Trailers = &trailers
	check(t, r, `
		status 404
		body_bytes_sent 12345
		bytes_sent 12399
		request_completion OK
		sent_http_content_type text/html
		sent_http_content_length 99
		sent_http_location /x
		sent_http_etag "e"
		sent_http_last_modified Tue, 03 Nov 2026 00:02:03 GMT
		sent_http_x_add one, two, three
		sent_http_x_hidden -
		sent_http_connection keep-alive
		sent_http_transfer_encoding -
		sent_trailer_x_sum 42
	`)
	p.Length, p.HeadSent, p.Close = -1, true, true
	check(t, r, `
		sent_http_content_length -
		sent_http_connection close
		sent_http_transfer_encoding chunked
	`)
	p.Status = 101
	check(t, r, "sent_http_connection upgrade")
}

func TestUpstreamVariables(t *testing.T) {
	t.Parallel()
	r := parse(t, newConn(), "GET / HTTP/1.1")
	r.Upstream.Add([]byte("X-Up"), []byte("a"))
	r.Upstream.Add([]byte("Set-Cookie"), []byte("sid=1; path=/"))
	r.Upstream.Add([]byte("X-Up"), []byte("b"))
	r.Upstream.Add([]byte("Set-Cookie"), []byte("s = 2;httponly"))
	r.Trailers.Add([]byte("X-Sum"), []byte("42"))
	const none = -1
	r.Attempts = []request.Attempt{
		{Addr: "127.0.0.1:1", Status: 502, Queue: 1500 * time.Millisecond, Connect: none, Header: none, Response: 3 * time.Millisecond},
		{Addr: "127.0.0.1:2", Queue: none, Connect: 1200 * time.Millisecond, Header: none, Response: none, Sent: 10},
		{Addr: "unix:/s", Status: 200, Queue: none, Connect: 0, Header: 45 * time.Millisecond, Response: 61001 * time.Millisecond,
			Sent: 162, Received: 189, Length: 4, Redirected: true, ServerName: "app"},
	}
	check(t, r, `
		upstream_addr 127.0.0.1:1, 127.0.0.1:2 : unix:/s
		upstream_status 502, - : 200
		upstream_queue_time 1.500, - : -
		upstream_connect_time -, 1.200 : 0.000
		upstream_header_time -, - : 0.045
		upstream_response_time 0.003, - : 61.001
		upstream_response_length 0, 0 : 4
		upstream_bytes_sent 0, 10 : 162
		upstream_bytes_received 0, 0 : 189
		upstream_last_server_name app
		upstream_http_x_up a, b
		upstream_http_X_UP a, b
		upstream_cookie_s 2
		upstream_cookie_sid 1
		upstream_cookie_x -
		upstream_trailer_x_sum 42
	`)
}

func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		table := newTable()
		r := parse(t, newConn(), "GET / HTTP/1.1")
		time.Sleep(1*time.Hour + 2345*time.Millisecond)
		now := time.Now()
		for name, want := range map[string]string{
			"request_time":    "3602.345",
			"connection_time": "3602.345",
			"msec":            strconv.FormatInt(now.Unix(), 10) + ".345",
			"time_local":      now.Format("02/Jan/2006:15:04:05 -0700"),
			"time_iso8601":    now.Format("2006-01-02T15:04:05-07:00"),
		} {
			if got := value(t, table, r, name); got != want {
				t.Errorf("$%s = %q, want %q", name, got, want)
			}
		}
		before := value(t, table, r, "time_local")
		time.Sleep(time.Second)
		if value(t, table, r, "time_local") == before {
			t.Error("the second does not pass")
		}
	})
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	table := newTable()
	r := parse(t, newConn(), "GET / HTTP/1.1")
	first := value(t, table, r, "request_id")
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(first) {
		t.Errorf("%q", first)
	}
	if again := value(t, table, r, "request_id"); again != first {
		t.Errorf("%q changed to %q", first, again)
	}
	if other := value(t, table, parse(t, newConn(), "GET / HTTP/1.1"), "request_id"); other == first {
		t.Errorf("two requests have %q", other)
	}
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	table := newTable()
	r := parse(t, newConn(), "GET /x?a=1 HTTP/1.1")
	r.Plain = true
	set := func(name, value string) {
		v, err := table.AddAssigned(name)
		if err != nil {
			t.Fatal(err)
		}
		v.Set(r, []byte(value))
	}
	set("args", "b=2")
	check(t, r, "args b=2\narg_b 2\nis_args ?\nrequest_uri /x?a=1")
	if r.Plain || !r.Changed {
		t.Error("the target still stands for the query")
	}
	for _, tt := range []struct {
		value string
		want  int64
		set   bool
	}{
		{"", 0, false}, {"100", 100, true}, {"4k", 4096, true}, {"2M", 2 << 20, true}, {"0", 0, true},
		{"-1", 0, false}, {"x", 0, false}, {"k", 0, false}, {"9223372036854775807k", 0, false},
	} {
		r.RateLimit, r.RateSet = 0, false
		set("limit_rate", tt.value)
		if r.RateLimit != tt.want || r.RateSet != tt.set {
			t.Errorf("set $limit_rate %q: %d %t", tt.value, r.RateLimit, r.RateSet)
		}
	}
	for _, name := range []string{"host", "uri", "status", "request_uri"} {
		if _, err := table.AddAssigned(name); err == nil {
			t.Errorf("$%s can be set", name)
		}
	}
}

func TestFileVariables(t *testing.T) {
	t.Parallel()
	table := newTable()
	root, err := variable.Compile(table, "/srv/$host")
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, newConn(), "GET /img/a.png HTTP/1.1\nHost: h")
	r.Root = root
	check(t, r, "document_root /srv/h\nrequest_filename /srv/h/img/a.png\nrealpath_root -")
	r.Alias, r.AliasCut = true, len("/img/")
	check(t, r, "request_filename /srv/ha.png")
	r.AliasCut = -1
	check(t, r, "request_filename /srv/h")
	r.Root, r.Alias = nil, false
	check(t, r, "document_root \nrequest_filename /img/a.png")
}

// wholeBody is a body that is here already.
type wholeBody struct{ request.BodySource }

func (wholeBody) Whole() ([]byte, bool) { return []byte("abc"), true }

func TestBodyVariables(t *testing.T) {
	t.Parallel()
	r := parse(t, newConn(), "POST / HTTP/1.1")
	r.Body.Framing, r.Body.Source, r.Body.Received = request.FramingChunked, wholeBody{}, 3
	check(t, r, "request_body abc\ncontent_length -\nrequest_length "+strconv.Itoa(len("POST / HTTP/1.1\r\n\r\n")+3))
	r.Body.Kept, r.Body.Memory, r.Body.Size = true, []byte("kept"), 4
	check(t, r, "request_body kept\ncontent_length 4")
}

func TestVariablesAllocateNothing(t *testing.T) {
	table := newTable()
	r := parse(t, newConn(), someHead)
	r.Attempts = []request.Attempt{{Addr: "127.0.0.1:1", Status: 200, Response: time.Second}}
	text, err := variable.Compile(table, `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent `+
		`"$http_referer" "$http_user_agent" $http_x_foo $request_time $upstream_addr $upstream_response_time $server_port `+
		`$host:$server_port $proxy_add_x_forwarded_for $cookie_d $arg_c $scheme $connection $msec $binary_remote_addr`)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 4096)
	n := testing.AllocsPerRun(100, func() {
		r.Arena().Reset()
		for i := range table.Slots() {
			*r.Memo(i) = variable.Memo{}
		}
		dst = text.Append(dst[:0], r)
	})
	if n > 0 {
		t.Errorf("%v allocations to write %q", n, dst)
	}
}
