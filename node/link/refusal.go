package link

import (
	"fmt"
	"sync"
	"time"
)

// How refusals are told.
const (
	refusalPause = time.Minute // between two lines about one address
	maxRefusals  = 64          // addresses that are told apart; all others count as one
)

// refusals tells the log of connections that were refused: the first of an
// address at once, further ones by their number, a minute later at the earliest.
// So an operator sees a node with a wrong secret, and a flood of garbage does
// not fill a disk.
type refusals struct {
	log func(text string)

	mu   sync.Mutex
	seen map[string]*refusal // by address without port
}

type refusal struct {
	told    time.Time
	counted int // since then
}

func newRefusals(log func(string)) *refusals {
	return &refusals{log: log, seen: map[string]*refusal{}}
}

// add notes that a connection from host was refused at the time now.
func (r *refusals) add(host string, reason error, now time.Time) {
	if more, tell := r.count(host, now); tell {
		r.log(fmt.Sprintf("refused a connection of %s: %v%s", host, reason, more))
	}
}

// count counts a refusal. If it is to be told, more is the end of the line.
func (r *refusals) count(host string, now time.Time) (more string, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.seen[host]
	if known == nil {
		r.forget(now)
		if len(r.seen) >= maxRefusals {
			host = "" // what is not told apart
		}
		if known = r.seen[host]; known == nil {
			known = &refusal{}
			r.seen[host] = known
		}
	}
	if now.Sub(known.told) < refusalPause {
		known.counted++
		return "", false
	}
	if known.counted > 0 {
		more = fmt.Sprintf(" (%d more since %s)", known.counted, known.told.Format(time.TimeOnly))
	}
	known.told, known.counted = now, 0
	return more, true
}

// forget drops what has been told long ago and had no sequel.
func (r *refusals) forget(now time.Time) {
	for host, known := range r.seen {
		if known.counted == 0 && now.Sub(known.told) >= refusalPause {
			delete(r.seen, host)
		}
	}
}
