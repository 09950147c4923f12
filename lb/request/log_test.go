package request

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/lb/errorlog"
)

// logged returns a request whose error log lands in the string.
func logged(level errorlog.Level) (*Request, *string) {
	out := new(string)
	r := &Request{}
	r.Reset(&Conn{Number: 7, Remote: netip.MustParseAddrPort("192.0.2.1:5000"), RemoteText: []byte("192.0.2.1")}, 0)
	r.Log = errorlog.NewFunc(level, func(l errorlog.Level, conn uint64, message string) {
		*out += l.String() + " " + string(rune('0'+conn)) + " " + message
	})
	return r, out
}

func setLine(r *Request, line string) {
	r.Head.Buf = append(r.Head.Buf, line...)
	r.Line = Span{0, uint32(len(line))}
}

func TestLogErrorContext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		fill func(r *Request)
		want string
	}{
		{"before the request line", func(*Request) {}, ``},
		{"whole", func(r *Request) {
			setLine(r, "GET /a HTTP/1.1")
			r.Head.Add([]byte("host"), []byte("Example.com:80"))
		}, `, request: "GET /a HTTP/1.1", host: "Example.com:80"`},
		{"proxied", func(r *Request) {
			setLine(r, "GET /a HTTP/1.1")
			r.Head.Add([]byte("Referer"), []byte("http://x/"))
			r.Head.Add([]byte("Host"), []byte("a"))
			r.Proxying = []byte("http://127.0.0.1:8080/a")
		}, `, request: "GET /a HTTP/1.1", upstream: "http://127.0.0.1:8080/a", host: "a", referrer: "http://x/"`},
		{"no host", func(r *Request) { setLine(r, "GET / HTTP/1.0") }, `, request: "GET / HTTP/1.0"`},
	}
	for _, test := range tests {
		r, out := logged(errorlog.Error)
		r.ServerName = []byte("www.example.com")
		test.fill(r)
		r.LogError(errorlog.Error, "it failed")
		want := "error 7 it failed, client: 192.0.2.1, server: www.example.com" + test.want
		if *out != want {
			t.Errorf("%s: got  %s\nwant %s", test.name, *out, want)
		}
	}
}

func TestLogLevel(t *testing.T) {
	r, out := logged(errorlog.Warn)
	r.LogError(errorlog.Notice, "quiet")
	r.Logf(errorlog.Notice, "quiet %d", 1)
	if *out != "" || r.LogEnabled(errorlog.Notice) {
		t.Errorf("a notice was written at level warn: %q", *out)
	}
	r.Logf(errorlog.Warn, "loud %d", 1)
	if *out != "warn 7 loud 1, client: 192.0.2.1, server: " {
		t.Errorf("got %q", *out)
	}
	r.Log = nil
	r.LogError(errorlog.Emerg, "dropped")
	if n := testing.AllocsPerRun(100, func() { r.LogError(errorlog.Debug, "not written") }); n != 0 {
		t.Errorf("a line that is not written costs %v allocations", n)
	}
}
