package http2

import (
	"bytes"
	"testing"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// FuzzClient gives a client with open exchanges any bytes, in two pieces: it
// must not fail, never hold more than its windows allow, and what it hands over
// must be fit for HTTP/1.
func FuzzClient(f *testing.F) {
	peer := newFar(&testing.T{}, "-")
	for _, frames := range [][]string{
		{"settings", "headers 1 :status=200 a=b", "data 1 abc", "data 3 end x", "headers 1 end x=y"},
		{"settings window=5 streams=1 frame=20000", "part 3 end :status=204", "continuation 3 a=b", "window 0 5", "window 1 6"},
		{"settings", "headers 1 :status=103 link=a", "rst 1 CANCEL", "goaway 1 NO_ERROR", "ping"},
		{"settings", "push 1", "headers 2 :status=200"},
	} {
		var wire []byte
		for _, text := range frames {
			wire = append(wire, peer.frame(text)...)
		}
		f.Add(wire, 20)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		m := newMemory()
		c := NewClient(m)
		var streams []*ClientStream
		for range 3 {
			if !c.Reserve(wire.Now(), &ClientLimits{}) {
				t.Fatal("no room")
			}
			s, _, err := c.Open(&Opening{Head: []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), Body: []byte("body")})
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		cut = max(0, min(cut, len(in)))
		err := c.Receive(in[:cut])
		if err == nil {
			err = c.Receive(in[cut:])
		}
		if err != nil {
			c.End(err)
		}
		for _, s := range streams {
			drain(t, s)
			s.Close()
		}
		if since, ok := c.Idle(); !ok || since == 0 {
			t.Error("not idle after the last exchange")
		}
	})
}

// drain takes all that came for an exchange.
func drain(t *testing.T, s *ClientStream) {
	var h request.Head
	for {
		status, err := s.Head(&h, nil)
		if err != nil || status == 0 {
			return
		}
		checkHead(t, &h)
		if status >= 200 {
			break
		}
	}
	total := 0
	for {
		p, done, err := s.Next()
		total += len(p)
		if length := s.Length(); length >= 0 && int64(total) > length && !s.bodyless {
			t.Errorf("%d bytes of %d", total, length)
		}
		if done {
			var trailers request.Head
			s.Trailers(&trailers, nil)
			checkHead(t, &trailers)
		}
		if done || err != nil || len(p) == 0 {
			return
		}
	}
}

func checkHead(t *testing.T, h *request.Head) {
	lines := bytes.Split(h.AppendFields(nil), []byte("\r\n"))
	if len(lines) != len(h.Fields)+1 {
		t.Errorf("%d lines of %d fields: %q", len(lines)-1, len(h.Fields), h.Buf)
	}
	for i := range h.Fields {
		f := &h.Fields[i]
		if len(h.Name(f)) == 0 || bytes.ContainsAny(h.Name(f), " :\r\n\x00") || bytes.ContainsAny(h.Value(f), "\r\n\x00") {
			t.Errorf("field %q: %q", h.Name(f), h.Value(f))
		}
	}
}
