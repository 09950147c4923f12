package upstream

import (
	"errors"
	"sync/atomic"
	"time"
)

// Queue lets requests wait while no peer can take them. The zero value lets
// none wait.
type Queue struct {
	Length  int           // requests that wait at a time at most
	Timeout time.Duration // of one request
}

// Why a request has waited in vain. Both are errors of the moment: another
// request may be luckier.
var (
	ErrQueueFull    = errors.New("upstream queue is full")
	ErrQueueTimeout = errors.New("upstream queue timed out")
	// ErrLeft: the one for whom the request waited has gone.
	ErrLeft = errors.New("left the upstream queue")
)

// queue is the line of requests that wait, first come first. The upstream's
// lock guards it.
type queue struct {
	first, last *place
	length      int
}

// place is where a request stands in a queue.
type place struct {
	ahead, behind *place
	wake          chan struct{} // holds one call to try
	called        bool
	choosy        bool // it has tried some of the peers already, and takes no more of these
}

func (q *queue) join(p *place) {
	p.ahead, p.behind = q.last, nil
	if q.last != nil {
		q.last.behind = p
	} else {
		q.first = p
	}
	q.last = p
	q.length++
}

func (q *queue) leave(p *place) {
	if p.ahead != nil {
		p.ahead.behind = p.behind
	} else {
		q.first = p.behind
	}
	if p.behind != nil {
		p.behind.ahead = p.ahead
	} else {
		q.last = p.ahead
	}
	p.ahead, p.behind = nil, nil
	q.length--
}

// call lets the request at p try; p may be nil.
func (q *queue) call(p *place) {
	if p == nil {
		return
	}
	p.called = true
	select {
	case p.wake <- struct{}{}:
	default: // it was called already and has not looked yet
	}
}

// mayWait reports whether a request for which no peer was found may stand in
// the queue: there is one, and a peer that the request has not tried.
func (p *Pool) mayWait(a *PickArgs) bool {
	if !p.Queues() {
		return false
	}
	left := len(p.group(a.backup).peers) - a.tried.n
	if !a.backup && p.backup != nil {
		left += len(p.backup.peers)
	}
	return left > 0
}

// Waiting is what a request brings along that waits for a peer.
type Waiting struct {
	// Pool is where the pool in use is found.
	Pool *atomic.Pointer[Pool]
	// Now is the clock of PickArgs.Now.
	Now func() int64
	// Left is closed when nobody is interested in the request any more; nil:
	// that does not happen.
	Left <-chan struct{}
}

// recheck is how often the first of a queue tries although nothing is known to
// have happened: that a fail_timeout is over is told by nobody.
const recheck = time.Second

// Wait is Pick for a request that Pick has found no peer for: it stands in the
// upstream's queue, in the order of arrival, until a peer can take it. The
// error is ErrNoLive where there is no queue or nothing to wait for,
// ErrQueueFull, ErrQueueTimeout, or ErrLeft. The pool that was picked from is
// returned in any case; a.Now moves on.
func Wait(a *PickArgs, w Waiting) (*Peer, *Pool, error) {
	p := w.Pool.Load()
	here, err := p.enqueue(a)
	if err != nil {
		return nil, p, err
	}
	deadline := w.Now() + int64(p.queue.Timeout)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-here.wake:
		case <-timer.C:
		case <-w.Left:
			p.abandon(here)
			return nil, p, ErrLeft
		}
		a.Now = w.Now()
		p = w.Pool.Load()
		if peer, picked := p.pickQueued(a, here); picked {
			return peer, p, nil
		}
		left := time.Duration(deadline - a.Now)
		if left <= 0 {
			p.abandon(here)
			return nil, p, ErrQueueTimeout
		}
		timer.Reset(min(left, recheck))
	}
}

// enqueue puts the request of a behind those that wait.
func (p *Pool) enqueue(a *PickArgs) (*place, error) {
	if a.pool != p {
		a.bind(p)
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	q := &p.shared.queue
	switch {
	case !p.mayWait(a):
		return nil, ErrNoLive
	case q.length >= p.queue.Length:
		return nil, ErrQueueFull
	}
	here := &place{wake: make(chan struct{}, 1), choosy: a.tried.n > 0 || a.strayed > 0 || a.backup}
	if q.first != nil && q.first.choosy { // it may have left a peer to others
		q.call(q.first)
	}
	q.join(here)
	return here, nil
}

// pickQueued lets a request try that stands in the queue, if it is its turn;
// picked tells that it has left the queue with a peer.
func (p *Pool) pickQueued(a *PickArgs, here *place) (peer *Peer, picked bool) {
	if a.pool != p {
		a.bind(p)
	}
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	q := &p.shared.queue
	if q.first != here && !here.called {
		return nil, false
	}
	here.called = false
	a.forgetRounds()
	next := here.behind
	if peer = p.pick(a); peer == nil {
		if here.choosy { // the next one may take what it does not
			q.call(next)
		}
		return nil, false
	}
	q.leave(here)
	q.call(next) // there may be room for more
	return peer, true
}

// abandon takes a request out of the queue.
func (p *Pool) abandon(here *place) {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	q := &p.shared.queue
	next := here.behind
	q.leave(here)
	if here.called {
		q.call(next) // what it was called for is for the next one
	}
}

// wakeQueue lets the first of those that wait try, since peers may have changed.
func (p *Pool) wakeQueue() {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	p.shared.queue.call(p.shared.queue.first)
}

// Queues reports whether requests may wait for a peer.
func (p *Pool) Queues() bool { return p.queue.Length > 0 }

// Queued is how many requests wait for a peer.
func (p *Pool) Queued() int {
	p.shared.mu.Lock()
	defer p.shared.mu.Unlock()
	return p.shared.queue.length
}

// forgetRounds lets a method that follows a hash begin anew, since the request
// has got no peer from it so far.
func (a *PickArgs) forgetRounds() {
	if a.tried.n == 0 && !a.backup {
		a.rounds, a.seeded = 0, false
	}
}
