package http1

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

// nginxLimits are nginx's defaults.
func nginxLimits() *Limits {
	return &Limits{LineSize: 8 << 10, FieldSize: 8 << 10, TotalSize: 32 << 10, MaxFields: 1000, IgnoreInvalid: true}
}

// crlf turns the "|" of a test's message into line ends.
func crlf(s string) string { return strings.ReplaceAll(s, "|", "\r\n") }

func TestParseRequestAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, method, target, host string }{
		{"origin form", "GET /a?b=c HTTP/1.1|Host: h||", "GET", "/a?b=c", "h"},
		{"body behind the head", "POST / HTTP/1.1|Host: h|Content-Length: 2||{}", "POST", "/", "h"},
		{"no fields in 1.0", "GET / HTTP/1.0||", "GET", "/", ""},
		{"later minor version", "GET / HTTP/1.9|Host: h||", "GET", "/", "h"},
		{"absolute form", "GET http://u.example:8080/p?q HTTP/1.1|Host: h||", "GET", "/p?q", "u.example:8080"},
		{"absolute form without path", "GET http://u HTTP/1.1|Host: h||", "GET", "/", "u"},
		{"absolute form, query only", "GET http://u?q HTTP/1.1|Host: h||", "GET", "?q", "u"},
		{"unknown scheme", "GET coap+tcp://u/ HTTP/1.1|Host: h||", "GET", "/", "u"},
		{"empty lines before", "|\n|GET / HTTP/1.1|Host: h||", "GET", "/", "h"},
		{"single LF as line end", "GET / HTTP/1.1\nHost: h\n\n", "GET", "/", "h"},
		{"mixed line ends", "GET / HTTP/1.1\nHost: h|\n", "GET", "/", "h"},
		{"own method", "MY-VERB_ / HTTP/1.1|Host: h||", "MY-VERB_", "/", "h"},
		{"bytes above ASCII in target", "GET /\xff\"<>{}|^`\\ HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "", "h"},
		{"white space around the value", "GET / HTTP/1.1|Host:\t h \t||", "GET", "/", "h"},
		{"no space behind the colon", "GET / HTTP/1.1|Host:h||", "GET", "/", "h"},
		{"tab within a value", "GET / HTTP/1.1|Host: h|A: b\tc||", "GET", "/", "h"},
		{"empty value", "GET / HTTP/1.1|Host: h|A:||", "GET", "/", "h"},
		{"odd name dropped", "GET / HTTP/1.1|a.b: 1|Host: h|c_d: 2|(: 3||", "GET", "/", "h"},
		{"other expectation passed over", "GET / HTTP/1.1|Host: h|Expect: wonders||", "GET", "/", "h"},
		{"host with port", "GET / HTTP/1.1|Host: h:||", "GET", "/", "h:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tt.in
			if tt.target == "" {
				tt.target = "/\xff\"<>{}|^`\\"
			} else {
				in = crlf(in)
			}
			var r request.Request
			n, err := ParseRequest(&r, []byte(in), nginxLimits())
			if err != nil {
				t.Fatal(err)
			}
			end := len(in)
			if i := strings.Index(in, "{}"); i > 0 && tt.method == "POST" {
				end = i
			}
			if n != end {
				t.Errorf("head ends at %d, want %d", n, end)
			}
			if got := string(r.MethodName()); got != tt.method {
				t.Errorf("method %q, want %q", got, tt.method)
			}
			if got := string(r.URI()); got != tt.target {
				t.Errorf("target %q, want %q", got, tt.target)
			}
			if got := string(r.Head.Bytes(r.HostRaw)); got != tt.host {
				t.Errorf("host %q, want %q", got, tt.host)
			}
			checkSplits(t, in[:n], n, 0)
		})
	}
}

