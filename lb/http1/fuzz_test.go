package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

// seeds are messages at the edges, for all fuzz targets of requests.
var seeds = []string{
	"GET / HTTP/1.1|Host: h||",
	"|GET http://u:80/%2e?q#f HTTP/1.1\nHost: h\n\n",
	"POST / HTTP/1.1|Host: h|Content-Length: 5||helloGET / HTTP/1.1|Host: h||",
	"POST / HTTP/1.1|Host: h|Transfer-Encoding: chunked||5;a=b|hello|0|A: b||GET /",
	"POST / HTTP/1.1|Host: h|Transfer-Encoding:\tChunked |X_Y: z||3 |abc|0||",
	"POST / HTTP/1.1|Host: h|Content-Length: 5|Transfer-Encoding: chunked||0||",
	"POST / HTTP/1.0|Content-Length: 007|Connection: keep-alive||1234567",
	"GET / HTTP/1.1|Host : h|A: b| c||",
	"GET / HTTP/1.1|Host: h\x00|A: b\rc||",
	"A /#00000% HTTP/1.0|0000:0||",
}

// fuzzLimits are small, so that their edges are reached.
func fuzzLimits() *Limits {
	return &Limits{LineSize: 200, FieldSize: 100, TotalSize: 400, MaxFields: 10, IgnoreInvalid: true}
}

// FuzzParseRequest looks at every beginning of the bytes: the outcome must be
// the same as for all of them, and all spans must lie within the head.
func FuzzParseRequest(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, part request.Request
		n, err := ParseRequest(&whole, in, fuzzLimits())
		if n < 0 || n > len(in) || err != nil && n != 0 {
			t.Fatalf("n %d of %d, err %v", n, len(in), err)
		}
		for i := range min(len(in), 1000) {
			m, early := ParseRequest(&part, in[:i], fuzzLimits())
			if early != nil && (err == nil || early.Status != err.Status) {
				t.Fatalf("after %d bytes: %v, after all: %v", i, early, err)
			}
			if m != 0 && (m != n || i < n) {
				t.Fatalf("after %d bytes: head of %d, after all: %d", i, m, n)
			}
		}
		if n == 0 {
			return
		}
		checkSpans(t, &whole.Head, n)
		for line, ok := NextDropped(&whole, 0); ok; line, ok = NextDropped(&whole, line.End) {
			if line.Len() == 0 || int(line.End) >= n {
				t.Fatalf("dropped line %v", line)
			}
		}
		host, _, ok := NormalizeHost(nil, whole.Head.Bytes(whole.HostRaw))
		if whole.HostRaw.Len() > 0 && (!ok || len(host) == 0) {
			t.Fatalf("host %q", host)
		}
	})
}

// checkSpans sees to it that no field has a byte that could end it.
func checkSpans(t *testing.T, h *request.Head, n int) {
	t.Helper()
	at := uint32(0)
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name.Off < at || f.Name.Len() == 0 || f.Value.Off <= f.Name.End || f.LineEnd <= f.Value.End || int(f.LineEnd) > n {
			t.Fatalf("field %+v, head of %d", f, n)
		}
		if bytes.ContainsAny(h.Name(f), "\r\n\x00 :") || bytes.ContainsAny(h.Value(f), "\r\n\x00") {
			t.Fatalf("%q: %q", h.Name(f), h.Value(f))
		}
		at = f.LineEnd
	}
	// What is written on must be read as the same fields again.
	var again request.Head
	var line ReplyLine
	out := append([]byte("HTTP/1.1 200 OK\r\n"), h.AppendFields(nil)...)
	if _, err := ParseReply(&again, &line, append(out, "\r\n"...), &Limits{}); err != nil || len(again.Fields) != len(h.Fields) {
		t.Fatalf("%d fields became %d: %v", len(h.Fields), len(again.Fields), err)
	}
	for i := range again.Fields {
		if !bytes.Equal(again.Value(&again.Fields[i]), h.Value(&h.Fields[i])) {
			t.Fatalf("field %d became another", i)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK|A: b||", "HTTP/1.0 404|A :b\n\n", "HTTP/1.1 204 |Content-Length: 0||", "HTTP/0.9 x"} {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var h request.Head
		var line ReplyLine
		for i := range min(len(in), 1000) {
			if n, err := ParseReply(&h, &line, in[:i], fuzzLimits()); n > i || err != nil && n != 0 {
				t.Fatalf("after %d bytes: n %d, err %v", i, n, err)
			}
		}
		n, err := ParseReply(&h, &line, in, fuzzLimits())
		if err != nil || n == 0 {
			return
		}
		checkSpans(t, &h, n)
		framing, length, keep, err := ReplyFraming(request.VerbGet, &line, &h)
		if err == nil && (line.Status < 100 || line.Status > 999 || keep && framing == request.FramingUntilClose || framing == request.FramingLength && length <= 0) {
			t.Fatalf("status %d, framing %d, length %d", line.Status, framing, length)
		}
	})
}

