package http2

import (
	"testing"
	"testing/synctest"
)

// A stream whose output is full sends it, also while another one, at its end,
// lets all that can run go first: what it kept instead would be cold when its
// turn comes.
func TestFullOutputLeavesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 3 * outputFull
		kept := -1
		r := newRig(t, func(s *ServerStream) {
			p := &s.Request.Reply
			p.Status, p.Length = 200, size
			s.Hold = 2 * size
			_ = s.WriteHead(&HeadOptions{})
			s.c.mu.Lock()
			s.c.output.late = true
			s.c.mu.Unlock()
			_ = s.Write(make([]byte, size), true)
			s.c.mu.Lock()
			kept = s.held.size
			s.c.output.late = false
			s.c.mu.Unlock()
		})
		r.start()
		if err := r.send("S 4=1000000; W0 1000000; H1e get"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if kept != 0 {
			t.Errorf("the stream keeps %d bytes that the client would have taken", kept)
		}
	})
}
