package lb

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/weir-lb/weir/lb/listen"
)

// TestConnWorkers: goroutines whose connection has ended serve the next one, no
// more than maxSpare of them wait, and none is left at the end.
func TestConnWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		served := make(chan struct{}, 2*maxSpare)
		w := connWorkers{handle: func(net.Conn, *listen.Socket) { <-hold; served <- struct{}{} }}
		for range maxSpare + 10 {
			w.serve(accepted{})
		}
		close(hold)
		synctest.Wait()
		if n := len(w.spare); n != maxSpare {
			t.Errorf("%d wait, want %d", n, maxSpare)
		}
		w.serve(accepted{}) // by one of these
		synctest.Wait()
		if n := len(w.spare); n != maxSpare {
			t.Errorf("%d wait afterwards, want %d", n, maxSpare)
		}
		if n := len(served); n != maxSpare+11 {
			t.Errorf("%d were served, want %d", n, maxSpare+11)
		}
		w.end()
		w.serve(accepted{})
		synctest.Wait()
		if n := len(w.spare); n != 0 {
			t.Errorf("%d wait after the end", n)
		}
	})
}
