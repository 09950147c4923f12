//go:build !race

package http2

import (
	"testing"

	"github.com/weir-lb/weir/lb/request"
	"github.com/weir-lb/weir/lb/wire"
)

// TestClientAllocations: an exchange whose fields both sides know allocates
// nothing.
func TestClientAllocations(t *testing.T) {
	f := newFar(t, "")
	head := []byte("GET /path HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
	status := f.frame("headers 1 :status=200")
	body := f.frame("data 1 end hello")
	limits := &ClientLimits{}
	var h request.Head
	buf := make([]byte, 0, 4096)
	exchange := func() {
		if !f.c.Reserve(wire.Now(), limits) {
			t.Fatal("no room")
		}
		s, _, err := f.c.Open(&Opening{Head: head, End: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range [][]byte{status, body} {
			frame[5], frame[6], frame[7], frame[8] = byte(s.id>>24), byte(s.id>>16), byte(s.id>>8), byte(s.id)
			if err := f.c.Receive(frame); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Wait(); err != nil {
			t.Fatal(err)
		}
		if status, err := s.Head(&h, buf); status != 200 || err != nil {
			t.Fatal(status, err)
		}
		if p, done, err := s.Next(); string(p) != "hello" || !done || err != nil {
			t.Fatalf("%q %v %v", p, done, err)
		}
		s.Close()
		f.m.out.Reset()
	}
	for range 10 {
		exchange()
	}
	if n := testing.AllocsPerRun(200, exchange); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
