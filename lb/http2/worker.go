package http2

import "sync"

// Workers are the goroutines that streams run on. One whose stream has ended
// waits for another, the one that was busy last goes first, so that stacks
// that have grown are used again. They serve all connections of a process
// part. The zero value is ready; all methods are safe for concurrent use.
type Workers struct {
	groups [workerGroups]workerGroup
}

// workerGroups parts the lock; a connection always asks the same group.
const workerGroups = 16

type workerGroup struct {
	mu     sync.Mutex
	parked []*worker
	fewest int // parked at a time since the last Trim: nobody has needed these
	closed bool
	_      [64]byte // its neighbour's lock is on another cache line
}

// worker is one goroutine.
type worker struct {
	next chan task
}

// task is the work on one stream, or where there is none on what a connection
// has to send.
type task struct {
	c *ServerConn
	s *ServerStream
}

// run does a task on a goroutine of its own.
func (w *Workers) run(t task) {
	g := &w.groups[t.c.number%workerGroups]
	g.mu.Lock()
	n := len(g.parked)
	if n == 0 {
		g.mu.Unlock()
		one := &worker{next: make(chan task, 1)}
		one.next <- t
		go one.work(g)
		return
	}
	one := g.parked[n-1]
	g.parked[n-1] = nil
	g.parked = g.parked[:n-1]
	g.fewest = min(g.fewest, n-1)
	g.mu.Unlock()
	one.next <- t
}

// work does tasks until the worker is let go.
func (one *worker) work(g *workerGroup) {
	for t := range one.next {
		t.c.do(t.s)
		if !g.park(one) {
			return
		}
	}
}

// park puts a worker back that has nothing to do.
func (g *workerGroup) park(one *worker) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.parked = append(g.parked, one)
	return true
}

// Trim lets go of those that nobody has needed since the last call.
func (w *Workers) Trim() {
	for i := range w.groups {
		g := &w.groups[i]
		g.mu.Lock()
		surplus := g.parked[:g.fewest] // the ones that wait for longest
		for _, one := range surplus {
			close(one.next)
		}
		rest := copy(g.parked, g.parked[g.fewest:])
		clear(g.parked[rest:])
		g.parked = g.parked[:rest]
		g.fewest = rest
		g.mu.Unlock()
	}
}

// Close lets go of all that wait, and of the others when they have nothing
// more to do.
func (w *Workers) Close() {
	for i := range w.groups {
		g := &w.groups[i]
		g.mu.Lock()
		g.closed = true
		for _, one := range g.parked {
			close(one.next)
		}
		g.parked, g.fewest = nil, 0
		g.mu.Unlock()
	}
}
