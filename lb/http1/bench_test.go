package http1

import (
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

// smallRequest is what load generators send; browserRequest what browsers do.
const (
	smallRequest   = "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
	browserRequest = "GET /assets/application-3f2a.js?v=17 HTTP/1.1\r\n" +
		"Host: www.example.com\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" +
		"Accept-Language: en-US,en;q=0.5\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Referer: https://www.example.com/products/overview\r\n" +
		"Connection: keep-alive\r\n" +
		"Cookie: session=4f1c2e7a9b3d4e5f8a6b7c8d9e0f1a2b; theme=dark; seen=1\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"Sec-Fetch-Dest: document\r\n" +
		"Sec-Fetch-Mode: navigate\r\n" +
		"Sec-Fetch-Site: same-origin\r\n\r\n"
	nodeReply = "HTTP/1.1 200 OK\r\n" +
		"X-Powered-By: Express\r\n" +
		"Content-Type: text/html; charset=utf-8\r\n" +
		"Content-Length: 1024\r\n" +
		"ETag: W/\"400-abcdefghijklmnopqrstuvwxyz0\"\r\n" +
		"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" +
		"Connection: keep-alive\r\n" +
		"Keep-Alive: timeout=5\r\n\r\n"
)

// work is what is done over and over for messages.
func work(tb testing.TB) map[string]func() {
	lim := nginxLimits()
	var r request.Request
	var h request.Head
	var line ReplyLine
	var d Decoder
	var out []byte
	fail := func(what string) { tb.Fatal(what) }
	parse := func(in string) func() {
		buf := []byte(in)
		return func() {
			if n, err := ParseRequest(&r, buf, lim); n != len(buf) || err != nil {
				fail(in)
			}
		}
	}
	reply := []byte(nodeReply)
	readReply := func() {
		n, err := ParseReply(&h, &line, reply, lim)
		_, length, keep, framingErr := ReplyFraming(request.VerbGet, &line, &h)
		if n != len(reply) || err != nil || length != 1024 || !keep || framingErr != nil {
			fail(nodeReply)
		}
	}
	chunks := AppendLastChunk(AppendChunk(AppendChunk(nil, make([]byte, 1000)), make([]byte, 50)), nil)
	options := HeadOptions{Server: []byte("weir"), Date: []byte("Thu, 01 Jan 1970 00:00:00 GMT"), KeepAlive: true}
	path, host := []byte("/assets/application-3f2a.js"), []byte("www.example.com")
	return map[string]func(){
		"request/small":   parse(smallRequest),
		"request/browser": parse(browserRequest),
		"reply":           readReply,
		"head": func() {
			readReply()
			SkipHopByHop(&h)
			h.SkipAll(request.FieldDate)
			r.Reply = request.Reply{Status: line.Status, Reason: h.Bytes(line.Reason), Length: 1024, Head: &h}
			if out = AppendReplyHead(out[:0], &r, &options); len(out) < 200 {
				fail(string(out))
			}
		},
		"chunked": func() {
			d.Reset(request.FramingChunked, -1, nil, lim)
			for src := chunks; len(src) > 0; {
				_, used, err := d.Next(src)
				if err != nil {
					fail(err.Error())
				}
				src = src[used:]
			}
			if !d.Done() {
				fail("body without end")
			}
		},
		"target": func() {
			_, plain, err := DecodePath(nil, path, true)
			_, _, ok := NormalizeHost(nil, host)
			if !plain || err != nil || !ok {
				fail("target")
			}
		},
	}
}

func BenchmarkCodec(b *testing.B) {
	for name, f := range work(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// TestNoAllocations: well-formed messages cost no memory once the buffers have
// grown. It is not parallel, because it counts for the whole process.
func TestNoAllocations(t *testing.T) {
	for name, f := range work(t) {
		f()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
