package lb

import (
	"net"
	"sync"

	"github.com/weir-lb/weir/lb/listen"
)

// maxSpare is how many goroutines wait for a connection at most. Their stacks
// hold 4 KB each, and up to 32 KB after a TLS handshake until the next
// collection.
const maxSpare = 64

// accepted is a connection on its way to the goroutine that serves it.
type accepted struct {
	conn   net.Conn
	socket *listen.Socket
}

// connWorkers are the goroutines that serve connections, one each. One whose
// connection has ended takes the next that is accepted: a new goroutine begins
// with a stack that is too small for a request, and moving to a larger one
// costs more than all else that weir does for a new connection.
type connWorkers struct {
	handle func(net.Conn, *listen.Socket) // serves one connection
	begun  func()                         // is called for each new goroutine; nil: nothing is

	mu    sync.Mutex
	spare []chan accepted // of those that wait, the last to come on top: its stack is in the processor's cache
	ended bool
}

// serve gives a connection to a goroutine.
func (w *connWorkers) serve(a accepted) {
	w.mu.Lock()
	if n := len(w.spare) - 1; n >= 0 {
		next := w.spare[n]
		w.spare = w.spare[:n]
		w.mu.Unlock()
		next <- a // which has room for it
		return
	}
	w.mu.Unlock()
	if w.begun != nil {
		w.begun()
	}
	go w.run(a)
}

// run serves connections as long as they come.
func (w *connWorkers) run(a accepted) {
	var next chan accepted
	for more := true; more; {
		w.handle(a.conn, a.socket)
		if next = w.rest(next); next == nil {
			return
		}
		a, more = <-next
	}
}

// rest makes a goroutine wait for a connection on the channel returned; nil
// where enough of them do. A first connection may last and needs no channel.
func (w *connWorkers) rest(next chan accepted) chan accepted {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || len(w.spare) >= maxSpare {
		return nil
	}
	if next == nil {
		next = make(chan accepted, 1)
	}
	w.spare = append(w.spare, next)
	return next
}

// end lets those go that wait; the others go when their connection ends.
func (w *connWorkers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, next := range w.spare {
		close(next)
	}
	w.spare = nil
}
