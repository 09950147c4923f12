package http2

import (
	"time"
)

// waiter lets one goroutine wait for another's sign, or for a time. Its timer
// is lazy: one that would fire too early is left as it is, since whoever waits
// looks again in any case.
type waiter struct {
	sign  chan struct{}
	timer *time.Timer
	armed int64 // wire.Now when the timer fires, 0: it does not
}

// init makes a waiter ready.
func (w *waiter) init() {
	w.sign = make(chan struct{}, 1)
	w.timer = time.NewTimer(time.Hour)
	w.timer.Stop()
}

// wake gives the sign; it may come from any goroutine, and before the wait.
func (w *waiter) wake() {
	select {
	case w.sign <- struct{}{}:
	default: // one sign says it all
	}
}

// reset forgets a sign that nobody waited for.
func (w *waiter) reset() {
	select {
	case <-w.sign:
	default:
	}
}

// sleep returns after a sign, or when the clock may have reached due, which is
// 0 for no limit.
func (w *waiter) sleep(now, due int64) {
	if due != 0 && (w.armed == 0 || w.armed > due) {
		w.timer.Reset(time.Duration(max(due-now, 0)))
		w.armed = due
	}
	select {
	case <-w.sign:
	case <-w.timer.C:
		w.armed = 0
	}
}

// earlier is the first of two times of which 0 means never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// dueAt is the time d from now on; 0 where d is no limit.
func dueAt(now int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return now + int64(d)
}
