package http2

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2/hpack"

	"github.com/weir-lb/weir/lb/request"
)

// FuzzServer feeds a connection with whatever may come: nothing panics, every
// stream ends with the connection, what it sends is well-formed, and memory
// stays within bounds.
func FuzzServer(f *testing.F) {
	r := &rig{t: f}
	r.enc = hpack.NewEncoder(&r.block)
	for _, words := range []string{
		"H1e get", "H1 post; D1 abc; D1e def", "H1+ get; C1 a=b; D1e", "P 1; S 4=0 1=0; W0 5; R1 8", "H1 post content-length=3; D1e ab; H3e get; W3 1",
		"H1 :method=CONNECT :protocol=websocket :scheme=https :path=/ :authority=a; D1 hello; D1e", "H1 post; H1e x=y; H3 post; R3 8",
	} {
		var wire []byte
		for word := range strings.SplitSeq(words, "; ") {
			wire = r.append(wire, word)
		}
		f.Add(wire, uint16(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, func(s *ServerStream) {
				s.Hold = 1 << 10
				echo(s)
				_ = s.Finish()
			})
			r.start()
			for len(data) > 0 {
				n := min(len(data), int(size)+1)
				if err := r.c.Receive(data[:n]); err != nil {
					r.c.Fail(err)
					break
				}
				data = data[n:]
				r.c.Flush()
				synctest.Wait()
				r.told() // fails where it cannot be read
			}
			r.c.mu.Lock()
			if len(r.c.streams) > limits().MaxStreams || r.c.running > 2*limits().MaxStreams || r.c.output.size() > 4*outputFull {
				t.Errorf("%d streams, %d in work, %d bytes to send", len(r.c.streams), r.c.running, r.c.output.size())
			}
			r.c.mu.Unlock()
			r.c.Fail(io.EOF)
			r.c.Wait()
			if len(r.c.streams) > 0 || r.c.queue.n > 0 {
				t.Errorf("%d streams and %d in the queue after the end", len(r.c.streams), r.c.queue.n)
			}
		})
	})
}

// FuzzHead makes requests of any fields: what passes is a head that HTTP/1
// reads in the same way, line by line.
func FuzzHead(f *testing.F) {
	f.Add("GET", "/", "a", "x-a", "b", "cookie", "c=d")
	f.Add("POST", "/a?b#c", "a:80", "content-length", "3", "te", "trailers")
	f.Add("GET", "/\r\nx: y", "a\nb", "host", "a", "Upper", "\x00")
	f.Fuzz(func(t *testing.T, method, path, authority, n1, v1, n2, v2 string) {
		synctest.Test(t, func(t *testing.T) {
			var lines []string
			r := newRig(t, func(s *ServerStream) {
				if !s.TooLarge {
					lines = headLines(t, s.Request)
				}
				answer(s, "")
			})
			r.start()
			r.block.Reset()
			for _, h := range []hpack.HeaderField{
				{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: path},
				{Name: ":authority", Value: authority}, {Name: n1, Value: v1}, {Name: n2, Value: v2},
			} {
				_ = r.enc.WriteField(h) // a buffer takes anything
			}
			h := FrameHead{Length: r.block.Len(), Type: FrameHeaders, Flags: FlagEndHeaders, Stream: 1}
			if h.Length > DefaultFrameSize {
				return
			}
			if err := r.c.Receive(append(AppendFrameHead(nil, h), r.block.Bytes()...)); err != nil {
				r.c.Fail(err)
			}
			synctest.Wait()
			if lines == nil || method == "CONNECT" {
				return
			}
			if want := method + " " + path + " HTTP/2.0"; lines[0] != want {
				t.Errorf("request line %q, want %q", lines[0], want)
			}
			for _, line := range lines[1:] {
				name, value, ok := strings.Cut(line, ": ")
				if !ok || classOfName(name)&nameBad != 0 || !validValue(value) || isConnectionSpecific(name) {
					t.Errorf("line %q", line)
				}
			}
		})
	})
}

// headLines parts a head at its line ends, and holds that its spans say the
// same.
func headLines(t *testing.T, r *request.Request) []string {
	h := &r.Head
	text, ok := bytes.CutSuffix(h.Buf, []byte("\r\n"))
	lines := strings.Split(string(text), "\r\n")
	if !ok || len(lines) != 1+len(h.Fields) || string(h.Bytes(r.Line)) != lines[0] {
		t.Fatalf("head %q with %d fields", h.Buf, len(h.Fields))
	}
	for i := range h.Fields {
		f := &h.Fields[i]
		if string(h.Name(f))+": "+string(h.Value(f)) != lines[i+1] {
			t.Errorf("field %q: %q, but the line %q", h.Name(f), h.Value(f), lines[i+1])
		}
	}
	return lines
}
