package http1

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

// decode feeds src to a decoder in parts of the given size. It returns the
// body and what was not used.
func decode(d *Decoder, src []byte, size int) (body string, rest []byte, err error) {
	var out []byte
	held := []byte(nil)
	for len(src) > 0 && !d.Done() {
		n := min(size, len(src))
		held, src = append(held, src[:n]...), src[n:]
		for len(held) > 0 && !d.Done() {
			piece, used, err := d.Next(held)
			out = append(out, piece...)
			if err != nil {
				return string(out), nil, err
			}
			if used == 0 && !d.Done() {
				return string(out), nil, errors.New("no progress")
			}
			held = held[used:]
		}
	}
	return string(out), append(held, src...), nil
}

func TestChunkedBody(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxExtension)
	tests := []struct {
		name, in, body, trailers, rest string
		err                            error
	}{
		{"empty", "0||", "", "", "", nil},
		{"one chunk", "5|hello|0||", "hello", "", "", nil},
		{"more chunks", "1|a|a|bcdefghijk|0||", "abcdefghijk", "", "", nil},
		{"size in any case", "a|0123456789|A|0123456789|0||", "01234567890123456789", "", "", nil},
		{"leading zeros", "0001|a|000||", "a", "", "", nil},
		{"what comes behind stays", "1|a|0||GET /", "a", "", "GET /", nil},
		{"line ends as data", "4||||0||", "\r\n\r\n", "", "", nil},
		{"extensions", "1;a|a|1;b=c;d=\"e;f\"|b|0;last||", "ab", "", "", nil},
		{"white space before an extension", "1 ;a|a|1\t|b|0 ||", "ab", "", "", nil},
		{"trailers", "1|a|0|X-Sum: 1|Y:\t2 ||", "a", "X-Sum: 1|Y: 2|", "", nil},
		{"trailers that may not be", "0|Content-Length: 5|Host: h|X: y|Transfer-Encoding: chunked|Set-Cookie: c||", "", "X: y|", "", nil},
		{"not complete", "5|he", "he", "", "", io.ErrUnexpectedEOF},
		{"end is missing", "1|a|0|", "a", "", "", io.ErrUnexpectedEOF},
		{"nothing at all", "", "", "", "", io.ErrUnexpectedEOF},
		{"no size", "|a|0||", "", "", "", ErrChunkSize},
		{"only an extension", ";a|a|0||", "", "", "", ErrChunkSize},
		{"size with a sign", "+1|a|0||", "", "", "", ErrChunkSize},
		{"negative size", "-1|a|0||", "", "", "", ErrChunkSize},
		{"size with 0x", "0x1|a|0||", "", "", "", ErrChunkSize},
		{"size with a digit separator", "1_0|a|0||", "", "", "", ErrChunkSize},
		{"space before size", " 1|a|0||", "", "", "", ErrChunkSize},
		{"two sizes", "1 1|a|0||", "", "", "", ErrChunkSize},
		{"not hexadecimal", "g|a|0||", "", "", "", ErrChunkSize},
		{"largest size", "7fffffffffffffff|a", "a", "", "", io.ErrUnexpectedEOF},
		{"size beyond 63 bits", "8000000000000000|a|0||", "", "", "", ErrChunkSize},
		{"size beyond 64 bits", "10000000000000001|a|0||", "", "", "", ErrChunkSize},
		{"zeros without end", "00000000000000001|a|0||", "", "", "", ErrChunkSize},
		{"bare LF behind size", "1\na|0||", "", "", "", ErrChunkSize},
		{"bare CR behind size", "1\ra|0||", "", "", "", ErrChunkSize},
		{"bare LF in extension", "1;a\na|0||", "", "", "", ErrExtension},
		{"bare LF in quoted extension", "1;a=\"\n\"|a|0||", "", "", "", ErrExtension},
		{"bare CR in extension", "1;a\rb|a|0||", "", "", "", ErrChunkSize},
		{"NUL in extension", "1;\x00|a|0||", "", "", "", ErrExtension},
		{"extension too long", "1;" + long + "|a|0||", "", "", "", ErrExtension},
		{"extensions too long together", strings.Repeat("1;"+long[:maxExtension/4]+"|a|", 8), "aaaa", "", "", ErrExtension},
		{"data longer than size", "1|ab|0||", "a", "", "", ErrChunkLine},
		{"bare LF behind data", "1|a\n0||", "a", "", "", ErrChunkLine},
		{"bare CR behind data", "1|a\r0||", "a", "", "", ErrChunkLine},
		{"bare LF at the end", "0|\n", "", "", "", ErrTrailer},
		{"bare LF in trailers", "0|A: b\n|", "", "", "", ErrTrailer},
		{"trailer without colon", "0|A||", "", "", "", ErrTrailer},
		{"white space before the colon of a trailer", "0|A : b||", "", "", "", ErrTrailer},
		{"obs-fold in trailers", "0|A: b| c||", "", "", "", ErrTrailer},
		{"trailers too large", "0|A: " + strings.Repeat("x", 100) + "||", "", "", "", ErrTooLarge},
		{"trailers too large, without end", "0|A: " + strings.Repeat("x", 100), "", "", "", ErrTooLarge},
		{"too many trailers", "0|A:|B:|C:|D:||", "", "", "", ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 7, 1 << 20} {
				var d Decoder
				var trailers request.Head
				d.Reset(request.FramingChunked, -1, &trailers, &Limits{TotalSize: 90, MaxFields: 5, FieldSize: 64})
				if tt.err == ErrTooLarge {
					d.Reset(request.FramingChunked, -1, &trailers, &Limits{TotalSize: 64, MaxFields: 3})
				}
				body, rest, err := decode(&d, []byte(crlf(tt.in)), size)
				if err == nil {
					err = d.Close()
				}
				if body != tt.body || !errors.Is(err, tt.err) || err == nil && string(rest) != crlf(tt.rest) {
					t.Fatalf("in parts of %d: body %q, rest %q, err %v", size, body, rest, err)
				}
				if got := string(trailers.AppendFields(nil)); err == nil && got != crlf(tt.trailers) {
					t.Errorf("in parts of %d: trailers %q", size, got)
				}
			}
		})
	}
}