func TestParseRequestRefuses(t *testing.T) {
	t.Parallel()
	const line, headers = " while reading client request line", " while reading client request headers"
	tests := []struct {
		name, in string
		status   int
		reason   string
	}{
		{"method in lower case", "get / HTTP/1.1|Host: h||", 400, "client sent invalid method" + line},
		{"no method", " / HTTP/1.1|Host: h||", 400, "client sent invalid method" + line},
		{"bytes of TLS", "\x16\x03\x01\x02\x00", 400, "client sent invalid method" + line},
		{"two spaces", "GET  / HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"tab as separator", "GET\t/ HTTP/1.1|Host: h||", 400, "client sent invalid method" + line},
		{"tab behind target", "GET /\tHTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"space behind version", "GET / HTTP/1.1 |Host: h||", 400, "client sent invalid request" + line},
		{"space in target", "GET /a b HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"NUL in target", "GET /\x00 HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"bare CR in the line", "GET / HTTP/1.1\rHost: h||", 400, "client sent invalid request" + line},
		{"bare CR before the line", "\rGET / HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"HTTP/0.9", "GET /|", 400, "client sent invalid request" + line},
		{"HTTP/0.9 by name", "GET / HTTP/0.9|Host: h||", 400, "client sent invalid request" + line},
		{"HTTP/2.0", "GET / HTTP/2.0|Host: h||", 505, "client sent invalid version" + line},
		{"no minor version", "GET / HTTP/1|Host: h||", 400, "client sent invalid request" + line},
		{"long minor version", "GET / HTTP/1.10|Host: h||", 400, "client sent invalid request" + line},
		{"version in lower case", "GET / http/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"asterisk form", "OPTIONS * HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"authority form", "CONNECT h:443 HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"CONNECT", "CONNECT / HTTP/1.1|Host: h||", 405, "client sent CONNECT method" + headers},
		{"TRACE", "TRACE / HTTP/1.1|Host: h||", 405, "client sent TRACE method" + headers},
		{"absolute form without host", "GET http:/// HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"user in absolute form", "GET http://me@h/ HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"fragment behind the host", "GET http://u#f HTTP/1.1|Host: h||", 400, "client sent invalid request" + line},
		{"no Host", "GET / HTTP/1.1|A: b||", 400, "client sent HTTP/1.1 request without \"Host\" header" + headers},
		{"no Host, absolute form", "GET http://h/ HTTP/1.1||", 400, "client sent HTTP/1.1 request without \"Host\" header" + headers},
		{"two Hosts", "GET / HTTP/1.1|Host: a|Host: b||", 400, `client sent duplicate host header: "Host", previous value: "a"` + headers},
		{"two equal Hosts", "GET / HTTP/1.1|Host: a|host: a||", 400, `client sent duplicate host header: "Host", previous value: "a"` + headers},
		{"empty Host", "GET / HTTP/1.1|Host:||", 400, "client sent invalid host header" + headers},
		{"space in Host", "GET / HTTP/1.1|Host: a b||", 400, "client sent invalid host header" + headers},
		{"slash in Host", "GET / HTTP/1.1|Host: a/b||", 400, "client sent invalid host header" + headers},
		{"bad Host beside absolute form", "GET http://h/ HTTP/1.1|Host: a/b||", 400, "client sent invalid host header" + headers},
		{"line without colon", "GET / HTTP/1.1|Host||", 400, `client sent invalid header line: "Host"` + headers},
		{"empty name", "GET / HTTP/1.1|: a||", 400, `client sent invalid header line: ": a"` + headers},
		{"space before colon", "GET / HTTP/1.1|Host : h||", 400, `client sent invalid header line: "Host : h"` + headers},
		{"space in name", "GET / HTTP/1.1|A b: h||", 400, `client sent invalid header line: "A b: h"` + headers},
		{"obs-fold", "GET / HTTP/1.1|Host: h|A: b| c||", 400, `client sent invalid header line: " c"` + headers},
		{"obs-fold with a tab first of all", "GET / HTTP/1.1|\tHost: h||", 400, `client sent invalid header line: "\tHost: h"` + headers},
		{"NUL in name", "GET / HTTP/1.1|A\x00: b||", 400, `client sent invalid header line: "A\x00: b"` + headers},
		{"NUL in value", "GET / HTTP/1.1|A: \x00b||", 400, `client sent invalid header line: "A: \x00b"` + headers},
		{"control byte in value", "GET / HTTP/1.1|A: \x1b[2J||", 400, `client sent invalid header line: "A: \x1b[2J"` + headers},
		{"DEL in value", "GET / HTTP/1.1|A: \x7f||", 400, `client sent invalid header line: "A: \x7f"` + headers},
		{"bare CR in value", "GET / HTTP/1.1|A: b\rc: d||", 400, `client sent invalid header line: "A: b"` + headers},
		{"bare CR in dropped field", "GET / HTTP/1.1|A_: b\rc: d||", 400, `client sent invalid header line: "A_: b"` + headers},
		{"CR CR LF at the end", "GET / HTTP/1.1|Host: h|\r\r\n", 400, `client sent invalid header line: ""` + headers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r request.Request
			in := crlf(tt.in)
			n, err := ParseRequest(&r, []byte(in), nginxLimits())
			if err == nil {
				t.Fatalf("accepted %d bytes", n)
			}
			if err.Status != tt.status || err.Reason != tt.reason || err.Source != request.Downstream {
				t.Errorf("got %d %s", err.Status, err.Reason)
			}
			checkSplits(t, in, 0, tt.status)
		})
	}
}

// checkSplits parses every beginning of a head: none but the whole may be
// taken, and an error is the same however early it is seen.
func checkSplits(t *testing.T, in string, n, status int) {
	t.Helper()
	var r request.Request
	for i := range len(in) + 1 {
		got, err := ParseRequest(&r, []byte(in[:i]), nginxLimits())
		switch {
		case err != nil && err.Status != status:
			t.Fatalf("after %d bytes: status %d, want %d: %s", i, err.Status, status, err)
		case err == nil && got != 0 && (i < n || got != n):
			t.Fatalf("after %d bytes: head of %d bytes, want %d", i, got, n)
		case err == nil && got == 0 && i == len(in):
			t.Fatalf("not complete after all %d bytes", i)
		}
	}
}

func TestRequestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		lim      Limits
		status   int
	}{
		{"line that just fits", "GET / HTTP/1.0||", Limits{LineSize: 16}, 0},
		{"line too long", "GET /a HTTP/1.0||", Limits{LineSize: 16}, 414},
		{"line too long, not complete", "GET /aaaaaaaaaaaaaaaaaaa", Limits{LineSize: 16}, 414},
		{"line as long as allowed, not complete", "GET /aaaaaaaaaaa", Limits{LineSize: 16}, 414},
		{"empty lines without end", strings.Repeat("|", 8), Limits{LineSize: 16}, 400},
		{"field that just fits", "GET / HTTP/1.0|A: bcd||", Limits{FieldSize: 8}, 0},
		{"field too long", "GET / HTTP/1.0|A: bcde||", Limits{FieldSize: 8}, 494},
		{"field too long, not complete", "GET / HTTP/1.0|A: bcdefghijk", Limits{FieldSize: 8}, 494},
		{"field as long as allowed, not complete", "GET / HTTP/1.0|A: bcdef", Limits{FieldSize: 8}, 494},
		{"dropped field too long", "GET / HTTP/1.0|A_: bcdefghijk||", Limits{FieldSize: 8, IgnoreInvalid: true}, 494},
		{"head that just fits", "GET / HTTP/1.0|A: b||", Limits{TotalSize: 24}, 0},
		{"head too large", "GET / HTTP/1.0|A: bc||", Limits{TotalSize: 24}, 494},
		{"head as large as allowed, not complete", "GET / HTTP/1.0|A: b|A:", Limits{TotalSize: 24}, 494},
		{"as many fields as allowed", "GET / HTTP/1.0|A: b|A: b||", Limits{MaxFields: 2}, 0},
		{"too many fields", "GET / HTTP/1.0|A: b|A: b|A: b||", Limits{MaxFields: 2}, 494},
		{"dropped fields count", "GET / HTTP/1.0|A_: b|A_: b|A: b||", Limits{MaxFields: 2, IgnoreInvalid: true}, 494},
		{"more fields than an index can hold", "GET / HTTP/1.0|" + strings.Repeat("A: b|", mostFields+1) + "|", Limits{}, 494},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r request.Request
			n, err := ParseRequest(&r, []byte(crlf(tt.in)), &tt.lim)
			status := 0
			if err != nil {
				status = err.Status
			}
			if status != tt.status || status == 0 && n == 0 {
				t.Errorf("status %d, head of %d bytes, want status %d (%v)", status, n, tt.status, err)
			}
		})
	}
}

func TestFieldNameRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                      string
		underscores, ignore, kept bool
		status                    int
	}{
		{"Plain-1", false, true, true, 0},
		{"under_score", false, true, false, 0},
		{"under_score", true, true, true, 0},
		{"under_score", false, false, true, 0},
		{"to.ken~", false, true, false, 0},
		{"to.ken~", false, false, true, 0},
		{"fore(ign", false, true, false, 0},
		{"fore(ign", false, false, false, 400},
		{"\xc3\xa4", true, true, false, 0},
		{"\xc3\xa4", true, false, false, 400},
	}
	for _, tt := range tests {
		lim := nginxLimits()
		lim.Underscores, lim.IgnoreInvalid = tt.underscores, tt.ignore
		var r request.Request
		in := "GET / HTTP/1.1\r\nHost: h\r\n" + tt.name + ": v\r\n\r\n"
		n, err := ParseRequest(&r, []byte(in), lim)
		if err != nil {
			if err.Status != tt.status {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		_, kept := r.Head.Find([]byte(tt.name))
		_, dropped := NextDropped(&r, 0)
		if tt.status != 0 || n != len(in) || kept != tt.kept || dropped == tt.kept {
			t.Errorf("%+v: n %d, kept %v, dropped %v", tt, n, kept, dropped)
		}
	}
}

func TestNextDropped(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"GET / HTTP/1.1|Host: h||", ""},
		{"|GET / HTTP/1.1|a_b: 1|Host: h||", "a_b: 1;"},
		{"GET / HTTP/1.1|Host: h|a_b: 1||rest_: of|", "a_b: 1;"},
		{"GET / HTTP/1.1|a_b: 1|c_d:\nHost: h|e_f: 3|X: y|g_h: 4\n||", "a_b: 1;c_d:;e_f: 3;g_h: 4;"},
		{"GET / HTTP/1.0|_: 1||", "_: 1;"},
	}
	for _, tt := range tests {
		var r request.Request
		if _, err := ParseRequest(&r, []byte(crlf(tt.in)), nginxLimits()); err != nil {
			t.Fatal(err)
		}
		got := ""
		for line, ok := NextDropped(&r, 0); ok; line, ok = NextDropped(&r, line.End) {
			got += string(r.Head.Bytes(line)) + ";"
		}
		if got != tt.want {
			t.Errorf("%q: dropped %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestLineOfRefusedRequest(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"get / HTTP/1.1\r\nHost: h\r\n\r\n": "get / HTTP/1.1",
		"\r\nGET  /":                        "GET  /",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n":   "GET / HTTP/1.1",
	} {
		var r request.Request
		if _, err := ParseRequest(&r, []byte(in), nginxLimits()); err == nil {
			t.Errorf("%q was accepted", in)
		}
		if got := string(r.Head.Bytes(r.Line)); got != want {
			t.Errorf("line of %q is %q, want %q", in, got, want)
		}
	}
}

// TestRequestIsUsedAgain sees to it that nothing of an earlier request stays.
func TestRequestIsUsedAgain(t *testing.T) {
	t.Parallel()
	var r request.Request
	first := crlf("POST http://u/ HTTP/1.0|Host: a|Content-Length: 4|Connection: keep-alive||")
	if _, err := ParseRequest(&r, []byte(first), nginxLimits()); err != nil {
		t.Fatal(err)
	}
	second := crlf("GET /b HTTP/1.1|Host: b||")
	n, err := ParseRequest(&r, []byte(second), nginxLimits())
	if err != nil || n != len(second) || r.Length != int64(n) {
		t.Fatalf("n %d, length %d, err %v", n, r.Length, err)
	}
	if r.Scheme.Len() != 0 || r.Body.Framing != request.FramingNone || r.Body.Length != 0 || r.Verb != request.VerbGet ||
		r.Version != request.HTTP11 || len(r.Head.Fields) != 1 || string(r.Head.Bytes(r.HostRaw)) != "b" {
		t.Errorf("left over: %+v", r)
	}
}
