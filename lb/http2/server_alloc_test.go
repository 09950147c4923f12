//go:build !race

package http2

import (
	"testing"

	"github.com/weir-lb/weir/lb/request"
)

// still is a host and a wire that allocate nothing.
type still struct {
	s     *ServerStream
	done  chan struct{}
	bytes int
}

func (h *still) Open() *ServerStream {
	h.s.Request.Reset(h.s.Request.Conn, 0)
	return h.s
}

func (h *still) Serve(s *ServerStream) { answer(s, "a reply") }
func (h *still) Release(*ServerStream) { h.done <- struct{}{} }
func (h *still) Refused(string)        {}
func (h *still) Wake()                 {}

func (h *still) Offer(p []byte) (int, error) {
	h.bytes += len(p)
	return len(p), nil
}

func (h *still) Pending() bool      { return false }
func (h *still) Write([]byte) error { return nil }

// A request whose fields are in the tables costs no allocation, from its frame
// to the last byte of its reply.
func TestServerAllocatesNothing(t *testing.T) {
	h := &still{s: &ServerStream{Request: &request.Request{}}, done: make(chan struct{}, 1)}
	h.s.Request.Reset(&request.Conn{}, 0)
	workers := &Workers{}
	defer workers.Close()
	c := NewServerConn(h, h, workers, limits(), 1)
	if err := c.Receive([]byte(Preface + string(AppendSettings(nil)))); err != nil {
		t.Fatal(err)
	}
	var e Encoder
	id := uint32(1)
	wire := make([]byte, 0, 512)
	ask := func() {
		wire = AppendFrameHead(wire[:0], FrameHead{Length: 4, Type: FrameWindowUpdate})
		wire = append(wire, 0, 0, 0, 7)
		at := len(wire)
		wire = e.Begin(AppendFrameHead(wire, FrameHead{}))
		for _, i := range []uint64{staticMethodGet, staticSchemeHTTPS, staticPathRoot} {
			wire = e.AppendIndexed(wire, i)
		}
		wire = e.Append(wire, []byte(":authority"), []byte("site.example"))
		wire = e.Append(wire, []byte("user-agent"), []byte("a client of some kind"))
		setFrameHead(wire[at:], FrameHead{Length: len(wire) - at - FrameHeadSize, Type: FrameHeaders, Flags: FlagEndHeaders | FlagEndStream, Stream: id})
		id += 2
		if err := c.Receive(wire); err != nil {
			t.Fatal(err)
		}
		<-h.done
	}
	for range 10 {
		ask()
	}
	if n := testing.AllocsPerRun(1000, ask); n >= 1 {
		t.Errorf("%v allocations for a request", n)
	}
	if h.bytes == 0 {
		t.Error("nothing was sent")
	}
}
