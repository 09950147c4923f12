package lb

import (
	"runtime/debug"
	"sync/atomic"
)

// What trimmer goes by.
const (
	trimAfter = 500 // handshakes leave some ten megabytes, new goroutines one
	trimQuiet = 20  // of them a second that are no burst any more
)

// trimmer gives memory back after many handshakes and new connections that
// stay. A handshake leaves garbage and a grown stack, several times what its
// idle connection needs afterwards, and a new goroutine the stack that it has
// outgrown; a process that has turned quiet would not collect for minutes, since
// the collector is paced by allocation. It is for one goroutine, but for note.
type trimmer struct {
	noted   atomic.Int64 // since the last look
	pending int64        // since the last collection
	rounds  int          // of collections that are still due
}

// note counts a handshake, or a new goroutine for a connection.
func (t *trimmer) note() { t.noted.Add(1) }

// due looks once a second whether a collection is worth its cost now. Each
// burst is worth two: one collection only halves a stack.
func (t *trimmer) due() bool {
	fresh := t.noted.Swap(0)
	t.pending += fresh
	switch {
	case fresh > trimQuiet:
		t.rounds = 0
		return false
	case t.pending >= trimAfter:
		t.pending, t.rounds = 0, 2
	case t.rounds == 0:
		return false
	}
	t.rounds--
	return true
}

// trim collects if that is due.
func (t *trimmer) trim() {
	if t.due() {
		debug.FreeOSMemory()
	}
}