// FuzzDecoder compares a chunked body that arrives whole with the same body
// byte by byte.
func FuzzDecoder(f *testing.F) {
	for _, s := range []string{"5;a=b|hello|0|A: b||rest", "1 |a|0||", "8000000000000000|", "0|A: b\n|"} {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, bytewise Decoder
		var trailers, trailersBytewise request.Head
		whole.Reset(request.FramingChunked, -1, &trailers, fuzzLimits())
		bytewise.Reset(request.FramingChunked, -1, &trailersBytewise, fuzzLimits())
		body, rest, err := decode(&whole, in, len(in)+1)
		body2, rest2, err2 := decode(&bytewise, in, 1)
		if body != body2 || string(rest) != string(rest2) || err != err2 || whole.Done() != bytewise.Done() {
			t.Fatalf("%q %q %v, byte by byte %q %q %v", body, rest, err, body2, rest2, err2)
		}
		if string(trailers.AppendFields(nil)) != string(trailersBytewise.AppendFields(nil)) {
			t.Fatal("trailers differ")
		}
	})
}

// FuzzAgainstNetHTTP sees to it that what weir accepts ends, and means, the
// same for Go's standard library; weir may only be the stricter one.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var r request.Request
		n, parseErr := ParseRequest(&r, in, fuzzLimits())
		if parseErr != nil || n == 0 || beyondNetHTTP(&r) {
			return
		}
		var d Decoder
		d.Reset(r.Body.Framing, r.Body.Length, nil, fuzzLimits())
		body, rest, err := decode(&d, in[n:], len(in))
		if err != nil || !d.Done() || blankInChunkLine(in[n:len(in)-len(rest)]) {
			return
		}
		reader := bufio.NewReaderSize(bytes.NewReader(in[r.Line.Off:]), 1<<16)
		std, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("net/http refuses the head: %v", err)
		}
		stdBody, err := io.ReadAll(std.Body)
		if err != nil {
			t.Fatalf("net/http refuses the body: %v", err)
		}
		stdRest, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if string(stdBody) != body || string(stdRest) != string(rest) {
			t.Fatalf("body %q, rest %q; net/http: body %q, rest %q", body, rest, stdBody, stdRest)
		}
		if std.Method != string(r.MethodName()) || std.Host != string(r.Head.Bytes(r.HostRaw)) {
			t.Fatalf("net/http has method %q, host %q", std.Method, std.Host)
		}
		if std.ContentLength != r.Body.Length {
			t.Fatalf("length %d, in net/http %d", r.Body.Length, std.ContentLength)
		}
	})
}

// beyondNetHTTP tells of requests that are good, but that net/http refuses for
// reasons of its own.
func beyondNetHTTP(r *request.Request) bool {
	path, _, _ := SplitTarget(r.URI())
	_, _, err := DecodePath(nil, path, false)
	_, fragment, _ := bytes.Cut(r.URI(), []byte("#"))
	_, dropped := NextDropped(r, 0)
	return err != nil || // it decodes the path at once
		bytes.IndexByte(fragment, '%') >= 0 || // and the fragment, which weir leaves off
		dropped || // it does not drop fields, but refuses or keeps them
		r.Scheme.Len() > 0 && r.Head.Bytes(r.HostRaw)[0] == '[' || // it checks the sense of an IPv6 address
		r.Head.Has(request.FieldTrailer) // it refuses names that weir does not pass on
}

// blankInChunkLine: white space before an extension is to be removed (RFC
// 9112, 7.1.1), which net/http does not do.
func blankInChunkLine(body []byte) bool {
	return bytes.Contains(body, []byte(" ;")) || bytes.Contains(body, []byte("\t;"))
}

// FuzzChunkedAgainstNetHTTP compares chunked replies in the same way.
func FuzzChunkedAgainstNetHTTP(f *testing.F) {
	for _, s := range []string{"5;a=b|hello|0|A: b||", "001|a|0||", "1;|a|0||"} {
		f.Add([]byte(crlf(s)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var d Decoder
		d.Reset(request.FramingChunked, -1, nil, fuzzLimits())
		body, rest, err := decode(&d, in, len(in)+1)
		if err != nil || !d.Done() || blankInChunkLine(in) {
			return
		}
		head := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		reader := bufio.NewReaderSize(io.MultiReader(strings.NewReader(head), bytes.NewReader(in)), 1<<16)
		std, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		stdBody, err := io.ReadAll(std.Body)
		stdRest, restErr := io.ReadAll(reader)
		if err := errors.Join(err, restErr); err != nil || string(stdBody) != body || string(stdRest) != string(rest) {
			t.Fatalf("body %q, rest %q; net/http: body %q, rest %q, err %v", body, rest, stdBody, stdRest, err)
		}
	})
}

// FuzzDecodePath: a normalised path stays as it is, and never leads upwards.
func FuzzDecodePath(f *testing.F) {
	for _, s := range []string{"/", "/a/%2e%2e/b", "//a/./..", "/%2f..%2f", "/a%00", "/%"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, merge bool) {
		if len(raw) > 0 && raw[0] != '/' {
			return
		}
		path, plain, err := DecodePath(nil, raw, merge)
		if err != nil {
			return
		}
		if len(path) == 0 || path[0] != '/' || plain != bytes.Equal(path, raw) {
			t.Fatalf("%q, plain %v", path, plain)
		}
		if merge && bytes.Contains(path, []byte("//")) {
			t.Fatalf("slashes in %q", path)
		}
		for segment := range bytes.SplitSeq(path, []byte("/")) {
			if s := string(segment); s == "." || s == ".." {
				t.Fatalf("dots in %q", path)
			}
		}
	})
}
