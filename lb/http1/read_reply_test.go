package http1

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

func TestParseReplyAccepts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in      string
		version request.Version
		status  int
		reason  string
		fields  string // as they are written on
	}{
		{"HTTP/1.1 200 OK|A: b||", request.HTTP11, 200, "OK", "A: b|"},
		{"HTTP/1.0 404 Not Found||", request.HTTP10, 404, "Not Found", ""},
		{"HTTP/1.1 200||", request.HTTP11, 200, "", ""},
		{"HTTP/1.1 200 ||", request.HTTP11, 200, "", ""},
		{"HTTP/1.1 999 \xfcber  alles||", request.HTTP11, 999, "\xfcber  alles", ""},
		{"HTTP/1.1 200 OK\nA: b\nC: d\n\n", request.HTTP11, 200, "OK", "A: b|C: d|"},
		{"HTTP/1.1 200 OK|A :b|C\t: d||", request.HTTP11, 200, "OK", "A: b|C: d|"},
		{"HTTP/1.1 200 OK|a_b: c|d.e: f||", request.HTTP11, 200, "OK", "a_b: c|d.e: f|"},
	}
	for _, tt := range tests {
		var h request.Head
		var line ReplyLine
		in := strings.ReplaceAll(tt.in, "|", "\r\n")
		n, err := ParseReply(&h, &line, []byte(in), nginxLimits())
		if err != nil || n != len(in) {
			t.Errorf("%q: n %d, err %v", tt.in, n, err)
			continue
		}
		got := strings.ReplaceAll(string(h.AppendFields(nil)), "\r\n", "|")
		if line.Version != tt.version || line.Status != tt.status || string(h.Bytes(line.Reason)) != tt.reason || got != tt.fields {
			t.Errorf("%q: %+v %q, fields %q", tt.in, line, h.Bytes(line.Reason), got)
		}
		for i := range n {
			if m, err := ParseReply(&h, &line, []byte(in[:i]), nginxLimits()); m != 0 || err != nil {
				t.Errorf("%q: after %d bytes: n %d, err %v", tt.in, i, m, err)
			}
		}
	}
}

func TestParseReplyRefuses(t *testing.T) {
	t.Parallel()
	small := &Limits{LineSize: 32, FieldSize: 32, TotalSize: 32, MaxFields: 2}
	tests := []struct{ in, reason string }{
		{"<html>", "no valid HTTP/1.0 header"},
		{"ICY 200 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/2.0 200 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1  200 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1 20 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1 2000 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1 099 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1 200 O\x00K||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1 200 O\rK||", "no valid HTTP/1.0 header"},
		{"|HTTP/1.1 200 OK||", "no valid HTTP/1.0 header"},
		{"HTTP/1.1 200 OK|A||", "invalid header"},
		{"HTTP/1.1 200 OK|: a||", "invalid header"},
		{"HTTP/1.1 200 OK|A: b| c||", "invalid header"},
		{"HTTP/1.1 200 OK|A: b\x00||", "invalid header"},
		{"HTTP/1.1 200 OK|A: b\rC: d||", "invalid header"},
		{"HTTP/1.1 200 OK|A b: c||", "invalid header"},
		{"HTTP/1.1 200 OK|A(b): c||", "invalid header"},
		{"HTTP/1.1 200 a very long reason it is||", "too big header"},
		{"HTTP/1.1 200 a reason of 32 bytes", "too big header"},
		{"HTTP/1.1 200 OK|A: b|C: ddddddddddddd||", "too big header"},
		{"HTTP/1.1 200 OK|A:|B:|C:||", "too many header lines"},
	}
	for _, tt := range tests {
		var h request.Head
		var line ReplyLine
		n, err := ParseReply(&h, &line, []byte(crlf(tt.in)), small)
		if err == nil {
			t.Errorf("%q: accepted %d bytes", tt.in, n)
			continue
		}
		if err.Status != 502 || err.Source != request.Upstream || !strings.HasPrefix(err.Reason, "upstream sent "+tt.reason) {
			t.Errorf("%q: got %d %s", tt.in, err.Status, err)
		}
	}
}
