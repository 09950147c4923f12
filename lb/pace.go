package lb

import (
	"errors"
	"math"
	"time"

	"github.com/weir-lb/weir/lb/request"
)

// pacer keeps one reply below limit_rate. As in nginx each second since the
// request's start allows as many bytes, the head's among them, and behind each
// piece there is a pause of the time that the piece is worth.
type pacer struct {
	due time.Duration // since the request's start: the end of the pause
}

// next tells how many of n bytes may be sent at a time since the request's
// start, when sent ones have been, or how long to wait before asking again.
func (p *pacer) next(r *request.Request, at time.Duration, sent int64, n int) (piece int, wait time.Duration) {
	if at < p.due {
		return 0, p.due - at
	}
	rate := float64(r.RateLimit)
	room := rate*(at+time.Second).Seconds() - float64(sent-r.RateAfter)
	if room < 1 {
		return 0, time.Duration((1-room)/rate*float64(time.Second)) + time.Millisecond
	}
	return int(min(room, float64(n), math.MaxInt32)), 0
}

// sent notes a piece: there were so many bytes before it, and so many now. What
// limit_rate_after lets through is worth no time, and less than a millisecond
// is not waited for.
func (p *pacer) sent(r *request.Request, at time.Duration, before, now int64) {
	counted := max(now-r.RateAfter, 0) - max(before-r.RateAfter, 0)
	p.due = at + time.Duration(float64(counted)/float64(r.RateLimit)*1000)*time.Millisecond
}

// pacedOut is an Out as writePaced needs it.
type pacedOut interface {
	write(p []byte) error
	Flush() error
	// pause waits between two pieces, but not for a client that has left.
	pause(d time.Duration) error
	// sent is how many bytes of the reply were made so far, its head included.
	sent() int64
}

// writePaced is Write under limit_rate. What is sent leaves at once.
func (w *walk) writePaced(out pacedOut, p []byte) error {
	r := &w.r
	for len(p) > 0 {
		before := out.sent()
		n, wait := w.pacer.next(r, time.Since(r.Start), before, len(p))
		if n == 0 {
			if err := out.pause(wait); err != nil {
				return err
			}
			continue
		}
		if err := out.write(p[:n]); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		w.pacer.sent(r, time.Since(r.Start), before, out.sent())
		p = p[n:]
	}
	return nil
}

// sent implements pacedOut.
func (j *job) sent() int64 { return j.r.Reply.Sent + int64(len(j.out)) }

// errLeft ends a pause whose client has gone.
var errLeft = errors.New("client prematurely closed connection")

// unwatchedPause is so short that a client that leaves meanwhile may be noticed
// at its end.
const unwatchedPause = 20 * time.Millisecond

// pause implements pacedOut.
func (j *job) pause(d time.Duration) error {
	if err := j.Flush(); err != nil { // the head may still be held back
		return err
	}
	if d <= unwatchedPause {
		time.Sleep(d)
		return nil
	}
	left := make(chan struct{})
	if err := j.c.b.pauses.Watch(&j.c.Socket, func() { close(left) }); err != nil {
		return err
	}
	defer j.c.b.pauses.Unwatch(&j.c.Socket)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-left:
		j.left = true
		return errLeft
	}
}
