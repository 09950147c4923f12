package consensus

import (
	"context"
	"sync"
	"time"
)

// outcomes counts what the library was asked and has not answered. When it ends
// it leaves some of that without an answer, for which one would wait for ever; so
// it is given a moment to answer before. The zero value is ready.
type outcomes struct {
	mu   sync.Mutex
	open int
	news bell // rings when one was answered
}

func (o *outcomes) add(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open += n
}

func (o *outcomes) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open == 0
}

// of waits for an answer, or for ctx.
func (o *outcomes) of(ctx context.Context, answer func() error) error {
	o.add(1)
	done := make(chan error, 1)
	go func() {
		done <- answer()
		o.add(-1)
		o.news.ring()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle waits until all is answered, but no longer than limit.
func (o *outcomes) settle(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		news := o.news.wait()
		if o.none() {
			return
		}
		select {
		case <-news:
		case <-timer.C:
			return
		}
	}
}