// TestTrailersUnwanted sees to it that they are checked all the same.
func TestTrailersUnwanted(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]error{"0|A: b||": nil, "0|A : b||": ErrTrailer} {
		var d Decoder
		d.Reset(request.FramingChunked, -1, nil, nginxLimits())
		if _, _, err := decode(&d, []byte(crlf(in)), 100); err != want {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestExtensionsOfLongBody: what is small beside the body has no end.
func TestExtensionsOfLongBody(t *testing.T) {
	t.Parallel()
	chunk := crlf("100;sign=" + strings.Repeat("s", 64) + "|" + strings.Repeat("x", 256) + "|")
	var d Decoder
	d.Reset(request.FramingChunked, -1, nil, nginxLimits())
	body, _, err := decode(&d, []byte(strings.Repeat(chunk, 1000)+"0\r\n\r\n"), 1<<20)
	if err != nil || !d.Done() || len(body) != 256000 {
		t.Errorf("%d bytes, done %v, err %v", len(body), d.Done(), err)
	}
}

func TestPlainBodies(t *testing.T) {
	t.Parallel()
	const length, untilClose = request.FramingLength, request.FramingUntilClose
	tests := []struct {
		framing        request.Framing
		length         int64
		in, body, rest string
		err            error
	}{
		{request.FramingNone, 0, "GET", "", "GET", nil},
		{length, 0, "GET", "", "GET", nil},
		{length, 3, "abcGET", "abc", "GET", nil},
		{length, 3, "ab", "ab", "", io.ErrUnexpectedEOF},
		{untilClose, -1, "abc", "abc", "", nil},
		{untilClose, -1, "", "", "", nil},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 2, 100} {
			var d Decoder
			d.Reset(tt.framing, tt.length, nil, nginxLimits())
			body, rest, err := decode(&d, []byte(tt.in), size)
			if err == nil {
				err = d.Close()
			}
			if body != tt.body || string(rest) != tt.rest || err != tt.err {
				t.Errorf("%+v in parts of %d: body %q, rest %q, err %v", tt, size, body, rest, err)
			}
			if err == nil && !d.Done() {
				t.Errorf("%+v: not done after Close", tt)
			}
		}
	}
}

func TestAdvance(t *testing.T) {
	t.Parallel()
	var d Decoder
	d.Reset(request.FramingLength, 10, nil, nginxLimits())
	if _, _, err := d.Next([]byte("abc")); err != nil || d.Left() != 7 {
		t.Fatalf("left %d, err %v", d.Left(), err)
	}
	d.Advance(6)
	if d.Left() != 1 || d.Done() || d.Close() == nil {
		t.Errorf("left %d, done %v", d.Left(), d.Done())
	}
	d.Advance(1)
	if d.Left() != 0 || !d.Done() || d.Close() != nil {
		t.Errorf("left %d, done %v", d.Left(), d.Done())
	}
}

func TestAppendChunk(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "1", 15: "f", 16: "10", 255: "ff", 4096: "1000", 1<<31 - 1: "7fffffff", 1<<63 - 1: "7fffffffffffffff"} {
		got := string(AppendChunkHead(nil, n))
		if got != want+"\r\n" || len(got)+len(ChunkTail) > ChunkOverhead {
			t.Errorf("head of %d bytes: %q", n, got)
		}
	}
	var trailers request.Head
	trailers.Reset(nil)
	trailers.Add([]byte("A"), []byte("b"))
	got := AppendLastChunk(AppendChunk(AppendChunk(nil, nil), []byte("hello")), &trailers)
	if string(got) != "5\r\nhello\r\n0\r\nA: b\r\n\r\n" {
		t.Errorf("got %q", got)
	}
	if got := AppendLastChunk(nil, nil); string(got) != "0\r\n\r\n" {
		t.Errorf("got %q", got)
	}
}
