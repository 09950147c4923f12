package lb_test

import (
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/lb/lbtest"
)

// An idle connection is looked at after a second, which neither prolongs its time nor costs it the request that comes
// in that moment.

func TestKeepaliveTimeoutOfSeconds(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, site("keepalive_timeout 1500ms; location / { return 200 ok; }"))
	c := b.Dial(front)
	begun := time.Now() // before the time begins to run: the test may be held up
	c.Ask(get)
	c.Rest()
	if took := time.Since(begun); took < time.Second {
		t.Errorf("closed after %v", took)
	}
}

func TestRequestAfterASecond(t *testing.T) {
	t.Parallel()
	b := lbtest.Start(t, site("location / { return 200 ok; }"))
	const clients = 300
	ask := func(c *lbtest.Client, at *time.Timer) {
		<-at.C
		if r := c.Ask(get); r.Body != "ok" {
			t.Errorf("%v", r)
		}
	}
	var all sync.WaitGroup
	for i := range clients {
		c := b.Dial(front)
		c.Ask(get)
		at := time.NewTimer(time.Second + time.Duration(i%100-50)*20*time.Microsecond)
		all.Go(func() { ask(c, at) })
	}
	all.Wait()
}
