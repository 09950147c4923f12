package store

import (
	"sync"
	"time"
)

// work is what a zone does in the background.
type work struct {
	once sync.Once
	stop chan struct{}
	wake chan struct{} // has room for one
	done sync.WaitGroup
}

func (w *work) init() {
	w.stop, w.wake = make(chan struct{}), make(chan struct{}, 1)
}

// start begins with the first configuration; a later one finds it at work.
func (w *work) start(z *Zone) {
	w.once.Do(func() {
		z.recallPurges()
		w.done.Go(z.load)
		w.done.Go(z.manage)
	})
	z.manageSoon()
}

// end stops the work, and gives up what is open.
func (z *Zone) end() {
	z.work.once.Do(func() {}) // nothing starts any more
	z.rules.mu.Lock()         // no purger starts from here on
	close(z.work.stop)
	z.rules.mu.Unlock()
	z.work.done.Wait()
	z.closeLive(func(*Entry) bool { return true })
}

// sleep waits, or returns false when the zone ends.
func (z *Zone) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-z.work.stop:
		return false
	case <-t.C:
		return true
	}
}

// turns bounds work in the background by its pace.
type turns struct {
	pace  Pace
	n     int
	began time.Time
}

func (t *turns) begin(p Pace) { *t = turns{pace: p, began: time.Now()} }

// over counts one file, and tells whether it is time for a rest.
func (t *turns) over() bool {
	t.n++
	return t.n >= t.pace.Files || time.Since(t.began) >= t.pace.Threshold
}

// manageSoon lets the manager look at the bounds now.
func (z *Zone) manageSoon() {
	o := z.conf.Load()
	if o.MinFree == 0 && !z.overBounds(o) {
		return
	}
	select {
	case z.work.wake <- struct{}{}:
	default: // it will look in any case
	}
}

// The longest waits of the manager: min_free is used up by others as well.
const (
	longWait = time.Minute
	freeWait = 10 * time.Second
)

// manage removes what is unused for too long, and the least recently used
// while the zone is too large or its disk too full.
func (z *Zone) manage() {
	for {
		t := time.NewTimer(z.manageTurn())
		select {
		case <-z.work.stop:
			t.Stop()
			return
		case <-z.work.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// manageTurn works for one turn and returns when the next one is due.
func (z *Zone) manageTurn() time.Duration {
	o := z.conf.Load()
	var t turns
	t.begin(o.Manager)
	for {
		over := z.tooLarge(o)
		now := time.Now()
		before := uint32(now.Add(-o.Inactive).Unix())
		if !z.evictIf(func(used uint32) bool { return over || used <= before }) {
			break
		}
		if t.over() {
			return o.Manager.Sleep
		}
	}
	if z.faults.full.Load() && z.keys.Load() < o.maxKeys()/8*7 {
		z.faults.full.Store(false)
	}
	return z.nextTurn(o)
}

// overBounds tells whether there are more files or keys than may be.
func (z *Zone) overBounds(o *Options) bool {
	return o.MaxSize > 0 && z.blocks.Load()*blockSize > o.MaxSize || z.keys.Load() > o.maxKeys()
}

// tooLarge tells whether something must go before its time.
func (z *Zone) tooLarge(o *Options) bool {
	if z.overBounds(o) {
		return true
	}
	if o.MinFree == 0 {
		return false
	}
	free, err := z.sys.Free(z.path)
	if err != nil {
		z.faults.report(z, faultList, err)
		return false
	}
	return free < o.MinFree
}

// nextTurn is when the next entry will have been unused for too long.
func (z *Zone) nextTurn(o *Options) time.Duration {
	wait := min(longWait, o.Inactive) // what is stored meanwhile is due later
	if o.MinFree > 0 {
		wait = freeWait
	}
	if _, used, found := z.oldest(); found {
		due := time.Unix(int64(used), 0).Add(o.Inactive)
		wait = min(wait, max(time.Until(due), o.Manager.Sleep))
	}
	return wait
}
